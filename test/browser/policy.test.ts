import { expect } from "vitest"
import { asTenant } from "#server/db/tenant.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { makeTeam } from "../factories.ts"
import { expectAccessible, expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

test("an admin writes a rule, tries it, publishes it, clients obey it, and the version before is put in force again", async ({
  belay,
  database,
  page,
}) => {
  const by = { orgId: belay.orgId, actorId: null, actorEmail: null, occurredAt: belay.now(), requestId: "request" }
  const made = await asTenant(database.app, belay.orgId, (tx) =>
    createIngestKey(tx, {
      name: "clients",
      scopes: ["policy:read"],
      teamId: null,
      agentTool: null,
      expiresAt: null,
      by,
    }),
  )
  const decide = async (command: string) => {
    const answer = await fetch(`${belay.url}/v1/decide`, {
      method: "POST",
      headers: { authorization: `Bearer ${made.ok ? made.key : ""}` },
      body: JSON.stringify({ action: { kind: "shell", command } }),
    })
    return ((await answer.json()) as { effect?: string }).effect ?? answer.status
  }
  await page.goto("/policy", { waitUntil: "networkidle" })
  await page.getByText("No policy is in force: agents go by their own settings.").waitFor()
  await expectAccessible(page)
  await page.getByRole("link", { name: "Write the organization's policy" }).click()
  await page.getByRole("button", { name: "Add a rule" }).click()
  await page.getByLabel("Effect").selectOption("deny")
  await page.getByLabel("Pattern").fill("git push --force *")
  await page.getByLabel("Why").fill("History is shared")
  await page.getByLabel("Id", { exact: true }).fill("no-force")

  // The tester and what is looked over follow what is typed.
  const decided = page.getByRole("status", { name: "What is decided" })
  await page.getByLabel("Command").fill("cd /tmp && git push origin main -f")
  await decided.getByText("Denied").waitFor()
  await decided.getByText("no-force").waitFor()
  await page.getByLabel("Command").fill("git status")
  await decided.getByText("Nothing is said of it").waitFor()
  await page.getByRole("button", { name: "Add a rule" }).click()
  await page.getByLabel("Effect").nth(1).selectOption("allow")
  await page.getByLabel("Pattern").nth(1).fill("git push --force origin")
  await page.getByText("“no-force” denies all that it matches").waitFor()
  await page.getByLabel("Pattern").nth(1).fill("")
  await page.getByText("1 thing to put right").waitFor()
  expect(await page.getByRole("button", { name: "Save the draft" }).isDisabled()).toBe(true)
  await page.getByRole("button", { name: "Take out the rule rule-2" }).click()

  // The same as code, and what is wrong with it beside its line.
  await page.getByRole("button", { name: "Code" }).click()
  const code = page.getByLabel("The policy as YAML")
  await code.getByText("no-force").waitFor()
  const write = async (text: string) => {
    await code.click()
    await page.keyboard.press("Control+A")
    await page.keyboard.insertText(text)
  }
  const rule = "permissions:\n  rules:\n    - id: no-force\n      effect: deny\n      action: shell\n"
  const yaml = `schema: belay.policy/1\n${rule}      pattern: git push --force *\n      reason: History is shared\n`
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
  await page.getByText("Deny the command git push --force *, because: History is shared").waitFor()
  await expectAccessible(page)
  expect(await decide("git push --force")).toBe(404)

  await page.getByRole("button", { name: "Publish" }).click()
  await page.getByLabel("What changes, and why").fill("No force pushes")
  await page.getByRole("alertdialog").getByRole("button", { name: "Publish" }).click()
  await page.getByText("Version 1 is in force. Clients").waitFor()
  expect([await decide("git push --force"), await decide("git status")]).toEqual(["deny", "allow"])

  await page.getByRole("link", { name: "Change it" }).click()
  await page.getByLabel("Effect").selectOption("ask")
  await page.getByRole("button", { name: "Save the draft" }).click()
  await page.getByText("Saved as a draft.").waitFor()
  await page.getByRole("link", { name: "To review and publish" }).click()
  await page.getByRole("button", { name: "Publish" }).click()
  await page.getByRole("alertdialog").getByRole("button", { name: "Publish" }).click()
  await page.getByText("Version 2 is in force. Clients").waitFor()
  expect(await decide("git push --force")).toBe("ask")
  await page.getByRole("link", { name: "Compare version 1 with the one in force" }).click()
  await page.getByRole("heading", { name: "From version 1 to version 2" }).waitFor()
  await page.getByRole("button", { name: "Put version 1 in force" }).click()
  await page.getByLabel("Why").fill("People were asked all day")
  await page.getByRole("alertdialog").getByRole("button", { name: "Put in force" }).click()
  await page.getByText("Version 3 is in force. Clients").waitFor()
  await page.getByText("Version 1 again. People were asked all day").waitFor()
  expect(await decide("git push --force")).toBe("deny")
  await page.goto("/audit")
  for (const action of ["policy.publish", "policy.roll_back"]) {
    await page.getByRole("row").filter({ hasText: action }).first().waitFor()
  }
})

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
  for (const path of ["/policy", "/policy/clients", "/policy/native", "/policy/exceptions", "/policy/exceptions/new"]) {
    await page.goto(path, { waitUntil: "networkidle" })
    await expectGoodOnPhone(page)
  }
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
