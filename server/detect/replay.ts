import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { createGunzip } from "node:zlib"
import { type Kysely, sql } from "kysely"
import type { DB, Rung } from "../db/types.ts"
import { maintainPartitions } from "../ingest/partitions.ts"
import { openSignalStore } from "../ingest/signal-store.ts"
import { countAll } from "../rollup/loop.ts"
import { createOrganization } from "../team/bootstrap.ts"
import { identityHash, pseudonymOf } from "../team/pseudonyms.ts"
import { HOUR_MS } from "./arrivals.ts"
import { detectAll } from "./loop.ts"
import {
  identityOf,
  parseEvent,
  type ReplayEvent,
  type ReplayOrganization,
  toChange,
  toReplayedSignal,
  zoneOf,
} from "./replay-events.ts"

/** A database of its own, in which nothing happened yet. */
export interface ReplayDatabase {
  readonly url: string
  readonly owner: Kysely<DB>
  readonly ingest: Kysely<DB>
  readonly worker: Kysely<DB>
}

/** An incident in the names of the data set; times in Unix milliseconds. */
export interface ReplayedIncident {
  readonly id: string
  readonly org: string
  readonly level: Rung
  readonly opened_at: number
  readonly closed_at: number | null
  readonly started_at: number
  readonly scope: {
    readonly team?: string
    readonly dev?: string
    readonly model?: string
    readonly client_version?: string
    readonly lang?: string
  }
  readonly cause: string
  readonly tool: string | null
  readonly fallback_to: Rung | null
  readonly confidence: number
  readonly kind: string
  readonly state: string
}

export interface ReplayedOrganization {
  readonly events: number
  /** Seconds of storing, counting and detecting. */
  readonly spent: { readonly store: number; readonly count: number; readonly detect: number }
  readonly incidents: readonly ReplayedIncident[]
}

/** Events of one organization, in the order in which they came in. */
export async function readEvents(file: string): Promise<readonly ReplayEvent[]> {
  const events: ReplayEvent[] = []
  const lines = createInterface({ input: createReadStream(file).pipe(createGunzip()), crlfDelay: Infinity })
  for await (const line of lines) if (line !== "") events.push(parseEvent(line))
  return events
}

/** Makes the partitions of the days from one instant to another, which may be long ago. */
export async function preparePartitions(worker: Kysely<DB>, { from, to }: { from: number; to: number }): Promise<void> {
  const kept = Math.ceil((to - from) / DAY_MS) + 62
  for (let at = from; at < to + 7 * DAY_MS; at += 7 * DAY_MS) {
    await maintainPartitions(worker, { now: new Date(at), retentionDays: kept })
  }
  const day = (at: number) => new Date(at).toISOString().slice(0, 10)
  const [first, last] = [day(from - 3 * DAY_MS), day(to + 3 * DAY_MS)]
  await sql`select belay_make_rollup_partitions(${first}::date, ${day(from - 31 * DAY_MS)}::date, ${last}::date)`.execute(
    worker,
  )
}

const DAY_MS = 24 * HOUR_MS
const MINUTE_MS = 60_000

interface Replay {
  readonly org: ReplayOrganization
  readonly events: readonly ReplayEvent[]
  readonly strideHours: number
  /** Another detector's. */
  readonly detect?: typeof detectAll
}

/**
 * Lets an organization live through its events as if each came in when it did: they are stored, counted and detected by
 * what does so in Belay, with a clock that goes from the first to the last of them in strides of `strideHours`.
 */
export async function replayOrganization(
  database: ReplayDatabase,
  { org, events, strideHours, detect = detectAll }: Replay,
): Promise<ReplayedOrganization> {
  const orgId = await createOrganization(database.owner, { name: org.org, isDemo: false })
  const people = await enroll(database.owner, orgId, { org, events })
  let now = events[0]?.rx ?? 0
  const store = openSignalStore({ url: database.url, db: database.ingest, now: () => new Date(now) })
  const spent = { store: 0, count: 0, detect: 0 }
  const timed = async (what: keyof typeof spent, work: () => Promise<unknown>) => {
    const startedAt = performance.now()
    await work()
    spent[what] += (performance.now() - startedAt) / 1000
  }
  const zones = new Map()
  const tell = (line: string) => {
    throw new Error(line)
  }
  const hours = Map.groupBy(events, (event) => Math.floor(event.rx / HOUR_MS))
  const first = Math.floor(now / HOUR_MS)
  const end = Math.floor((events.at(-1)?.rx ?? 0) / HOUR_MS) + 1
  try {
    for (let stride = first; stride < end; stride += strideHours) {
      await timed("store", async () => {
        for (let hour = stride; hour < stride + strideHours; hour++) {
          const arrived = hours.get(hour) ?? []
          // All of an hour in one commit, which is dated in the middle of them.
          now = arrived[arrived.length >> 1]?.rx ?? now
          await storeHour(orgId, arrived)
        }
      })
      now = Math.min(stride + strideHours, end) * HOUR_MS + MINUTE_MS
      await timed("count", () => countAll(database.worker, new Date(now)))
      await timed("detect", () => detect({ db: database.worker, now: new Date(now), zones, tell }))
    }
  } finally {
    await store.close()
  }
  return { events: events.length, spent, incidents: await listIncidents(database.owner, { org, orgId, people }) }

  async function storeHour(id: string, arrived: readonly ReplayEvent[]): Promise<void> {
    const changes = arrived.filter((event) => event.type === "change")
    for (const change of changes) {
      await database.ingest.transaction().execute(async (tx) => {
        await sql`set local belay.org_id = ${sql.lit(id)}`.execute(tx)
        await tx
          .insertInto("change")
          .values({
            org_id: id,
            ...toChange(change),
            occurred_at: new Date(change.ts),
            recorded_at: new Date(change.rx),
          })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      })
    }
    const signals = arrived.filter((event) => event.type !== "change").map(toReplayedSignal)
    if (signals.length > 0) await store.store(id, { signals, unrecognized: [] })
  }
}

