import { parse } from "csv-parse/sync"
import { expect } from "vitest"
import type { Evidence } from "#server/detect/contract.ts"
import { asTenant } from "#server/db/tenant.ts"
import { setManagedTeams } from "#server/team/people.ts"
import { ADMIN } from "../belay.ts"
import type { TestDatabase } from "../db.ts"
import { joinTeam, makeIncident, makeSignal, makeTeam, storeAndCount } from "../factories.ts"
import { expectAccessible, expectGoodOnPhone } from "./axe.ts"
import { test } from "./browser.ts"

const STARTED = new Date("2026-11-17T08:00:00Z")
const HOUR_MS = 3_600_000

function signal(watched: Evidence["watched"], fields: Partial<Evidence> = {}): Evidence {
  const since = STARTED.getTime()
  const figures = { observed: 612, expected: 170, ratio: 3.6, low: 2.9, high: 4.4, units: 340 }
  const rest = { restRatio: 1.02, people: 11, restPeople: 40 }
  return { watched, ...figures, logEvidence: 40, since, ...rest, ...fields }
}

/** Two weeks as expected, then three days of 3.6 times the questions; the rest of the organization as ever. */
const DAILY = Array.from({ length: 18 }, (_, index) => {
  const day = new Date(Date.UTC(2026, 10, 3 + index))
  const isWorkday = day.getUTCDay() % 6 !== 0
  const [expected, factor] = [isWorkday ? 42 : 0.2, index < 14 ? 1 + (index % 3) / 10 : 3.6]
  return {
    day: day.toISOString().slice(0, 10),
    observed: isWorkday ? Math.round(expected * factor) : 0,
    expected,
    restObserved: isWorkday ? 190 + index : 0,
    restExpected: isWorkday ? 195 : 1,
    units: isWorkday ? 85 : 0,
    isSince: index >= 14,
    // Eleven people; on the second day, two.
    marks: !isWorkday ? 0 : index === 1 ? 3 : 2 ** 11 - 1,
    restPeople: 40,
  }
})

/** Payments is asked all the time since a change of policy. */
async function makePermissionIncident(database: TestDatabase, orgId: string, teamId: string): Promise<string> {
  const id = await makeIncident(database, {
    orgId,
    teamId,
    openedAt: new Date(STARTED.getTime() + 5 * HOUR_MS),
    startedAt: STARTED,
    cause: "permission",
    causes: [
      { cause: "permission", share: 0.92, reasons: ["began_before_loss"], exposed: null },
      { cause: "latency", share: 0.08, reasons: [], exposed: null },
    ],
    leading: "prompts",
    evidence: [
      signal("prompts"),
      signal("use", { observed: 96, expected: 155, ratio: 0.62, low: 0.5, high: 0.77, logEvidence: 9, units: 96 }),
      signal("slow", { observed: 41, expected: 30, ratio: 1.37, low: 1.1, high: 1.7, logEvidence: 6 }),
      signal("errors", { observed: 18, expected: 18, ratio: 1, low: 0.7, high: 1.4, logEvidence: 0 }),
    ],
    checks: [
      { check: "telemetry_stopped", result: "excluded", figure: 0, people: null },
      { check: "telemetry_late", result: "excluded", figure: 0.004, people: null },
      { check: "work_mix", result: "excluded", figure: 1.03, people: 11 },
      { check: "slow_week", result: "found", figure: 0.7, people: 11 },
      { check: "climbing", result: "excluded", figure: 1.1, people: 3 },
      { check: "larger_tasks", result: "not_checked", figure: null, people: null },
    ],
    changes: [
      { kind: "agent_version", subject: "codex@0.9.1", at: STARTED.getTime() - 26 * HOUR_MS, fits: false },
      { kind: "policy", subject: "version 14", at: STARTED.getTime() - HOUR_MS, fits: true },
    ],
    daily: DAILY,
    fallbackTo: "chat",
    people: 11,
    peopleAffected: 9,
  })
  await database.owner
    .insertInto("incident_event")
    .values({
      org_id: orgId,
      incident_id: id,
      kind: "opened",
      at: new Date(STARTED.getTime() + 5 * HOUR_MS),
      is_by_detector: true,
      details: { scope: { team: teamId }, cause: "permission", confidence: 0.9 },
      people: 11,
    })
    .execute()
  return id
}

