import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { computeWilsonInterval, type Interval } from "../rungs/wilson.ts"
import { CAUSES } from "./contract.ts"
import { type IncidentViewer, selectFrom } from "./queries.ts"

/** How findings held against what people said of them. */
export interface TrackRecord {
  /** Incidents of which somebody said whether they were real. */
  readonly judged: number
  readonly real: number
  /** Of the share of real ones, 95 %, 0..1; null when none was judged. */
  readonly realInterval: Interval | null
  /** Of the real ones, those of which somebody said which of the causes it was that the detector tells apart. */
  readonly withCause: number
  /** Of those, where the likeliest cause was that one, and where one of the two likeliest was. */
  readonly firstRight: number
  readonly inFirstTwo: number
}

/**
 * Of the incidents that the viewer is shown. The latest word counts: on the incident itself, or else on the alert that told
 * of it. Nothing is tuned by it.
 */
export async function getTrackRecord(
  tx: TenantTx,
  { viewer }: { readonly viewer: IncidentViewer },
): Promise<TrackRecord> {
  const { rows } = await sql<Omit<TrackRecord, "realInterval">>`
    with listed as (${selectFrom(viewer)} where v.is_shown and s.kind <> 'data_quality'),
    said as (
      select coalesce(own.is_real, told.cause <> 'false_alarm') as is_real, coalesce(own.cause, told.cause) as cause,
        l.causes -> 0 ->> 'cause' as first, l.causes -> 1 ->> 'cause' as second
      from listed l
      left join lateral (
        select is_real, cause from incident_label x where x.incident_id = l.id order by at desc limit 1
      ) own on true
      left join lateral (
        select a.cause from alert a
        where a.kind = 'incident' and a.subject = l.id::text and a.cause is not null
        order by a.cause_at desc limit 1
      ) told on true
      where own.is_real is not null or told.cause is not null
    ), known as (
      select *, is_real and cause = any(${CAUSES.filter((cause) => cause !== "unknown")}::text[]) as has_cause from said
    )
    select count(*)::int as judged, (count(*) filter (where is_real))::int as real,
      (count(*) filter (where has_cause))::int as "withCause",
      (count(*) filter (where has_cause and cause = first))::int as "firstRight",
      (count(*) filter (where has_cause and cause in (first, second)))::int as "inFirstTwo"
    from known`.execute(tx)
  const counts = rows[0] ?? { judged: 0, real: 0, withCause: 0, firstRight: 0, inFirstTwo: 0 }
  return { ...counts, realInterval: computeWilsonInterval(counts.real, counts.judged) }
}
