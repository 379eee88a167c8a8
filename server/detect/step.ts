import { setImmediate as nextTurn } from "node:timers/promises"
import { type Kysely, sql, type Transaction } from "kysely"
import type { DB } from "../db/types.ts"
import { HOUR_MS, readNames, takeArrivals } from "./arrivals.ts"
import type { Arrivals, DetectedIncident, Roster } from "./contract.ts"
import { observe } from "./detector.ts"
import { type DetectorState, startDetector } from "./state.ts"
import { type Finding, recordFindings } from "./incident-store.ts"
import { MEMORY_FORMAT, readMemory, saveMemory } from "./memory-store.ts"
import { packState, unpackState } from "./packed-state.ts"
import { readRoster, type Zones } from "./roster.ts"

/** What looks at the hours of an organization, one after the other. */
export interface Detector<State> {
  start(): State
  /** Changes the state. */
  observe(state: State, arrivals: Arrivals, roster: Roster, orgId: string): readonly DetectedIncident[]
  /** The state in the parts in which it is written down, and back. */
  pack(state: State): Iterable<unknown>
  unpack(parts: AsyncIterable<unknown>): Promise<State>
}

export const DETECTOR: Detector<DetectorState> = {
  start: startDetector,
  observe,
  pack: packState,
  unpack: unpackState,
}

export interface Detecting {
  readonly db: Kysely<DB>
  readonly now: Date
  readonly zones: Zones
  readonly tell: (line: string) => void
  /** Organizations whose step failed, which are left alone from then on. */
  readonly failed: Set<string>
}

export interface DetectStep {
  readonly orgId: string
  /** Hours that were observed. */
  readonly hours: number
  /** Incidents that are new or have changed, each as often as they did. */
  readonly findings: number
}

/** Until commits of an hour are seen by everyone, in the ordinary case. */
const GRACE_MS = 60_000
/** What one step takes at most: after a pause it goes on in the next. */
const HOURS_MAX = 24 * 7
const SIGNALS_MAX = 100_000

/**
 * Observes the hours of one organization that are complete and were not observed yet, in one transaction: the queue, the
 * detector's memory and the incidents change together or not at all. Null when no organization has such an hour that
 * nobody else is at. Takes the worker's database.
 *
 * An hour is complete once its end is a minute ago and every signal that was stored before that end is counted. Signals
 * whose commit took longer than that are observed with the next hour.
 */
export function detectNext<State>(detecting: Detecting, detector: Detector<State>): Promise<DetectStep | null> {
  return detecting.db.transaction().execute(async (tx) => {
    const claimed = await claimOrganization(tx, detecting)
    if (claimed === null) return null
    try {
      return await observeHours(tx, claimed, { detecting, detector })
    } catch (error) {
      detecting.failed.add(claimed.orgId)
      throw error
    }
  })
}

async function observeHours<State>(
  tx: Transaction<DB>,
  claimed: Claimed,
  { detecting, detector }: { detecting: Detecting; detector: Detector<State> },
): Promise<DetectStep> {
  const { orgId, timeZone, from } = claimed
  freeMemory()
  const until = await findEnd(tx, claimed)
  const state = await restore(tx, claimed, detector, detecting.tell)
  const roster = await readRoster(tx, { orgId, timeZone, zones: detecting.zones })
  const findings = await observeArrivals(tx, { orgId, from, until }, (arrived) =>
    detector.observe(state, arrived, roster, orgId),
  )
  await recordFindings(tx, orgId, findings)
  await saveMemory(tx, orgId, detector.pack(state))
  await tx
    .updateTable("detector_state")
    .set({ observed_until: new Date(until), memory_format: MEMORY_FORMAT })
    .where("org_id", "=", orgId)
    .execute()
  return { orgId, hours: (until - from) / HOUR_MS, findings: findings.length }
}

/** What `observe` finds in each hour, in order. */
async function observeArrivals(
  tx: Transaction<DB>,
  { orgId, from, until }: { readonly orgId: string; readonly from: number; readonly until: number },
  observeHour: (arrived: Arrivals) => readonly DetectedIncident[],
): Promise<readonly Finding[]> {
  const names = await readNames(tx, orgId)
  const accepted = await readAccepted(tx, orgId)
  const takenAt = (until: number) => ({ orgId, from: until === from + HOUR_MS ? null : until - HOUR_MS, until })
  const findings: Finding[] = []
  for (let at = from + HOUR_MS; at <= until; at += HOUR_MS) {
    const found = observeHour({ ...(await takeArrivals(tx, takenAt(at), names)), accepted })
    for (const incident of found) findings.push({ incident, at })
    freeMemory()
    // Pages are served by the same process.
    await nextTurn()
  }
  return findings
}

