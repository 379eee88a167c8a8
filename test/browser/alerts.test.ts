import { parse } from "csv-parse/sync"
import { expect } from "vitest"
import { z } from "zod"
import { evaluateRules } from "#server/alert/evaluate.ts"
import { startAlerts } from "#server/alert/loop.ts"
import { openQueue } from "#server/jobs/queue.ts"
import { readAuthSecret } from "#server/sign-in/auth.ts"
import { makeSignal, storeAndCount } from "../factories.ts"
import { pressInSlack, startReceiver } from "../receiver.ts"
import { expectAccessible, expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

const SIGNING_SECRET = "a signing secret of Slack"
const log = (message: string, error: unknown) => console.error(message, error)

test("an objective is made with its preview, its alert reaches Slack, is acknowledged there, and is over when it is fast again", async ({
  belay,
  database,
  page,
}) => {
  const receiver = await startReceiver()
  const queue = await openQueue({ url: database.url, log })
  const secret = await readAuthSecret(database.auth, undefined)
  const { worker, app } = database
  const background = { worker, app, queue, secret, mailer: null, publicUrl: () => belay.url, now: belay.now, log }
  const alerts = await startAlerts(background)
  const startedAt = belay.now().getTime()
  const turns = (fromMinute: number, toMinute: number, latencyMs: number) =>
    Array.from({ length: (toMinute - fromMinute) * 6 }, (_, index) =>
      makeSignal({
        at: new Date(startedAt + (fromMinute + Math.floor(index / 6)) * 60_000),
        person: `p${index % 6}`,
        agentTool: "codex",
        latencyMs,
      }),
    )
  try {
    await page.goto("/alerts")
    await page.getByText("Nothing is wrong now that a rule would tell of.").waitFor()
    await storeAndCount(database, belay.orgId, [...turns(-1500, -1440, 9000), ...turns(-1440, -1300, 100)])

    await page.getByRole("link", { name: "Channels", exact: true }).click()
    await page.getByText("Alerts go nowhere yet: nobody is told of them.").waitFor()
    await page.getByLabel("Name").fill("On call")
    await page.getByLabel("Address of the incoming webhook").fill(receiver.url)
    await page.getByLabel("Signing secret of the Slack app").fill(SIGNING_SECRET)
    await page.getByLabel("Its host may have an address inside the network").check()
    await page.getByRole("button", { name: "Add the channel" }).click()
    await page.getByText("On call: added").waitFor()
    await page.getByRole("button", { name: "Send a test to On call" }).click()
    await page.getByRole("status").getByText("On call answered: 200 ok").waitFor()
    const card = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "On call" }) })
    await card.getByText("Change", { exact: true }).click()
    await card.getByLabel("Name").fill("On call by day")
    await card.getByRole("button", { name: "Keep the changes" }).click()
    await page.getByText("On call by day: changed.").waitFor()
    await expectGoodOnPhone(page)

    await page.getByRole("link", { name: "Rules", exact: true }).click()
    await page.getByRole("link", { name: "Add an objective" }).click()
    await page.getByLabel("Rung").selectOption("Chat")
    await page.getByLabel("Agent tool").selectOption("codex")
    await page.getByLabel("Quick enough, milliseconds").fill("500")
    await page.getByRole("button", { name: "Preview" }).click()
    await page.getByText("Over the last 14 days this rule would have fired 1 time: 1 page, 0 tickets.").waitFor()
    await page.locator(".recharts-reference-area").first().waitFor()
    expect(new URL(page.url()).searchParams.get("threshold")).toBe("500")
    const preview = await page.request.get((await page.getByRole("link", { name: "CSV" }).getAttribute("href")) ?? "")
    expect(await preview.text()).toMatch(/^hour,requests,slow_share,firing\r\n[^]*,page\r\n/)
    await expectGoodOnPhone(page)
    await page.getByRole("button", { name: "Add the objective" }).click()
    await page.getByRole("heading", { name: "Latency objective · Chat · codex" }).waitFor()

    await storeAndCount(database, belay.orgId, turns(0, 60, 900))
    belay.advance(60 * 60_000)
    const evaluate = async () => {
      const whole = { orgId: belay.orgId, at: belay.now(), isWhole: true }
      while ((await evaluateRules(app, whole)) === null);
    }
    await evaluate()
    const opened = await receiver.untilTold("Open: Latency at chat · codex")
    await page.goto("/alerts")
    await page.getByRole("heading", { level: 1 }).waitFor()
    await page
      .getByRole("row")
      .getByRole("link", { name: /^Latency at chat · codex/ })
      .click()
    await page.getByText(/^100 % of \d+ requests in 30 min took longer than 500 ms/).waitFor()
    const alertAddress = page.url()
    await page.getByText("Silence", { exact: true }).click()
    await page.getByLabel("Why").fill("The provider is at it")
    await page.getByRole("button", { name: "Silence it" }).click()
    await page.getByText("Silenced. If it is still open").waitFor()
    await expectGoodOnPhone(page)
    await page.goto("/alerts/channels")
    await page.getByRole("link", { name: "Latency: one alert’s subject" }).waitFor()
    await page.getByRole("button", { name: "End the silence: The provider is at it" }).click()
    await page.getByText("The silence is over.").waitFor()
    await page.goto(alertAddress)
    const value = /"action_id":"belay_acknowledge","value":"([^"]+)"/.exec(opened.body)?.[1] ?? ""
    const url = `${belay.url}/webhooks/slack`
    const pressed = await pressInSlack({ url, value, signingSecret: SIGNING_SECRET, at: belay.now() })
    expect(await pressed.text()).toBe("Acknowledged.\n")
    await page.reload()
    await page.getByText("Acknowledged by ada in Slack").waitFor()

    await storeAndCount(database, belay.orgId, turns(60, 110, 100))
    belay.advance(40 * 60_000)
    await evaluate()
    belay.advance(6 * 60_000)
    await evaluate()
    await receiver.untilTold("Resolved: Latency at chat · codex")
    const rows = async (state: string) => {
      const file = await page.request.get(`/alerts.csv?state=${state}`)
      return z
        .array(z.looseObject({ title: z.string(), state: z.string(), acknowledged_by: z.string() }))
        .parse(parse(await file.text(), { columns: true }))
    }
    expect(await rows("current")).toEqual([])
    const title = expect.stringMatching(/^Latency at chat · codex: /)
    expect(await rows("any")).toMatchObject([
      { title, state: "resolved", acknowledged_by: expect.stringContaining("ada") },
    ])
    await page.reload()
    await page.getByText("Resolved", { exact: true }).first().waitFor()
    await page.getByLabel("What it was").selectOption("The provider")
    await page.getByRole("button", { name: "Keep the cause" }).click()
    await page.getByText("Kept with the alert.").waitFor()
    await page.goto("/alerts/rules")
    await page.getByRole("heading", { name: "Other rules" }).waitFor()
    await expectAccessible(page)
  } finally {
    await alerts.stop()
    await queue.stop()
    await receiver.close()
  }
})
