import { expect } from "vitest"
import { writeMeter } from "#server/ingest/meter-log.ts"
import { expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

const PROCESS = "00000000-0000-4000-8000-000000000001"
const KILLED = "00000000-0000-4000-8000-000000000002"

test("whether telemetry arrives is said in a sentence, before there is any, while it comes and when it stops", async ({
  belay,
  database,
  page,
}) => {
  const write = () =>
    writeMeter({ db: database.worker, meter: belay.meter, processId: PROCESS, now: belay.now }, belay.now())
  await page.goto("/settings")
  await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Ingest" }).click()
  await page.getByText("Nothing has arrived yet.").waitFor()
  await page.getByText("No request came in during the last 24 hours.").waitFor()
  await expectGoodOnPhone(page)

  await belay.postFixture("captured/claude-16.logs.pb")
  await belay.postFixture("captured/claude-16.logs.pb")
  await belay.postFixture("captured/kilo-18.logs.json")
  await write()
  await page.reload()
  await page.getByText(/^\d+ signals arrived in the last hour, stored within .*; no request was refused\.$/).waitFor()
  const cameIn = page.getByRole("table", { name: "What came in" })
  expect(await cameIn.getByRole("row", { name: /^Requests 3 3$/ }).count()).toBe(1)
  await page.getByRole("table", { name: "Agent tools" }).getByText("claude-code").waitFor()
  await expectGoodOnPhone(page)

  await belay.post("logs", "this is not protobuf")
  belay.meter.watch({ rollupLagSeconds: () => 3 })
  belay.meter.folded(belay.orgId, "model", 12)
  await write()
  await writeMeter({ db: database.worker, meter: belay.meter, processId: KILLED, now: belay.now }, belay.now())
  belay.advance(60_000)
  await write()
  await page.reload()
  await page.getByText(/1 request was refused\.$/).waitFor()
  await cameIn.getByRole("row", { name: "Requests that were not OTLP, or cut off 1 1" }).waitFor()
  await cameIn.getByRole("row", { name: "Signals with (other) for a model 12 12" }).waitFor()
  const processes = page.getByRole("table", { name: "Processes" })
  await processes.getByText("silent since").waitFor()
  expect(await processes.getByText("3 s").count()).toBe(2)
  await expectGoodOnPhone(page)

  belay.advance(3 * 3_600_000)
  await page.reload()
  await page.getByText(/^Nothing arrived in the last hour; the last signal came 3 h ago\./).waitFor()
  await page.getByText("nothing was stored").waitFor()
  await expectGoodOnPhone(page)
})

test("on-call reads the status and is led to no settings that it may not change", async ({ openAs }) => {
  const page = await openAs({ email: "oncall@example.com", role: "on-call" })
  await page.goto("/")
  await page.getByRole("link", { name: "Settings" }).first().click()
  await page.getByText("Nothing has arrived yet.").waitFor()
  expect(await page.getByRole("navigation", { name: "Settings" }).count()).toBe(0)
})
