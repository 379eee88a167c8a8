import { sql } from "kysely"
import type { TenantTx } from "../db/tenant.ts"
import { isFirm } from "./evidence.ts"
import { noteNews } from "./news.ts"
import { isTaskRung } from "./placed-work.ts"

/** Of the same change. */
const KEY = sql`provider, repository, number`

/**
 * Concludes of the operations that neither a trailer nor a commit joins to a change, which change their work is in:
 *
 * - `session`: a trailer of the change names their session, and an operation that Belay has not heard of (hooks of some
 *   tools know another id than their telemetry); or their session was on the change's branch meanwhile. A trailer says more
 *   than a branch, and both say more than either.
 * - `author_time`: the one person who made the change's commits is theirs, they were in its repository, and between its
 *   first commit and its end. Only of a merged change that nothing else joins to an operation.
 *
 * What fits several changes equally is joined to none. All is concluded anew from what is known now, so that the order in
 * which it came means nothing: joins that no longer hold are taken back, but for those of operations that are kept no
 * more. Returns how many were made or taken back.
 */
export async function concludeJoins(
  tx: TenantTx,
  { orgId, now }: { readonly orgId: string; readonly now: Date },
): Promise<number> {
  const found = await sql<{ changed: number }>`
    with task as not materialized (
      select operation_id, session_id, developer_id, started_at, last_at,
        case when repository_id = other_repository_id then repository_id end as repository_id
      from operation p
      where ${isTaskRung("p.rung")} and not exists (
        select from change_operation f where f.operation_id = p.operation_id and ${isFirm("f.evidence")}
      )
    ), fit as (
      select ${KEY}, operation_id, sum(points) as points
      from (
        select distinct ${KEY}, t.operation_id, 2 as points
        from change_operation o join change_request c using (org_id, ${KEY})
        join task t on t.session_id = o.session_id
        where t.started_at <= coalesce(c.closed_at, 'infinity') and not ${isHeardOf("o.operation_id")}
        union all
        select distinct ${KEY}, t.operation_id, 1
        from session_branch b join change_request c on c.org_id = b.org_id and c.branch = b.branch
        join task t on t.session_id = b.session_id and t.started_at <= b.last_at and t.last_at >= b.first_at
        where t.started_at <= coalesce(c.closed_at, 'infinity') and t.last_at > coalesce((
          -- A branch may be of a change before.
          select max(e.closed_at) from change_request e
          where (e.org_id, e.provider, e.repository, e.branch) = (c.org_id, c.provider, c.repository, c.branch)
            and e.number <> c.number and e.closed_at < c.opened_at
        ), '-infinity')
      ) sign group by ${KEY}, operation_id
    ), by_session as (
      select ${KEY}, operation_id from (
        select *, rank() over (partition by operation_id order by points desc) as place,
          count(*) over (partition by operation_id, points) as equals
        from fit
      ) ranked where place = 1 and equals = 1
    ), authored as (
      select ${KEY}, c.merged_at, c.begun_at, coalesce(c.merged_at, c.closed_at, 'infinity') as ended_at, (
        select max(coalesce(d.merged_into_id, d.id)::text)::uuid
        from unnest(c.authors) author (hash)
        left join developer_identity i on i.identity_hash = decode(author.hash, 'hex')
        left join developer d on d.id = i.developer_id
        having count(distinct coalesce(d.merged_into_id, d.id)) = 1 and bool_and(d.id is not null)
      ) as person_id
      from change_request c
      where c.authors <> '{}' and c.begun_at is not null
        and coalesce(c.merged_at, c.closed_at, 'infinity') >= (select max(operations_from) - 3 from rollup_state)
    ), by_author as (
      select ${KEY}, t.operation_id, a.merged_at, count(*) over (partition by t.operation_id) as changes
      from authored a
      join developer d on d.id = a.person_id or d.merged_into_id = a.person_id
      join task t on t.developer_id = d.id and t.started_at <= a.ended_at and t.last_at >= a.begun_at
      join dimension r on r.id = t.repository_id and r.kind = 'repository' and r.value = a.repository
      where not exists (select from fit f where f.operation_id = t.operation_id)
    ), wanted as (
      select ${KEY}, operation_id, 'session' as evidence from by_session
      union all
      select ${KEY}, operation_id, 'author_time' from by_author w
      where changes = 1 and merged_at is not null
        and not exists (select from by_session s where (s.provider, s.repository, s.number) = (w.provider, w.repository, w.number))
        and not exists (
          select from change_operation o
          where (o.provider, o.repository, o.number) = (w.provider, w.repository, w.number)
            and ${isFirm("o.evidence")} and ${isHeardOf("o.operation_id")}
        )
    ), taken_back as (
      delete from change_operation o
      where not ${isFirm("o.evidence")} and exists (select from operation p where p.operation_id = o.operation_id)
        and not exists (
          select from wanted w where (w.provider, w.repository, w.number, w.operation_id, w.evidence)
            = (o.provider, o.repository, o.number, o.operation_id, o.evidence)
        )
      returning 1
    ), made as (
      insert into change_operation (org_id, ${KEY}, operation_id, evidence, joined_at)
      select ${orgId}::uuid, ${KEY}, operation_id, evidence, ${now}::timestamptz from wanted
      on conflict do nothing returning 1
    )
    select ((select count(*) from taken_back) + (select count(*) from made))::int as changed`.execute(tx)
  const changed = found.rows[0]?.changed ?? 0
  if (changed > 0) await noteNews(tx, orgId)
  return changed
}

/** Whether signals of an operation are or were known. */
function isHeardOf(column: string) {
  return sql`(exists (select from operation p where p.operation_id = ${sql.ref(column)})
    or exists (select from joined_operation j where j.operation_id = ${sql.ref(column)}))`
}
