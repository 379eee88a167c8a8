const COPIED = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
] as const
const MARGIN = 16
const TITLE_HEIGHT = 28
/** Sharp on dense screens and in slides. */
const SCALE = 2

/** Saves what is drawn in an element as a PNG, with its title above and in the colours of the theme. */
export async function savePicture(element: HTMLElement, title: string, name: string): Promise<void> {
  const drawn = [...element.querySelectorAll<SVGSVGElement>("svg[role], svg.recharts-surface")]
  const outer = element.getBoundingClientRect()
  const style = getComputedStyle(element)
  const canvas = document.createElement("canvas")
  canvas.width = (outer.width + 2 * MARGIN) * SCALE
  canvas.height = (outer.height + TITLE_HEIGHT + 2 * MARGIN) * SCALE
  const context = canvas.getContext("2d")
  if (context === null) return
  context.scale(SCALE, SCALE)
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--surface")
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.fillStyle = style.color
  context.font = `600 14px ${style.fontFamily}`
  context.fillText(title, MARGIN, MARGIN + 12)
  for (const svg of drawn) {
    const place = svg.getBoundingClientRect()
    const x = place.left - outer.left + MARGIN
    const y = place.top - outer.top + MARGIN + TITLE_HEIGHT
    context.drawImage(await toImage(svg, place), x, y, place.width, place.height)
  }
  const link = document.createElement("a")
  link.href = canvas.toDataURL("image/png")
  link.download = `${name}.png`
  link.click()
}

/** The picture alone: what the page's style sheets say of it has to be written into it. */
async function toImage(svg: SVGSVGElement, { width, height }: DOMRect): Promise<HTMLImageElement> {
  const copy = svg.cloneNode(true)
  if (!(copy instanceof SVGSVGElement)) throw new Error("a copy of an svg is one")
  const originals = [svg, ...svg.querySelectorAll("*")]
  for (const [index, node] of [copy, ...copy.querySelectorAll<SVGElement>("*")].entries()) {
    const original = originals[index]
    if (original === undefined) continue
    const computed = getComputedStyle(original)
    node.setAttribute("style", COPIED.map((name) => `${name}:${computed.getPropertyValue(name)}`).join(";"))
  }
  copy.setAttribute("width", String(width))
  copy.setAttribute("height", String(height))
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg")
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`
  await image.decode()
  return image
}