const SENTENCE = new RegExp(
  "^Agent tasks of Payments have asked 3\\.6 times as often since Tue 17 Nov, 08:00; " +
    "9 of 11 people, after the policy change the hour before\\. Probably: permission prompts \\(92 % sure\\)\\.$",
)

/** Dialogs and filters need the page to be taken over by the browser's side of it. */
const TAKEN_OVER = { waitUntil: "networkidle" } as const

test("an incident is found in the list and told in full on its own page", async ({ belay, database, page }) => {
  const teamId = await makeTeam(database, belay.orgId, "Payments")
  const id = await makePermissionIncident(database, belay.orgId, teamId)
  await page.goto("/", TAKEN_OVER)
  await page.getByRole("link", { name: "Incidents" }).click()
  await page.getByText("1 incident not over yet; the newest is at agent: Payments, since Tue 17 Nov, 08:00.").waitFor()
  await page.getByRole("link", { name: SENTENCE }).click()
  await page.waitForURL(`**/incidents/${id}`)
  await page.getByText(SENTENCE).waitFor()
  await page.getByText("612 questions in 340 tasks, 170 expected · 80 % interval").waitFor()
  const titles = await page.getByRole("heading", { level: 2 }).allTextContents()
  expect(titles).toEqual([
    "By day",
    "Why, most likely first",
    "What was ruled out",
    "What changed around then",
    "Where people went instead",
    "What to try",
    "When it is over",
    "Similar before, and what fixed it",
    "History",
    "What was it?",
  ])
  const signals = page.getByRole("table", { name: "Causes and their signals" })
  expect(await signals.getByRole("row").allTextContents()).toEqual([
    expect.stringContaining("Cause"),
    expect.stringMatching(/^permission promptsit began before people turned away92 %Questions asked.*3\.6 times/),
    expect.stringMatching(/^slow answers8 %Slow answers41 of 340 tasks, 30 expected\+37 %/),
    expect.stringMatching(/^the loss itselfUse96 tasks, 155 expected−38 %/),
    expect.stringMatching(/^as expectedErrors/),
  ])
  await page.getByText("FoundPeople worked less at the other rungs too: 70 % of what was expected.").waitFor()
  await page.getByText("Ruled outSignals came in time: under 1 % were more than two hours late.").waitFor()
  await page.getByText("WithheldWork that moved up the ladder: rests on too few people to tell.").waitFor()
  const changes = page.getByRole("table", { name: "Changes around the start" })
  await changes.getByRole("row", { name: /codex 0\.9\.1.*26 hours before does not fit/ }).waitFor()
  await changes.getByRole("row", { name: /policy change \(version 14\).*1 hour before fits/ }).waitFor()
  await page.getByText("over three days comes to at most 1.4 times what is expected").waitFor()
  await page.locator(".recharts-line-curve").first().waitFor()
  await page.getByText("Show as a table").click()
  await page.getByRole("row", { name: "17 Nov 151 42 3.6 1 85" }).waitFor()
})

