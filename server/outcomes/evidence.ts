import { sql } from "kysely"

/** What says whose agent work is in a change, the best first. */
export const EVIDENCE = ["trailer", "commit_id", "session", "author_time"] as const
export type Evidence = (typeof EVIDENCE)[number]

/**
 * A trailer and a commit's id say it themselves, and are joined for good. The others are concluded: they hold until better
 * evidence says otherwise, and no signals are made of them.
 */
export function isFirm(column: string) {
  return sql<boolean>`${sql.ref(column)} in ('trailer', 'commit_id')`
}

/**
 * Of a change `c`, where its best evidence stands, counted from 1: of operations that Belay has heard of, if there are such.
 * Null of one that is joined to nothing.
 */
export const BEST_EVIDENCE = sql`
  select coalesce(min(place) filter (where is_heard_of), min(place)) as best, bool_or(is_heard_of) as is_heard_of
  from (
    select ${placeOfEvidence("o.evidence")} as place,
      exists (select from operation p where p.org_id = o.org_id and p.operation_id = o.operation_id)
        or exists (select from joined_operation j where j.org_id = o.org_id and j.operation_id = o.operation_id) as is_heard_of
    from change_operation o
    where (o.org_id, o.provider, o.repository, o.number) = (c.org_id, c.provider, c.repository, c.number)
  ) said`

/** Where a piece of evidence stands in `EVIDENCE`. */
export function placeOfEvidence(column: string) {
  return sql`array_position(${sql.lit(`{${EVIDENCE.join()}}`)}::text[], ${sql.ref(column)})`
}
