import { expect, onTestFinished } from "vitest"
import { startBelay } from "#sdk/belay.ts"
import { systemClock } from "#sdk/clock.ts"
import { type PolicyState, publishedPolicy } from "#sdk/policy/client.ts"
import { asTenant } from "#server/db/tenant.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import type { TestBelay } from "../belay.ts"
import type { TestDatabase } from "../db.ts"
import { makeTeam } from "../factories.ts"
import { expectAccessible, expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

/** As many people as the log tells of. */
const PEOPLE = 5
const everyone = <T>(of: T) => Array.from({ length: PEOPLE }, () => of)

/** An agent of each person, which decides by what is published and reports it. */
async function startFleet(database: TestDatabase, belay: TestBelay) {
  const { orgId, now } = belay
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: now(), requestId: "request" }
  const made = await asTenant(database.app, orgId, (tx) =>
    createIngestKey(tx, {
      name: "agents",
      scopes: ["ingest", "policy:read"],
      teamId: null,
      agentTool: null,
      expiresAt: null,
      by,
    }),
  )
  if (!made.ok) throw new Error(made.reason)
  const agents = Array.from({ length: PEOPLE }, (_, index) => {
    const states: PolicyState[] = []
    const agent = startBelay({
      endpoint: belay.otlpUrl,
      ingestKey: made.key,
      agent: { name: "release-bot", version: "3.2.0" },
      user: `developer-${index}@example.com`,
      spool: false,
      // Time stands still in the test's Belay.
      clock: { ...systemClock, now: () => now().getTime() },
      policy: publishedPolicy({ folder: false, onChange: (state) => states.push(state) }),
      onPrompt: () => Promise.resolve(true),
    })
    onTestFinished(() => void agent.shutdown())
    return { agent, versionOf: () => states.at(-1)?.version ?? null }
  })
  return {
    /** Until everyone goes by this version. */
    async reach(version: number | null): Promise<void> {
      await expect
        .poll(() => agents.map(({ versionOf }) => versionOf()), { timeout: 20_000 })
        .toEqual(everyone(version))
    },
    /** Everyone wants to push once: what was decided, which Belay has counted. */
    async push(): Promise<string[]> {
      const checked = await Promise.all(
        agents.map(({ agent }) =>
          agent.policy.check({
            action: "git push",
            rung: "agent",
            what: { kind: "shell", command: "cd /tmp && git push origin main -f" },
          }),
        ),
      )
      for (const { agent } of agents) expect(await agent.flush()).toEqual({ isComplete: true })
      await belay.count()
      return checked.map(({ decision: { effect, because, ruleId, version } }) =>
        [effect, because, ruleId, version].filter((part) => part !== null).join(" "),
      )
    },
  }
}