test("it is acknowledged, labelled, accepted as normal and reopened, by keyboard too", async ({
  belay,
  database,
  page,
}) => {
  const teamId = await makeTeam(database, belay.orgId, "Payments")
  const id = await makePermissionIncident(database, belay.orgId, teamId)
  await page.goto(`/incidents/${id}`, TAKEN_OVER)
  await page.getByRole("button", { name: "Acknowledge" }).focus()
  await page.keyboard.press("Enter")
  await page.getByText(`Acknowledged by ${ADMIN.email}, Fri 20 Nov`).waitFor()
  expect(await page.getByRole("button", { name: "Acknowledge" }).count()).toBe(0)

  await page.getByLabel("Was it real?").selectOption("Real")
  await page.getByRole("combobox", { name: "Cause" }).selectOption("permission prompts")
  await page.getByLabel("Comment").fill("the new rule")
  await page.getByRole("button", { name: "Keep the label" }).click()
  await page.getByRole("list", { name: "Labels" }).getByText("Real · permission prompts · “the new rule”").waitFor()
  await page.getByRole("button", { name: "Change the label" }).waitFor()

  await page.getByRole("button", { name: "Accept as the new normal" }).click()
  await page.getByRole("button", { name: "Accept", exact: true }).click()
  await page.getByText("This is taken for the new normal.").waitFor()
  await page.getByRole("button", { name: "Reopen", exact: true }).click()
  await page.getByRole("button", { name: "Reopen the incident" }).click()
  await page.getByText("Open again.", { exact: true }).first().waitFor()
  const incident = await database.owner.selectFrom("incident").selectAll().executeTakeFirstOrThrow()
  expect(incident).toMatchObject({ state: "open", accepted_at: null })
  const labels = await database.owner.selectFrom("incident_label").selectAll().execute()
  expect(labels).toMatchObject([{ is_real: true, cause: "permission", comment: "the new rule" }])
})

test("a proposed new normal is declined; a note and what helped before are told", async ({ belay, database, page }) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "Payments")
  const fix = { kind: "policy", subject: "version 9", at: STARTED.getTime() - 900 * HOUR_MS }
  const [openedAt, closedAt] = [new Date(fix.at - 99 * HOUR_MS), new Date(fix.at + 9 * HOUR_MS)]
  const id = await makePermissionIncident(database, orgId, teamId)
  await page.goto(`/incidents/${id}`, TAKEN_OVER)
  await page.getByText("No earlier incident at agent with this cause").waitFor()
  const past = { orgId, teamId, state: "recovered", cause: "permission", openedAt, closedAt } as const
  await makeIncident(database, { ...past, recoveredAfter: fix })
  const proposed = { proposed_at: STARTED, proposed_ratio: 3.6, proposed_people: 11 }
  await database.owner.updateTable("incident").set(proposed).where("id", "=", id).execute()

  await page.goto("/incidents", TAKEN_OVER)
  await page.getByText("Proposed as the new normal: it stays at 3.6 times what is expected.").waitFor()
  await page.goto(`/incidents/${id}`, TAKEN_OVER)
  await page.getByText("For 15 working days “questions asked” has stayed at 3.6 times what is expected").waitFor()
  await page.getByText("Same rung and cause, same team").waitFor()
  await page.getByText("Shortly before it got better: the policy change, Sat 10 Oct, 20:00.").waitFor()
  await expectAccessible(page)
  await page.getByRole("button", { name: "Decline" }).click()
  await page.getByText("Declined: it stays open.").waitFor()
  await page.getByText("Not the new normal: the proposal was declined.").waitFor()
  await page.getByRole("button", { name: "Accept as the new normal" }).waitFor()

  await page.getByLabel("Add a note").fill("The rule is too wide.\nIt will be narrowed.")
  await page.getByRole("button", { name: "Add the note" }).click()
  await page.getByText("The rule is too wide. It will be narrowed.").waitFor()
  expect(await page.getByLabel("Add a note").inputValue()).toBe("")
  const tooLong = { intent: "note", text: "x".repeat(2001) }
  expect((await page.request.post(`/incidents/${id}`, { form: tooLong })).status()).toBe(422)
  const events = await database.owner.selectFrom("incident_event").select(["kind", "details"]).execute()
  expect(events.slice(1)).toEqual([
    { kind: "new_normal_declined", details: {} },
    { kind: "note", details: { text: "The rule is too wide.\nIt will be narrowed." } },
  ])
})

