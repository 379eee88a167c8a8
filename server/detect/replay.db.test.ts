import { sql } from "kysely"
import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { inOnePart } from "../../test/in-one-part.ts"
import { detectAllWith } from "./loop.ts"
import { parseEvent } from "./replay-events.ts"
import { preparePartitions, replayOrganization } from "./replay.ts"
import type { Detector } from "./step.ts"

const MONDAY = Date.parse("2026-03-02T00:00:00Z")
const HOUR_MS = 3_600_000

/** Suggestions of two people, of whom one changes the team on the second day; one is sent twice. */
function makeEvents() {
  const lines: object[] = []
  for (let hour = 8; hour < 60; hour++) {
    for (const dev of ["d01", "d02"]) {
      const ts = MONDAY + hour * HOUR_MS + (dev === "d01" ? 60_000 : 120_000)
      const team = dev === "d01" && hour >= 24 ? "t2" : "t1"
      const event = {
        id: `${dev}-${hour}`,
        ts,
        rx: ts + 1000,
        team,
        dev,
        level: "autocomplete",
        type: "suggestion",
        client: "ide",
        client_version: "ide@1.0",
        model: "swift",
        lang: "py",
        latency_ms: 50,
        outcome: "accepted",
      }
      lines.push(event)
      if (hour === 10) lines.push(event)
    }
  }
  const changed = MONDAY + 30 * HOUR_MS + 180_000
  lines.push({ id: "c1", ts: changed, rx: changed, type: "change", what: "policy", value: "strict" })
  return lines.map((line) => parseEvent(JSON.stringify(line))).toSorted((a, b) => a.rx - b.rx)
}

/** Finds something in the tenth hour, at the first person and team of the roster, and remembers what it saw. */
const tenth: Detector<{ seen: string[] }> = {
  ...inOnePart,
  start: () => ({ seen: [] }),
  observe(state, { until, suggestions, changes, delivery }, roster) {
    const units = suggestions.reduce((sum, cell) => sum + cell.units, 0)
    state.seen.push([units, delivery.duplicates, ...changes.map((change) => change.subject)].join(" "))
    const [team] = roster.teams
    const [cell] = suggestions
    if (until !== MONDAY + 10 * HOUR_MS || team === undefined || cell === undefined) return []
    return [
      {
        id: "00000000-0000-4000-8000-000000000001",
        kind: "breakage",
        rung: "autocomplete",
        alsoRungs: [],
        daily: [],
        state: "open",
        openedAt: until,
        startedAt: until - HOUR_MS,
        startedFrom: until - HOUR_MS,
        startedTo: until,
        closedAt: null,
        reopened: 0,
        scope: { developer: cell.developer, client: cell.client, model: "swift", language: "py" },
        cause: "latency",
        causes: [],
        leading: null,
        evidence: [],
        checks: [],
        changes: [],
        settled: null,
        recoveredAfter: null,
        action: "apply_patch",
        fallbackTo: null,
        people: 1,
        peopleAffected: 1,
        explained: null,
        confidence: 0.75,
        note: null,
      },
    ]
  },
}

test("events are lived through as they came, in whatever strides, and incidents are told in their names", async ({
  database,
}) => {
  const events = makeEvents()
  const end = MONDAY + 60 * HOUR_MS
  await preparePartitions(database.worker, { from: MONDAY, to: end })
  const org = {
    org: "org-1",
    teams: [
      { team: "t1", utc_offset_h: 0 },
      { team: "t2", utc_offset_h: 5.5 },
    ],
  }
  const seen: unknown[] = []
  for (const strideHours of [1, 24]) {
    const replayed = await replayOrganization(database, {
      org: { ...org, org: `org-${strideHours}` },
      events,
      strideHours,
      detect: (options) => detectAllWith(tenth, options),
    })
    expect(replayed.incidents).toEqual([
      {
        id: `org-${strideHours}/00000000-0000-4000-8000-000000000001`,
        org: `org-${strideHours}`,
        level: "autocomplete",
        opened_at: MONDAY + 10 * HOUR_MS,
        closed_at: null,
        started_at: MONDAY + 9 * HOUR_MS,
        scope: { dev: expect.stringMatching(/^d0[12]$/), client_version: "ide@1.0", model: "swift", lang: "py" },
        cause: "latency",
        tool: "apply_patch",
        fallback_to: null,
        confidence: 0.75,
        kind: "breakage",
        state: "open",
      },
    ])
    expect(replayed.events).toBe(107)
    const state = await sql<{ until: Date; data: Buffer }>`
      select observed_until as until, data from detector_state s join org o on o.id = s.org_id
        join detector_memory using (org_id)
      where o.name = ${`org-${strideHours}`}`.execute(database.owner)
    expect(state.rows[0]?.until).toEqual(new Date(end))
    seen.push(state.rows[0]?.data)
  }
  expect(seen[1]).toEqual(seen[0])
  const members = await sql<{ who: string }>`
    select distinct t.name || ' ' || m.valid_from || ' ' || coalesce(m.valid_to::text, '-') as who
    from team_member m join team t on t.id = m.team_id order by 1`.execute(database.owner)
  expect(members.rows.map(({ who }) => who)).toEqual(["t1 2026-03-02 -", "t1 2026-03-02 2026-03-03", "t2 2026-03-03 -"])
  const zones = await sql`select distinct name, time_zone from team order by 1`.execute(database.owner)
  expect(zones.rows).toEqual([
    { name: "t1", time_zone: "UTC" },
    { name: "t2", time_zone: "+05:30" },
  ])
})