test(
  "an admin writes a rule, tries it, publishes it, agents obey it, the log tells, and the version before is put in force again",
  { timeout: 180_000 },
  async ({ belay, database, page }) => {
    const fleet = await startFleet(database, belay)
    await fleet.reach(null)
    // What people were asked while nothing was published is what the dry run goes by.
    expect(await fleet.push()).toEqual(everyone("ask no_policy"))
    await page.goto("/policy", { waitUntil: "networkidle" })
    await page.getByText("No policy is in force: agents go by their own settings.").waitFor()
    await expectAccessible(page)
    await page.getByRole("link", { name: "Write the organization's policy" }).click()
    await page.getByRole("button", { name: "Add a rule" }).click()
    await page.getByLabel("Effect").selectOption("deny")
    await page.getByLabel("Pattern").fill("git push *")
    await page.getByLabel("Why").fill("Releases are pushed by the train")
    await page.getByLabel("Id", { exact: true }).fill("no-push")

    // The tester and what is looked over follow what is typed.
    const decided = page.getByRole("status", { name: "What is decided" })
    await page.getByLabel("Command").fill("cd /tmp && git push origin main -f")
    await decided.getByText("Denied").waitFor()
    await decided.getByText("no-push").waitFor()
    await page.getByLabel("Command").fill("git status")
    await decided.getByText("Nothing is said of it").waitFor()
    await page.getByRole("button", { name: "Add a rule" }).click()
    await page.getByLabel("Effect").nth(1).selectOption("allow")
    await page.getByLabel("Pattern").nth(1).fill("git push --force origin")
    await page.getByText("“no-push” denies all that it matches").waitFor()
    await page.getByLabel("Pattern").nth(1).fill("")
    await page.getByText("1 thing to put right").waitFor()
    expect(await page.getByRole("button", { name: "Save the draft" }).isDisabled()).toBe(true)
    await page.getByRole("button", { name: "Take out the rule rule-2" }).click()

    // The same as code, and what is wrong with it beside its line.
    await page.getByRole("button", { name: "Code" }).click()
    const code = page.getByLabel("The policy as YAML")
    await code.getByText("no-push").waitFor()
    const write = async (text: string) => {
      await code.click()
      await page.keyboard.press("Control+A")
      await page.keyboard.insertText(text)
    }
    const rule = "permissions:\n  rules:\n    - id: no-push\n      effect: deny\n      action: shell\n"
    const yaml = `schema: belay.policy/1\n${rule}      pattern: git push *\n      reason: Releases are pushed by the train\n`
    await write(`${yaml}review:\n  effect: shout\n`)
    await page.getByText("1 thing to put right").waitFor()
    expect(await page.getByRole("button", { name: "Form" }).isDisabled()).toBe(true)
    await write(`${yaml}review:\n  effect: warn\n`)
    await page.getByText("1 thing to put right").waitFor({ state: "detached" })
    await page.getByRole("button", { name: "Form" }).click()
    await page.getByLabel("Changed lines at most").waitFor()
    await expectAccessible(page)
    await page.getByRole("button", { name: "Save the draft" }).click()
    await page.getByText("Saved as a draft.").waitFor()
    await page.getByRole("link", { name: "To review and publish" }).click()
    await page.getByText("Deny the command git push *, because: Releases are pushed by the train").waitFor()
    await expectAccessible(page)

    await page.getByRole("link", { name: "Dry run" }).click()
    await page
      .getByText("stopped 5 calls by 5 people and answered 5 prompts of 5 people with no in the last 7 days.")
      .waitFor()
    await expectGoodOnPhone(page)
    await page.goBack()
    expect(await fleet.push()).toEqual(everyone("ask no_policy"))

    await page.getByRole("button", { name: "Publish" }).click()
    await page.getByLabel("What changes, and why").fill("No pushes by agents")
    await page.getByRole("alertdialog").getByRole("button", { name: "Publish" }).click()
    await page.getByText("Version 1 is in force. Clients").waitFor()
    await fleet.reach(1)
    expect(await fleet.push()).toEqual(everyone("deny rule no-push 1"))

    await page.goto("/decisions", { waitUntil: "networkidle" })
    const denied = page.getByRole("row").filter({ hasText: "Rule no-push of the organization" })
    expect(await denied.getByRole("cell").allInnerTexts()).toEqual([
      "20 Nov",
      "Denied",
      "git push",
      "5",
      "5",
      expect.stringContaining("because: Releases are pushed by the train. Version 1"),
      "release-bot",
      "agent",
    ])
    await expectGoodOnPhone(page)

    await page.goto("/policy/organization", { waitUntil: "networkidle" })
    await page.getByRole("link", { name: "Change it" }).click()
    await page.getByLabel("Effect").selectOption("ask")
    await page.getByRole("button", { name: "Save the draft" }).click()
    await page.getByText("Saved as a draft.").waitFor()
    await page.getByRole("link", { name: "To review and publish" }).click()
    await page.getByRole("button", { name: "Publish" }).click()
    await page.getByRole("alertdialog").getByRole("button", { name: "Publish" }).click()
    await page.getByText("Version 2 is in force. Clients").waitFor()
    await fleet.reach(2)
    expect(await fleet.push()).toEqual(everyone("ask rule no-push 2"))
    await page.getByRole("link", { name: "Compare version 1 with the one in force" }).click()
    await page.getByRole("heading", { name: "From version 1 to version 2" }).waitFor()
    await page.getByRole("link", { name: "As YAML" }).click()
    await page.getByText("1 place where they differ.").waitFor()
    await page.getByLabel("Version 1", { exact: true }).getByText("effect: deny").waitFor()
    const newer = page.getByLabel("Version 2, in force", { exact: true })
    await newer.getByText("effect: ask").waitFor()
    await page.getByRole("button", { name: "Next" }).click()
    expect(await newer.evaluate((element) => element === document.activeElement)).toBe(true)
    await expectGoodOnPhone(page)
    await page.getByRole("button", { name: "Put in force: version 1" }).click()
    await page.getByLabel("Why").fill("People were asked all day")
    await page.getByRole("alertdialog").getByRole("button", { name: "Put in force" }).click()
    await page.getByText("Version 3 is in force. Clients").waitFor()
    await page.getByText("Version 1 again. People were asked all day").waitFor()
    await fleet.reach(3)
    expect(await fleet.push()).toEqual(everyone("deny rule no-push 3"))
    // Agents say what they go by as soon as they do, and are not waited for.
    const versions = () => database.owner.selectFrom("policy_client").select("version").execute()
    await expect.poll(versions, { timeout: 20_000 }).toEqual(everyone({ version: 3 }))
    await page.goto("/policy/clients", { waitUntil: "networkidle" })
    const proven = page.getByRole("row").filter({ hasText: "release-bot 3.2.0" })
    expect(await proven.filter({ hasText: "denied what it must deny" }).count()).toBe(PEOPLE)
    await expectGoodOnPhone(page)
    await page.goto("/audit")
    for (const action of ["policy.publish", "policy.roll_back"]) {
      await page.getByRole("row").filter({ hasText: action }).first().waitFor()
    }
  },
)