test("days and figures of too few people are withheld on the page and in its table", async ({
  belay,
  database,
  page,
}) => {
  const teamId = await makeTeam(database, belay.orgId, "Payments")
  const id = await makePermissionIncident(database, belay.orgId, teamId)
  await page.goto(`/incidents/${id}`, TAKEN_OVER)
  await page.getByText("withheld: rests on fewer than 5 people, or would reveal such a group").first().waitFor()
  await page.getByText("Show as a table").click()
  await page.getByRole("row", { name: "4 Nov withheld withheld withheld withheld withheld", exact: true }).waitFor()
  const few = [signal("prompts", { people: 4 })]
  const other = await makeIncident(database, { orgId: belay.orgId, teamId, leading: "prompts", evidence: few })
  await page.goto(`/incidents/${other}`, TAKEN_OVER)
  await page.getByText(/^Agent tasks of Payments have lost trust since/).waitFor()
  const told = (await page.getByRole("main").textContent()) ?? ""
  expect(told.replaceAll(other, "")).not.toMatch(/612|3\.6/)
  await expectAccessible(page)
  await expectGoodOnPhone(page)
})

test("the list is a file, as it is filtered, of what the viewer may see", async ({ belay, database, page }) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "=Payments")
  await makePermissionIncident(database, orgId, teamId)
  await makeIncident(database, { orgId, rung: "chat", people: 3, cause: "errors" })
  await page.goto("/incidents?cause=permission", TAKEN_OVER)
  const href = await page.getByRole("link", { name: "CSV" }).getAttribute("href")
  expect(href).toBe("/incidents.csv?cause=permission")
  const read = async (path: string) => {
    const response = await page.request.get(path)
    expect(response.headers()["content-type"]).toBe("text/csv; charset=utf-8")
    const rows: Record<string, string>[] = parse(await response.text(), { columns: true })
    return rows
  }
  const [row, ...others] = await read(href ?? "")
  expect(others).toEqual([])
  expect(row).toMatchObject({ team: "'=Payments", rungs: "agent", signal: "prompts", observed_over_expected: "3.6" })
  expect(row?.["summary"]).toMatch(/^Agent tasks of =Payments have asked 3\.6 times as often/)
  const all = await read("/incidents.csv?state=any")
  expect(all.map(({ state, cause }) => [state, cause])).toContainEqual(["withheld", ""])
  expect((await page.request.get("/incidents.csv?team=nowhere")).status()).toBe(404)
})

test("filters and pages are in the address", async ({ belay, database, page }) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "Payments")
  await makePermissionIncident(database, orgId, teamId)
  await makeIncident(database, { orgId, rung: "chat", cause: "latency" })
  await makeIncident(database, { orgId, state: "recovered", closedAt: STARTED, cause: "errors" })
  const note = { orgId, kind: "data_quality", state: "recovered", people: 0, note: "telemetry_late" } as const
  await makeIncident(database, {
    ...note,
    checks: [{ check: "telemetry_stopped", result: "found", figure: 0.31, people: null }],
  })
  await page.goto("/incidents", TAKEN_OVER)
  const rows = page.getByRole("list", { name: "Incidents, newest first" }).getByRole("listitem")
  await expect.poll(() => rows.count()).toBe(2)
  await page.getByLabel("Rung").selectOption("Chat")
  await page.waitForURL(/rung=chat/)
  await expect.poll(() => rows.count()).toBe(1)
  await page.goBack()
  await expect.poll(() => rows.count()).toBe(2)
  await page.getByLabel("Team").selectOption("Payments")
  await page.waitForURL(/team=/)
  await expect.poll(() => rows.count()).toBe(1)
  await page.goto("/incidents?state=recovered&cause=errors", TAKEN_OVER)
  await expect.poll(() => rows.count()).toBe(1)
  await page.goto("/incidents?kind=data_quality", TAKEN_OVER)
  await rows.getByText("31 % of the signals arrived more than two hours late").waitFor()
  await page.goto("/incidents?kind=over_trust", TAKEN_OVER)
  await page.getByRole("link", { name: "Clear the filters" }).click()
  await expect.poll(() => rows.count()).toBe(2)

  for (let index = 0; index < 25; index++) await makeIncident(database, { orgId, cause: "quality" })
  await page.goto("/incidents?cause=quality&state=any", TAKEN_OVER)
  await expect.poll(() => rows.count()).toBe(25)
  expect(await page.getByRole("link", { name: "Older" }).count()).toBe(0)
  await makeIncident(database, { orgId, cause: "quality", openedAt: STARTED })
  await page.reload()
  await page.getByRole("link", { name: "Older" }).click()
  await expect.poll(() => rows.count()).toBe(1)
  await page.getByRole("link", { name: "Newest" }).click()
  await expect.poll(() => rows.count()).toBe(25)
})

