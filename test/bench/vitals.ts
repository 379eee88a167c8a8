import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { availableParallelism, loadavg } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import type { CDPSession, Page } from "playwright-core"
import { type Demo, STOPS, type Stop, visit, withDemo } from "../tour/demo.ts"

/**
 * `npm run bench:vitals`: Core Web Vitals of the demo's pages in Chromium, each on a first visit with nothing kept, and the
 * compressed JavaScript that it loads, beside what web.dev calls good and the 250 KB that the first page may load.
 * Throttled as Lighthouse does: its desktop, and its phone with a processor four times slower. `--only ladder` for some.
 *
 * @see https://web.dev/articles/vitals
 */
const { values: flags } = parseArgs({ options: { only: { type: "string" } } })
const only = flags.only?.split(",")
const GOOD = { lcpMs: 2500, cls: 0.1, inpMs: 200, scriptKb: 250 }
/** Bytes a second, milliseconds there and back, and how many times slower the processor is. */
const DEVICES = {
  desktop: { viewport: { width: 1350, height: 940 }, throughput: (10_240 * 1024) / 8, rtt: 40, slowdown: 1 },
  phone: { viewport: { width: 360, height: 780 }, throughput: (1638.4 * 1024) / 8, rtt: 150, slowdown: 4 },
}
type Device = keyof typeof DEVICES

interface Vitals {
  readonly lcpMs: number | null
  readonly cls: number | null
  /** Null when nothing that was pressed took a frame. */
  readonly inpMs: number | null
  readonly scriptKb: number
}

const require = createRequire(import.meta.url)
const webVitals = await readFile(path.join(require.resolve("web-vitals"), "../web-vitals.iife.js"), "utf8")
const OBSERVE = `${webVitals}
  window.vitals = {}
  for (const [name, observe] of Object.entries({ lcp: webVitals.onLCP, cls: webVitals.onCLS, inp: webVitals.onINP }))
    observe(({ value }) => { window.vitals[name] = value }, { reportAllChanges: true })`

await withDemo(async (demo) => {
  console.log(
    `Vitals: Chromium ${demo.version}, node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(2)}.`,
  )
  const figures: Record<string, Record<Device, Vitals>> = {}
  for (const stop of STOPS.filter(({ name }) => only?.includes(name) ?? true)) {
    const of = { desktop: await measure(demo, stop, "desktop"), phone: await measure(demo, stop, "phone") }
    figures[stop.name] = of
    console.log(`${stop.name.padEnd(20)} ${toText(of.desktop)}   phone ${toText(of.phone)}`)
  }
  const all = Object.values(figures).flatMap(({ desktop, phone }) => [desktop, phone])
  const worst = (read: (vitals: Vitals) => number | null) => Math.max(...all.map((vitals) => read(vitals) ?? 0))
  const ladder = figures["ladder"]?.desktop.scriptKb
  const report = {
    bench: "vitals",
    ratios: {
      worst_lcp_vs_good: round(worst(({ lcpMs }) => lcpMs) / GOOD.lcpMs),
      worst_cls_vs_good: round(worst(({ cls }) => cls) / GOOD.cls),
      worst_inp_vs_good: round(worst(({ inpMs }) => inpMs) / GOOD.inpMs),
      ladder_script_vs_limit: ladder === undefined ? null : round(ladder / GOOD.scriptKb),
    },
    figures: { pages: figures, load_after: round(loadavg()[0] ?? NaN) },
  }
  console.log(`\n${JSON.stringify(report)}`)
})

async function measure(demo: Demo, stop: Stop, device: Device): Promise<Vitals> {
  const { viewport, throughput, rtt, slowdown } = DEVICES[device]
  const page = await demo.enter(stop.role, { viewport })
  const cdp = await page.context().newCDPSession(page)
  // The page that leads to it is not measured.
  await visit(page, stop)
  const address = page.url()
  await page.goto("about:blank")
  await cdp.send("Network.enable")
  await cdp.send("Network.clearBrowserCache")
  await cdp.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: rtt,
    downloadThroughput: throughput,
    uploadThroughput: throughput,
  })
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: slowdown })
  const readScript = countScript(cdp)
  await page.addInitScript(OBSERVE)
  await page.goto(address)
  await page.waitForLoadState("networkidle")
  // Before anything is pressed, which fetches what it may lead to.
  const scriptKb = Math.round(readScript() / 1000)
  await press(page)
  const vitals = await page.evaluate<{ lcp?: number; cls?: number; inp?: number }>("window.vitals")
  await page.context().close()
  return {
    lcpMs: vitals.lcp === undefined ? null : Math.round(vitals.lcp),
    cls: vitals.cls === undefined ? null : Math.round(vitals.cls * 1000) / 1000,
    inpMs: vitals.inp === undefined ? null : Math.round(vitals.inp),
    scriptKb,
  }
}

/** As they came over the network. */
function countScript(cdp: CDPSession): () => number {
  const scripts = new Set<string>()
  let bytes = 0
  cdp.on("Network.responseReceived", ({ requestId, type }) => {
    if (type === "Script") scripts.add(requestId)
  })
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (scripts.has(requestId)) bytes += encodedDataLength
  })
  return () => bytes
}

/** What somebody does first: goes along the page by keyboard, and opens, uses and closes the palette. */
async function press(page: Page): Promise<void> {
  for (let times = 0; times < 3; times++) await page.keyboard.press("Tab")
  await page.keyboard.press("Control+k")
  await page.getByRole("dialog").waitFor()
  await page.keyboard.type("lat")
  await page.keyboard.press("Escape")
  await page.getByRole("dialog").waitFor({ state: "detached" })
  // An event is reported in a task after the frame that it led to.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100))))
}

function toText({ lcpMs, cls, inpMs, scriptKb }: Vitals): string {
  const figure = (value: number | null, unit: string) => (value === null ? "–" : `${value}${unit}`)
  return `LCP ${figure(lcpMs, " ms")}  CLS ${figure(cls, "")}  INP ${figure(inpMs, " ms")}  JS ${scriptKb} KB`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