test("somebody asks for an exception, another approves it, and it can be ended", async ({ belay, database, page }) => {
  await makeTeam(database, belay.orgId, "Payments")
  await page.goto("/policy/exceptions/new?rule=no-force", { waitUntil: "networkidle" })
  await expectAccessible(page)
  await page.getByLabel("For whom").selectOption("Payments")
  await page.getByLabel("Why it is needed").fill("The release train")
  await page.getByRole("button", { name: "Ask" }).click()
  await page.getByText("0 exceptions count, 1 waits to be decided.").waitFor()
  const row = page.getByRole("row").filter({ hasText: "The release train" })
  // Nobody approves what they asked for themselves.
  expect(await row.getByRole("button", { name: "Approve the exception from no-force" }).count()).toBe(0)
  await database.owner.updateTable("policy_exception").set({ requested_by: null }).execute()
  await page.reload({ waitUntil: "networkidle" })
  await row.getByRole("button", { name: "Approve the exception from no-force" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "Approve" }).click()
  await page.getByText("1 exception counts, 0 wait to be decided.").waitFor()
  await expectGoodOnPhone(page)
  await row.getByRole("button", { name: "End the exception from no-force" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "End it" }).click()
  await row.getByText("ended").waitFor()
})

test("the pages about policies are good on a phone, with a policy and without", async ({ page }) => {
  for (const path of [
    "/policy",
    "/policy/clients",
    "/policy/native",
    "/policy/exceptions",
    "/policy/exceptions/new",
    "/policy/suggestions",
    "/decisions",
    "/decisions/mine",
  ]) {
    await page.goto(path, { waitUntil: "networkidle" })
    await expectGoodOnPhone(page)
  }
  // Of more tabs than fit, the current one is in view, also after going from one to the next.
  await page.setViewportSize({ width: 360, height: 780 })
  await page.goto("/policy/clients")
  for (const name of ["Agents' own files", "Policies"]) {
    await page.getByRole("navigation", { name: "About policies" }).getByRole("link", { name }).click()
    const current = page.getByRole("navigation", { name: "About policies" }).locator('[aria-current="page"]')
    await current.getByText(name).waitFor()
    await expect
      .poll(() =>
        current.evaluate((tab) => [
          tab.getBoundingClientRect().left >= 0,
          tab.getBoundingClientRect().right <= innerWidth,
        ]),
      )
      .toEqual([true, true])
  }
  await page.setViewportSize({ width: 1280, height: 900 })
  await page.goto("/policy/organization/edit", { waitUntil: "networkidle" })
  await page.getByRole("button", { name: "Add a rule" }).click()
  await expectGoodOnPhone(page)
  await page.getByRole("button", { name: "Save the draft" }).click()
  await page.getByRole("link", { name: "To review and publish" }).click()
  await page.getByRole("button", { name: "Publish" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "Publish" }).click()
  await page.getByText("Version 1 is in force. Clients").waitFor()
  for (const path of ["/policy", "/policy/organization", "/policy/native?tool=codex"]) {
    await page.goto(path, { waitUntil: "networkidle" })
    await expectGoodOnPhone(page)
  }
})