test("of a group too small nothing is told but that there is something", async ({ belay, database, page }) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "Payments")
  const id = await makeIncident(database, { orgId, teamId, people: 3, cause: "errors" })
  await page.goto("/incidents", TAKEN_OVER)
  await page.getByRole("link", { name: "See every incident" }).click()
  const rows = page.getByRole("list", { name: "Incidents, newest first" }).getByRole("listitem")
  await rows.getByText("A group too small to show: fewer than 5 people").waitFor()
  expect(await rows.textContent()).not.toMatch(/Payments|errors/)
  await page.goto(`/incidents/${id}`, TAKEN_OVER)
  await page.getByText("A group too small to show: fewer than 5 people.").waitFor()
  expect(await page.getByRole("main").textContent()).not.toMatch(/Payments|errors/)
  expect(await page.getByRole("button", { name: "Acknowledge" }).count()).toBe(0)
  const refused = await page.request.post(`/incidents/${id}`, { form: { intent: "acknowledge" } })
  expect(refused.status()).toBe(404)
  await expectAccessible(page)
})

test("a person's own incident is theirs to see and to close, and nobody else's", async ({
  belay,
  database,
  page,
  openAs,
}) => {
  const { orgId } = belay
  const own = await openAs({ email: "ada@example.com", role: "developer" })
  const ada = await database.owner
    .selectFrom("account")
    .select("developer_id as developerId")
    .where("email", "=", "ada@example.com")
    .executeTakeFirstOrThrow()
  const developerId = ada.developerId ?? ""
  const evidence = [signal("acceptance", { observed: 20, expected: 60, ratio: 0.33, people: 1, restPeople: 4 })]
  const id = await makeIncident(database, {
    orgId,
    developerId,
    people: 1,
    cause: "quality",
    leading: "acceptance",
    evidence,
  })
  await own.goto("/incidents", TAKEN_OVER)
  await own.getByText("Only you see this").waitFor()
  await own.getByRole("link", { name: /^Your agent tasks have been accepted 67 % less often since/ }).click()
  await own.getByRole("button", { name: "Accept as the new normal" }).click()
  await own.getByRole("button", { name: "Accept", exact: true }).click()
  await own.getByText("This is taken for the new normal.").waitFor()
  await expectGoodOnPhone(own)
  await page.goto("/incidents?state=any", TAKEN_OVER)
  await page.getByText("Nothing yet: Belay is still learning what is normal here.").waitFor()
  expect((await page.request.get(`/incidents/${id}`)).status()).toBe(404)
})

