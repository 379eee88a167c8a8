import { sql } from "kysely"

/** A common table expression: which teams each person was in, and when. */
export const MEMBERSHIP = sql`
  membership as (
    -- A person is in one team a day: where two memberships overlap, in the later one.
    select
      m.developer_id, m.valid_from,
      least(m.valid_to, lead(m.valid_from) over (partition by m.developer_id order by m.valid_from)) as valid_to,
      coalesce(t.parent_team_id, t.id) as top_team_id,
      case when t.parent_team_id is not null then t.id end as sub_team_id
    from team_member m join team t on t.id = m.team_id
  )`
