import { expect } from "vitest"
import { asTenant } from "#server/db/tenant.ts"
import { loadPages } from "#server/pages.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { CAPTURED_AT, INGEST_KEY, startTestBelay } from "../belay.ts"
import { test } from "../db.ts"
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
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: belay.now(), requestId: "request" }
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
  const key = made.ok ? made.key : ""
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
