import { sql } from "kysely"
import { expect } from "vitest"
import { asTenant } from "#server/db/tenant.ts"
import { loadPages } from "#server/pages.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { CAPTURED_AT, INGEST_KEY, startTestBelay, type TestBelay } from "../belay.ts"
import { test, type TestDatabase } from "../db.ts"
import { joinTeam, makeIncident, makeOrganization, makeSignal, makeTeam, storeAndCount } from "../factories.ts"

const NAMES = ["ladder", "moves", "usage", "latency", "outcomes", "incidents"]
const HOUR_MS = 3_600_000

interface Answer {
  readonly basis: Record<string, unknown>
  readonly rows: readonly Record<string, unknown>[]
}

test("a key reads the figures of the pages as JSON, NDJSON and CSV, without those of small teams, and is told what it did wrong", async ({
  database,
}) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }) })
  const { orgId } = belay
  const checkout = await makeTeam(database, orgId, "Checkout")
  const small = await makeTeam(database, orgId, "=Small")
  const search = await makeTeam(database, orgId, "Search")
  const members = {
    [search]: ["ira", "jo", "kim", "lee", "max"],
    [checkout]: ["ada", "ben", "chen", "dana", "eli", "fay"],
    [small]: ["gus", "hal"],
  }
  const at = new Date(CAPTURED_AT.getTime() - 24 * HOUR_MS)
  for (const [teamId, people] of Object.entries(members)) {
    for (const person of people) await joinTeam(database, { orgId, person, teamId, from: "2026-01-01" })
  }
  const suggestion = { kind: "suggestion", rung: "autocomplete", latencyMs: 100, origin: "human", at } as const
  await storeAndCount(
    database,
    orgId,
    Object.values(members)
      .flat()
      .flatMap((person) => [
        makeSignal({ person, ...suggestion, outcome: "accepted" }),
        makeSignal({ person, ...suggestion, outcome: "rejected" }),
      ]),
  )
  await makeIncident(database, { orgId, teamId: checkout, people: 6, openedAt: at })
  const key = await makeAnalyticsKey(database, belay)
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(`${belay.url}/api/v1/${path}`, { method, headers: { authorization: `Bearer ${key}`, ...headers } })

  for (const name of NAMES) expect([name, (await ask(name)).status]).toEqual([name, 200])
  const ofTeam = (await (await ask(`ladder?team=${checkout}&rung=autocomplete&range=1w`)).json()) as Answer
  expect(ofTeam.basis).toMatchObject({ peopleAtLeast: 6, events: 26, minGroupSize: 5, isComplete: true })
  expect(ofTeam.rows[0]).toMatchObject({
    of: "range",
    rung: "autocomplete",
    developers: 6,
    operations: 12,
    accepted: 6,
    presented: 12,
    acceptance: 0.5,
    volumeState: "shown",
  })
  const withheld = (await (await ask(`ladder?team=${small}&rung=autocomplete&range=1w`)).json()) as Answer
  expect(withheld.rows[0]).toMatchObject({
    volumeState: "withheld",
    developers: null,
    operations: null,
    accepted: null,
  })
  expect(withheld.basis["peopleAtLeast"]).toBeNull()

  const lines = await ask("ladder?range=1w&rung=autocomplete", { accept: "application/x-ndjson" })
  expect([lines.headers.get("belay-events"), lines.headers.get("belay-complete")]).toEqual(["26", "true"])
  const rows = (await lines.text()).trimEnd().split("\n")
  const teams = rows.map((line) => JSON.parse(line) as Record<string, unknown>).filter((row) => row["of"] === "team")
  expect(teams.length).toBeGreaterThan(0)
  expect(teams.filter((row) => row["teamId"] === small && row["volumeState"] === "shown")).toEqual([])
  const file = await ask("incidents", { accept: "text/csv" })
  const [columns, incident] = (await file.text()).split("\r\n")
  expect([file.headers.get("content-type"), columns?.split(",").slice(0, 4)]).toEqual([
    "text/csv; charset=utf-8",
    ["of", "id", "rung", "openedAt"],
  ])
  expect(incident).toMatch(/^incident,[0-9a-f-]{36},/)

  const elsewhere = await makeTeam(database, await makeOrganization(database), "Xanadu")
  const refusals = [
    [await ask("ladder", { authorization: "" }), 401, "unknown_key"],
    [await ask("nothing", { authorization: `Bearer ${INGEST_KEY}` }), 403, "wrong_scope"],
    [await ask("nothing"), 404, "no_such_resource"],
    [await ask(`usage?team=${elsewhere}`), 404, "no_such_team"],
    [await ask("usage?team=x"), 404, "no_such_team"],
    [await ask("usage?rung=agent"), 400, "parameter"],
    [await ask("ladder?rung=ladder"), 400, "parameter"],
    [await ask("ladder?range=2y"), 400, "parameter"],
    [await ask("ladder?from=2026-11-01"), 400, "parameter"],
    [await ask("ladder?from=2026-11-09&to=2026-11-02"), 400, "parameter"],
    [await ask("ladder", { accept: "image/png" }), 406, "format"],
    [await ask("ladder", {}, "POST"), 405, "method"],
  ] as const
  for (const [response, status, code] of refusals) {
    const body = (await response.json()) as Record<string, unknown>
    expect([response.headers.get("content-type"), response.status, body]).toEqual([
      "application/problem+json",
      status,
      expect.objectContaining({ status, code, requestId: response.headers.get("x-request-id") }),
    ])
  }
  await belay.close()
})

