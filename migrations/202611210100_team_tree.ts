import { type Kysely, sql } from "kysely"

/** Teams form a tree two levels deep. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `alter table team
     add column parent_team_id uuid,
     add column is_top_level boolean not null generated always as (parent_team_id is null) stored,
     add column parent_is_top_level boolean not null generated always as (true) stored`,
  `comment on column team.parent_team_id is 'the top-level team of which this is a part; null for a top-level team'`,
  `comment on column team.parent_is_top_level is 'makes the foreign key refuse a third level'`,
  `alter table team add constraint team_in_level unique (org_id, id, is_top_level)`,
  // A key and not a trigger, so that two moves at the same time cannot make a third level between them. Deleting a
  // team that has parts is refused: they would become top-level teams, and past figures would change.
  `alter table team add constraint team_parent_is_top_level
     foreign key (org_id, parent_team_id, parent_is_top_level) references team (org_id, id, is_top_level)`,
  `create index team_parent on team (parent_team_id)`,
]
