import { type Kysely, sql } from "kysely"

/** Latency by team, for objectives that are of one. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const secure = (table: string) => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on ${table} to belay_worker using (true) with check (true)`,
]

const rollup = (table: string, time: string) => [
  `create table ${table} (
     org_id uuid not null,
     team_id uuid not null,
     ${time} timestamptz not null,
     rung rung not null,
     agent_tool_id integer not null,
     model_id integer not null,
     signals integer not null,
     latency_buckets smallint[] not null,
     latency_counts integer[] not null,
     primary key (org_id, team_id, ${time}, rung, agent_tool_id, model_id)
   )`,
  `comment on column ${table}.team_id is 'as counted_team_day says; a team''s are not those of its sub-teams'`,
  `comment on column ${table}.model_id is '0 for signals without a model'`,
  `comment on column ${table}.latency_buckets is
     'buckets of the histogram that hold something, ascending; latency_counts has how much'`,
  `create index ${table}_${time} on ${table} using brin (${time})`,
  ...secure(table),
  `grant select on ${table} to belay_app`,
  `grant select, insert, update, delete on ${table} to belay_worker`,
]

const STATEMENTS = [
  ...rollup("team_latency_minute", "minute"),
  `comment on table team_latency_minute is 'How long the operations of a rung took, by team; of the last two days'`,
  ...rollup("team_latency_hour", "hour"),
  `comment on table team_latency_hour is 'How long the operations of a rung took, by team; as long as a window of an error budget may be'`,

  `create table counted_team_day (
     org_id uuid not null,
     day date not null,
     developer_id uuid not null,
     person_id uuid not null,
     team_id uuid,
     primary key (org_id, day, developer_id)
   )`,
  `comment on table counted_team_day is
     'Whose team a developer''s latency of a day counts to, as it was when the first of that day was counted: what is changed of it later counts from the next day on. No rollup, and not made anew'`,
  `comment on column counted_team_day.person_id is 'who the developer was found to be'`,
  `comment on column counted_team_day.team_id is 'null for a person in no team'`,
  ...secure("counted_team_day"),
  `grant select on counted_team_day to belay_app`,
  `grant select, insert, delete on counted_team_day to belay_worker`,

  `alter table latency_objective add column team_id uuid references team on delete cascade`,
  `comment on column latency_objective.team_id is 'with its sub-teams; null for everybody'`,

  `update alert set facts = facts || '{"teamId": null, "teamName": null}' where kind = 'latency'`,

  `update rollup_state set needs_rebuild = true`,
]