test("a key that asks too often is told when to come back", async ({ database }) => {
  const belay = await startTestBelay(database, { pages: loadPages({ isDev: false }), ingestRequestsPerMinute: 2 })
  const headers = { authorization: `Bearer ${await makeAnalyticsKey(database, belay)}` }
  const answers = await Promise.all([1, 2, 3].map(() => fetch(`${belay.url}/api/v1/incidents`, { headers })))
  await belay.close()
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
  const refused = answers.find(({ status }) => status === 429)
  expect([refused?.headers.get("content-type"), refused?.headers.get("retry-after")]).toEqual([
    "application/problem+json",
    expect.stringMatching(/^[1-9]\d*$/),
  ])
  expect(await refused?.json()).toMatchObject({ status: 429, code: "too_many", title: "Too many requests" })
})

test("while the database does not answer a key is asked to come back, and then gets its figures", async ({
  database,
}) => {
  const errors: string[] = []
  const belay = await startTestBelay(database, {
    pages: loadPages({ isDev: false }),
    onError: (message) => errors.push(message),
  })
  const headers = { authorization: `Bearer ${await makeAnalyticsKey(database, belay)}` }
  await sql`revoke select on developer_day from belay_app`.execute(database.owner)
  for (const name of NAMES.filter((one) => !["latency", "outcomes", "incidents"].includes(one))) {
    const refused = await fetch(`${belay.url}/api/v1/${name}`, { headers })
    expect([name, refused.status, refused.headers.get("retry-after")]).toEqual([name, 503, "5"])
    expect(await refused.json()).toMatchObject({ status: 503, code: "unavailable", title: "Service unavailable" })
  }
  expect(errors).toEqual(Array.from({ length: 3 }, () => "analytics not answered"))
  await sql`grant select on developer_day to belay_app`.execute(database.owner)
  expect((await fetch(`${belay.url}/api/v1/ladder`, { headers })).status).toBe(200)
  await belay.close()
})

async function makeAnalyticsKey(database: TestDatabase, { orgId, now }: TestBelay): Promise<string> {
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: now(), requestId: "request" }
  const made = await asTenant(database.app, orgId, (tx) =>
    createIngestKey(tx, {
      name: "warehouse",
      scopes: ["analytics:read"],
      teamId: null,
      agentTool: null,
      expiresAt: null,
      by,
    }),
  )
  if (!made.ok) throw new Error(made.reason)
  return made.key
}
