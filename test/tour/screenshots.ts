import { mkdir, rm, writeFile } from "node:fs/promises"
import path from "node:path"
import { parseArgs } from "node:util"
import { STOPS, visit, withDemo } from "./demo.ts"

/**
 * `npm run docs:screenshots`: takes a picture of every page of the demo, light and dark, on a desktop and on a phone, into
 * `docs/screenshots`. `--only ladder,usage` takes some. Whatever a page prints as an error is told, and fails the run.
 */
const { values: flags } = parseArgs({ options: { only: { type: "string" } } })
const only = flags.only?.split(",")
const folder = path.join(import.meta.dirname, "../../docs/screenshots")
const VIEWPORTS = { desktop: { width: 1280, height: 900 }, phone: { width: 360, height: 780 } }
/** Pages longer than this are cut: what is below is more of the same. */
const HEIGHT_MAX = { desktop: 2400, phone: 3200 }

if (only === undefined) await rm(folder, { recursive: true, force: true })
await mkdir(folder, { recursive: true })
const errors: string[] = []
await withDemo(async (demo) => {
  for (const stop of STOPS.filter(({ name }) => only?.includes(name) ?? true)) {
    for (const colorScheme of ["light", "dark"] as const) {
      for (const device of ["desktop", "phone"] as const) {
        const page = await demo.enter(stop.role, { viewport: VIEWPORTS[device], colorScheme, reducedMotion: "reduce" })
        const tell = (what: string) => errors.push(`${stop.name} ${device} ${colorScheme}: ${what}`)
        page.on("pageerror", ({ message }) => tell(message))
        page.on("console", (message) => {
          if (message.type() === "error") tell(message.text())
        })
        if (!(await visit(page, stop))) tell(`nothing on ${stop.path} leads to ${stop.link}`)
        await page.waitForLoadState("networkidle")
        const { scrollWidth, scrollHeight } = await page.evaluate(() => {
          const { scrollWidth: across, scrollHeight: down } = document.documentElement
          return { scrollWidth: across, scrollHeight: down }
        })
        const { width } = VIEWPORTS[device]
        if (scrollWidth > width) tell(`scrolls sideways, ${scrollWidth} px`)
        const height = Math.min(Math.max(scrollHeight, VIEWPORTS[device].height), HEIGHT_MAX[device])
        const cdp = await page.context().newCDPSession(page)
        // Half as large as what Playwright can ask for.
        const { data } = await cdp.send("Page.captureScreenshot", {
          format: "webp",
          quality: 50,
          captureBeyondViewport: true,
          clip: { x: 0, y: 0, width, height, scale: 1 },
        })
        await writeFile(path.join(folder, `${stop.name}-${device}-${colorScheme}.webp`), Buffer.from(data, "base64"))
        await page.context().close()
      }
    }
    console.log(stop.name)
  }
})
for (const error of errors) console.error(error)
process.exitCode = errors.length === 0 ? 0 : 1
