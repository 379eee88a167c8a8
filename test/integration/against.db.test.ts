import { expect } from "vitest"
import { loadPages } from "#server/pages.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { NOT_COMPARABLE } from "#app/lib/against.ts"
import { CAPTURED_AT, openCookie, startTestBelay } from "../belay.ts"
import { test } from "../db.ts"
import { joinTeam, makeSignal, makeTeam, storeAndCount } from "../factories.ts"

const PAGES = ["/", "/usage", "/latency", "/outcomes", "/usage.csv"]
const NOBODYS_ID = "00000000-0000-4000-8000-000000000000"

test("a manager compares with the teams that are theirs to read, and every other is answered like one that never was", async ({
  database,
}) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const { orgId } = belay
  const [checkout, payments, search] = [
    await makeTeam(database, orgId, "Checkout"),
    await makeTeam(database, orgId, "Payments"),
    await makeTeam(database, orgId, "Search"),
  ]
  const account = { orgId, email: "mona@example.org", role: "manager" as const, password: "not used here" }
  const { accountId, userId } = await createAccount(database.owner, account)
  for (const team_id of [checkout, payments]) {
    await database.owner.insertInto("team_manager").values({ org_id: orgId, account_id: accountId, team_id }).execute()
  }
  const cookie = await openCookie(belay, userId)
  const get = async (path: string) => {
    const response = await fetch(`${belay.url}${path}`, { redirect: "manual", headers: { cookie } })
    return { status: response.status, text: await response.text() }
  }
  for (const page of PAGES) {
    const statuses = await Promise.all(
      [payments, search, NOBODYS_ID, "all"].map(async (against) => {
        const { status, text } = await get(`${page}?team=${checkout}&against=${against}`)
        // A file has no page to say it on.
        return status === 404 && !page.endsWith(".csv") ? [status, text.includes(NOT_COMPARABLE)] : status
      }),
    )
    const refused = page.endsWith(".csv") ? 404 : [404, true]
    expect([page, ...statuses]).toEqual([page, 200, refused, refused, refused])
  }
  await belay.close()
})

test("of another team a page tells what that team's own page tells, and withheld is said and no difference made of it", async ({
  database,
}) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const { orgId } = belay
  const members = {
    Checkout: ["ada", "ben", "chen", "dana", "eli", "fay"],
    Payments: ["ira", "jo", "kim", "lee", "max", "nia"],
    // Without a team as small, Payments would be withheld with the small one: it could be told by subtraction.
    Search: ["olu", "pam", "quin", "rob", "sue"],
    Small: ["gus", "hal"],
  }
  const ids = new Map<string, string>()
  for (const [name, people] of Object.entries(members)) {
    const teamId = await makeTeam(database, orgId, name)
    ids.set(name, teamId)
    for (const person of people) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  }
  const at = new Date(CAPTURED_AT.getTime() - 24 * 3_600_000)
  const suggestion = { kind: "suggestion", rung: "autocomplete", origin: "human", at } as const
  const decided = (people: readonly string[], accepted: number, latencyMs: number) =>
    people.flatMap((person) =>
      Array.from({ length: 20 }, (_, index) =>
        makeSignal({ person, ...suggestion, latencyMs, outcome: index < accepted ? "accepted" : "rejected" }),
      ),
    )
  await storeAndCount(database, orgId, [
    ...decided(members.Checkout, 15, 100),
    ...decided(members.Payments, 5, 300),
    ...decided(members.Search, 5, 300),
    ...decided(members.Small, 20, 50),
  ])
  const admin = await database.owner.selectFrom("account").select("user_id").executeTakeFirstOrThrow()
  const cookie = await openCookie(belay, admin.user_id ?? "")
  const read = async (path: string) => {
    const response = await fetch(`${belay.url}${path}`, { headers: { cookie } })
    expect([path, response.status]).toEqual([path, 200])
    // What React leaves between the parts of a text.
    return (await response.text()).replaceAll("<!-- -->", "").replaceAll(/<script[\s\S]*?<\/script>/g, "")
  }
  const [checkout, payments, small] = ["Checkout", "Payments", "Small"].map((name) => ids.get(name) ?? "")

  const ladder = await read(`/?range=1w&team=${checkout}&against=${payments}`)
  expect(ladder).toContain(">+50 pts against Payments<")
  expect(await read(`/?range=1w&team=${payments}&against=${checkout}`)).toContain(">−50 pts against Checkout<")
  const ownPage = /p95 until shown[\s\S]*?>(\d+ ms)</.exec(await read(`/?range=1w&team=${payments}`))?.[1]
  expect(ladder).toContain(`against Payments: ${ownPage}`)
  expect(await read(`/latency?range=1w&team=${checkout}&against=${payments}`)).toContain(`against Payments: ${ownPage}`)

  for (const page of ["/", "/latency"]) {
    const withheld = await read(`${page}?range=1w&team=${checkout}&against=${small}`)
    expect(withheld).toContain("against Small: withheld")
    expect(withheld).not.toMatch(/pts against|against Small: [\d.]/)
  }
  expect(await read(`/?range=1w&team=${small}&against=${checkout}`)).not.toContain("against Checkout")
  expect(await read(`/usage?range=1w&team=${checkout}&against=${small}`)).toContain("against Small: withheld.")
  expect(await read(`/?range=1w&team=${checkout}&against=all`)).toMatch(/\+\d+ pts against all teams/)

  // With itself, and of one's own, there is nothing to compare with.
  for (const search of [`team=${checkout}&against=${checkout}`, "against=all"]) {
    expect(await read(`/?range=1w&${search}`)).not.toContain("against ")
  }
  await belay.close()
})