/** Teams and their members, from the day of their first event in each. Answers whose developer is whose. */
async function enroll(
  owner: Kysely<DB>,
  orgId: string,
  { org, events }: { org: ReplayOrganization; events: readonly ReplayEvent[] },
): Promise<ReadonlyMap<string, string>> {
  const { pseudonym_key: key } = await owner
    .selectFrom("org")
    .select("pseudonym_key")
    .where("id", "=", orgId)
    .executeTakeFirstOrThrow()
  const teams = await owner
    .insertInto("team")
    .values(org.teams.map((team) => ({ org_id: orgId, name: team.team, time_zone: zoneOf(team.utc_offset_h) })))
    .returning(["id", "name"])
    .execute()
  const teamIds = new Map(teams.map((team) => [team.name, team.id]))
  const stays = new Map<string, { team: string; from: string }[]>()
  for (const event of events) {
    if (event.type === "change") continue
    const day = new Date(event.ts).toISOString().slice(0, 10)
    const known = stays.get(event.dev)
    const last = known?.at(-1)
    if (known === undefined) stays.set(event.dev, [{ team: event.team, from: day }])
    // One that comes late does not take the person back.
    else if (last !== undefined && last.team !== event.team && day > last.from) {
      known.push({ team: event.team, from: day })
    }
  }
  const people = new Map<string, string>()
  for (const [dev, memberships] of stays) {
    const hashed = identityHash(key, identityOf(dev))
    const { id } = await owner
      .insertInto("developer")
      .values({ org_id: orgId, pseudonym: pseudonymOf(hashed) })
      .returning("id")
      .executeTakeFirstOrThrow()
    people.set(id, dev)
    await owner
      .insertInto("developer_identity")
      .values({ org_id: orgId, identity_hash: Buffer.from(hashed, "hex"), kind: "user", developer_id: id })
      .execute()
    const rows = memberships.map(({ team, from }, index) => ({
      org_id: orgId,
      developer_id: id,
      team_id: teamIds.get(team) ?? "",
      valid_from: from,
      valid_to: memberships[index + 1]?.from ?? null,
    }))
    await owner.insertInto("team_member").values(rows).execute()
  }
  return people
}

async function listIncidents(
  owner: Kysely<DB>,
  { org, orgId, people }: { org: ReplayOrganization; orgId: string; people: ReadonlyMap<string, string> },
): Promise<readonly ReplayedIncident[]> {
  const rows = await owner
    .selectFrom("incident as i")
    .leftJoin("team as t", "t.id", "i.team_id")
    .selectAll("i")
    .select("t.name as team")
    .where("i.org_id", "=", orgId)
    .orderBy("i.opened_at")
    .orderBy("i.id")
    .execute()
  return rows.map((row) => ({
    id: `${org.org}/${row.id}`,
    org: org.org,
    level: row.rung,
    opened_at: row.opened_at.getTime(),
    closed_at: row.closed_at?.getTime() ?? null,
    started_at: row.started_at.getTime(),
    scope: {
      ...(row.team !== null && { team: row.team }),
      ...(row.developer_id !== null && { dev: people.get(row.developer_id) ?? row.developer_id }),
      ...(row.model !== null && { model: row.model }),
      ...(row.client !== null && { client_version: row.client }),
      ...(row.language !== null && { lang: row.language }),
    },
    cause: row.cause,
    tool: row.action,
    fallback_to: row.fallback_to,
    confidence: row.confidence,
    kind: row.kind,
    state: row.state,
  }))
}