test("a manager sees their teams' and no other's; a developer of the team may say what it was and no more", async ({
  belay,
  database,
  openAs,
}) => {
  const { orgId } = belay
  const [payments, search] = [await makeTeam(database, orgId, "Payments"), await makeTeam(database, orgId, "Search")]
  const id = await makePermissionIncident(database, orgId, payments)
  const other = await makeIncident(database, { orgId, teamId: search })
  const manager = await openAs({ email: "manager@example.com", role: "manager" })
  const account = await database.owner
    .selectFrom("account")
    .select("id")
    .where("email", "=", "manager@example.com")
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: STARTED, requestId: "request" }
  await asTenant(database.app, orgId, (tx) => setManagedTeams(tx, { accountId: account.id, teamIds: [payments], by }))
  await manager.goto("/incidents", TAKEN_OVER)
  const rows = manager.getByRole("list", { name: "Incidents, newest first" }).getByRole("listitem")
  expect(await rows.count()).toBe(1)
  expect((await manager.request.get(`/incidents/${other}`)).status()).toBe(404)
  expect((await manager.request.get(`/incidents?team=${search}`)).status()).toBe(404)
  await manager.goto(`/incidents/${id}`, TAKEN_OVER)
  await manager.getByRole("button", { name: "Acknowledge" }).waitFor()

  const developer = await openAs({ email: "ada@example.com", role: "developer" })
  await joinTeam(database, { orgId, person: "ada", teamId: payments, from: "2026-01-01" })
  await developer.goto(`/incidents/${id}`, TAKEN_OVER)
  await developer.getByRole("button", { name: "Keep the label" }).waitFor()
  expect(await developer.getByRole("button", { name: "Acknowledge" }).count()).toBe(0)
  for (const intent of ["acknowledge", "accept", "reopen"]) {
    const refused = await developer.request.post(`/incidents/${id}`, { form: { intent } })
    expect([intent, refused.status()]).toEqual([intent, 403])
  }
  await developer.getByLabel("Was it real?").selectOption("Not real")
  await developer.getByRole("button", { name: "Keep the label" }).click()
  await developer.getByRole("list", { name: "Labels" }).getByText("Not real").waitFor()
})

test("the ladder tells how many incidents are open at a rung, and leads to them", async ({ belay, database, page }) => {
  const { orgId } = belay
  const teamId = await makeTeam(database, orgId, "Payments")
  await storeAndCount(database, orgId, [makeSignal({ rung: "agent", at: new Date(belay.now().getTime() - HOUR_MS) })])
  await makePermissionIncident(database, orgId, teamId)
  await makeIncident(database, { orgId, state: "recovering" })
  await makeIncident(database, { orgId, state: "recovered" })
  await makeIncident(database, { orgId, rung: "chat" })
  await page.goto("/", TAKEN_OVER)
  await page.getByRole("link", { name: "2 incidents at agent" }).click()
  await page.waitForURL(/rung=agent/)
  const rows = page.getByRole("list", { name: "Incidents, newest first" }).getByRole("listitem")
  await expect.poll(() => rows.count()).toBe(2)
  await page.goto(`/?team=${teamId}`, TAKEN_OVER)
  await page.getByRole("link", { name: "1 incident at agent" }).click()
  await expect.poll(() => rows.count()).toBe(1)
})

test("that nothing was found says what it rests on", async ({ belay, database, page }) => {
  const { orgId } = belay
  const dayMs = 24 * HOUR_MS
  await page.goto("/incidents", TAKEN_OVER)
  await page.getByText("0 of 12 days of data are there").waitFor()
  const people = ["ada", "ben", "chen", "dana", "eli", "fay"]
  const signals = [1, 14].flatMap((daysAgo) =>
    people.map((person) => makeSignal({ person, at: new Date(belay.now().getTime() - daysAgo * dayMs) })),
  )
  await storeAndCount(database, orgId, signals)
  await page.reload()
  await page.getByText("Nothing is broken, as far as the signals say.").waitFor()
  await page.getByText("6 people were watched in the last 4 weeks").waitFor()
  await expectAccessible(page)
})

test.for(["light", "dark"] as const)(
  "the pages are accessible in %s",
  async (colorScheme, { belay, database, page }) => {
    const teamId = await makeTeam(database, belay.orgId, "Payments")
    const id = await makePermissionIncident(database, belay.orgId, teamId)
    await page.emulateMedia({ colorScheme })
    for (const path of ["/incidents", `/incidents/${id}`]) {
      await page.goto(path, TAKEN_OVER)
      if (path !== "/incidents") await page.locator(".recharts-line-curve").first().waitFor()
      await expectAccessible(page)
      await expectGoodOnPhone(page)
    }
  },
)
