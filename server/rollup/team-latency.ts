import { type RawBuilder, sql } from "kysely"
import type { Counting } from "./counting.ts"
import { ADD_HISTOGRAM, HISTOGRAM_OF_CELLS } from "./histogram.ts"

const KEY = sql.raw(`rung, agent_tool_id, model_id`)

/** Hours are kept that much longer than minutes: as long as the longest window of an error budget. */
const HOURS_BEFORE_MINUTES = "90 days"

/** Operations of their rung, whose latency objectives are about. */
const IS_OPERATION = sql`bucket is not null
  and (kind, rung) in (('suggestion', 'autocomplete'), ('turn', 'chat'), ('task', 'agent'), ('run', 'orchestration'))`

/**
 * Adds the cells of timed operations to `team_latency_minute` and `team_latency_hour`, by the team that their person was in
 * on their day. That is settled with the first of a person's operations of a day (`counted_team_day`), so that the rollups
 * stay a function of the signals when people are moved.
 */
export async function addTeamLatency(counting: Counting): Promise<void> {
  await settleTeams(counting)
  const minutesFrom = sql`(${`${counting.minutesFrom} 00:00:00+00`}::text)::timestamptz`
  await addTo(counting, "minute", sql`minute >= ${minutesFrom}`)
  await addTo(counting, "hour", sql`minute >= ${minutesFrom} - ${HOURS_BEFORE_MINUTES}::text::interval`)
  await removeEmpty(counting)
}

async function settleTeams({ tx, orgId, timeZone }: Counting): Promise<void> {
  await sql`
    insert into counted_team_day (org_id, day, developer_id, person_id, team_id)
    select ${orgId}::uuid, c.day, c.developer_id, person.id, (
      -- A person is in one team a day: where two memberships overlap, in the later one.
      select m.team_id from team_member m
      where m.org_id = ${orgId}::uuid and m.developer_id = person.id and m.valid_from <= c.day
        and (m.valid_to is null or m.valid_to > c.day)
      order by m.valid_from desc limit 1
    )
    from (
      select distinct (minute at time zone ${timeZone})::date as day, developer_id from counted_cell where ${IS_OPERATION}
    ) c
    cross join lateral (
      select coalesce(max(d.merged_into_id::text)::uuid, c.developer_id) as id from developer d where d.id = c.developer_id
    ) person
    order by c.day, c.developer_id
    on conflict do nothing`.execute(tx)
}

async function addTo(
  { tx, orgId, timeZone }: Counting,
  time: "minute" | "hour",
  condition: RawBuilder<unknown>,
): Promise<void> {
  const table = sql.table(`team_latency_${time}`)
  const [key, at] = [sql`team_id, ${sql.ref(time)}, ${KEY}`, sql`date_trunc(${sql.lit(time)}, minute)`]
  await sql`
    insert into ${table} as r (org_id, ${key}, signals, latency_buckets, latency_counts)
    select ${orgId}::uuid, ${key}, sum(times), ${HISTOGRAM_OF_CELLS}
    from (
      select t.team_id, ${at} as ${sql.ref(time)}, ${KEY}, bucket, sum(times)::integer as times
      from counted_cell c
      join counted_team_day t on t.org_id = ${orgId}::uuid and t.developer_id = c.developer_id
        and t.day = (c.minute at time zone ${timeZone})::date and t.team_id is not null
      where ${IS_OPERATION} and ${condition}
      group by t.team_id, ${at}, ${KEY}, bucket
    ) cell
    group by ${key} order by ${key}
    on conflict (org_id, ${key}) do update set signals = r.signals + excluded.signals, ${ADD_HISTOGRAM}`.execute(tx)
}

/** Rows of which everything was taken back, as counting anew would not make them. Seldom there is anything taken back. */
async function removeEmpty({ tx, orgId }: Counting): Promise<void> {
  const returned = await sql<{ from_at: string | null; to_at: string | null }>`
    select min(observed_at)::text as from_at, max(observed_at)::text as to_at from counted_signal where sign < 0`.execute(
    tx,
  )
  const { from_at: from = null, to_at: to = null } = returned.rows[0] ?? {}
  if (from === null || to === null) return
  for (const time of ["minute", "hour"] as const) {
    await sql`
      delete from ${sql.table(`team_latency_${time}`)} where org_id = ${orgId}::uuid and signals = 0
        and ${sql.ref(time)} between date_trunc(${sql.lit(time)}, (${from}::text)::timestamptz) and (${to}::text)::timestamptz`.execute(
      tx,
    )
  }
}