/** From here on it shows in the process's memory that what a step read and made is still there. */
const WORTH_FREEING_BYTES = 80e6
/** Less than this is not worth the time that it takes to look through all that is in use. */
const FREED_BYTES = 16e6
/** Of the heap, when it was looked through the last time. */
let inUseBytes = 0

/**
 * Frees what reading and observing hours has left, where Node was started so that it can be asked to (`package.json`): by itself it
 * would wait until there is nearly half as much again of it as of what is in use.
 */
function freeMemory(): void {
  const { heapUsed } = process.memoryUsage()
  inUseBytes = Math.min(inUseBytes, heapUsed)
  if (heapUsed < WORTH_FREEING_BYTES || heapUsed < inUseBytes + FREED_BYTES) return
  globalThis.gc?.()
  inUseBytes = process.memoryUsage().heapUsed
}

/** Gives every organization its row, which whoever takes a step locks. */
export async function addOrganizations(db: Kysely<DB>): Promise<void> {
  await sql`
    insert into detector_state (org_id) select id from org o
    where not exists (select from detector_state s where s.org_id = o.id) on conflict do nothing`.execute(db)
}

interface Claimed {
  readonly orgId: string
  readonly timeZone: string
  /** Start of the first hour that was not observed yet. */
  readonly from: number
  /** Hours before this are complete. */
  readonly horizon: number
  readonly format: number | null
}

async function claimOrganization(tx: Transaction<DB>, { now, failed }: Detecting): Promise<Claimed | null> {
  const claimed = await sql<Claimed>`
    select s.org_id as "orgId", o.time_zone as "timeZone", s.memory_format as format,
      (extract(epoch from due.start) * 1000)::float8 as from, (extract(epoch from due.horizon) * 1000)::float8 as horizon
    from detector_state s
    join org o on o.id = s.org_id
    cross join lateral (
      select
        coalesce(s.observed_until, (select min(arrived_hour) from arrived_delivery d where d.org_id = s.org_id)) as start,
        date_trunc('hour', least(
          ${new Date(now.getTime() - GRACE_MS)}::timestamptz,
          (select to_timestamp(min(batch_id) / 1e6) from signal_batch b where b.org_id = s.org_id)
        )) as horizon
    ) due
    where due.start < due.horizon and s.org_id <> all(${[...failed]}::uuid[])
    order by due.start limit 1
    for update of s skip locked`.execute(tx)
  return claimed.rows[0] ?? null
}

/** Incidents that somebody has said are the new normal. */
async function readAccepted(tx: Transaction<DB>, orgId: string): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom("incident")
    .select("id")
    .where("org_id", "=", orgId)
    .where("accepted_at", "is not", null)
    .execute()
  return rows.map(({ id }) => id)
}

/** As far as one step goes. */
async function findEnd(tx: Transaction<DB>, { orgId, from, horizon }: Claimed): Promise<number> {
  const latest = Math.min(horizon, from + HOURS_MAX * HOUR_MS)
  const waiting = await sql<{ hour: number; signals: number }>`
    select (extract(epoch from arrived_hour) * 1000)::float8 as hour, sum(signals) as signals
    from arrived_delivery
    where org_id = ${orgId}::uuid and arrived_hour < ${new Date(latest)}::timestamptz
    group by arrived_hour order by arrived_hour`.execute(tx)
  let signals = 0
  for (const row of waiting.rows) {
    if (signals > 0 && signals + row.signals > SIGNALS_MAX && row.hour > from) return row.hour
    signals += row.signals
  }
  return latest
}

async function restore<State>(
  tx: Transaction<DB>,
  { orgId, format }: Claimed,
  detector: Detector<State>,
  tell: (line: string) => void,
): Promise<State> {
  if (format === MEMORY_FORMAT) return detector.unpack(readMemory(tx, orgId))
  if (format !== null) {
    tell(`What the detector knew of organization ${orgId} is of another version of Belay. It learns anew.`)
  }
  return detector.start()
}
