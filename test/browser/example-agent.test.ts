import { execFile } from "node:child_process"
import path from "node:path"
import { promisify } from "node:util"
import { expect } from "vitest"
import { INGEST_KEY, startTestBelay } from "../belay.ts"
import { loadPages } from "#server/pages.ts"
import { test as browserTest } from "./browser.ts"

const run = promisify(execFile)
const EXAMPLE = path.join(import.meta.dirname, "../../sdk/examples/four-rungs.ts")
const PEOPLE = ["ada", "ben", "chen", "dana", "eli", "fay"].map((name) => `${name}@example.com`)

/** The example's signals are of the machine's own time. */
const test = browserTest.extend("belay", async ({ database }, { onCleanup }) => {
  const belay = await startTestBelay(database, { now: new Date(), pages: loadPages({ isDev: false }) })
  onCleanup(() => belay.close())
  return belay
})

test("the four rungs of the example agent show on the ladder", { timeout: 120_000 }, async ({ belay, page }) => {
  for (const person of PEOPLE) {
    await run(process.execPath, [EXAMPLE], {
      env: { ...process.env, BELAY_ENDPOINT: belay.otlpUrl, BELAY_INGEST_KEY: INGEST_KEY, BELAY_USER: person },
    })
  }
  await belay.count()
  await page.goto("/?range=1w")
  const rung = (name: string) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { name }) })
  const figures = [
    ["Autocomplete", "Suggestions", "18", "67 %", "18 decisions by 6 people"],
    ["Chat", "Turns", "6", "100 %", "6 decisions by 6 people"],
    ["Agent", "Tasks", "6", "100 %", "12 decisions by 6 people"],
    ["Orchestration", "Runs", "6", "100 %", "12 decisions by 6 people"],
  ] as const
  for (const [name, operations, count, acceptance, basis] of figures) {
    await rung(name).getByText(basis).waitFor()
    const text = (await rung(name).innerText()).replaceAll(/\s+/g, " ")
    expect(text).toContain("example-agent")
    expect(text).toContain(`${operations} ${count}`)
    expect(text).toContain(acceptance)
  }
})
