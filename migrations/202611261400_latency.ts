import { type Kysely, sql } from "kysely"

/** What the page on latency is read from: decisions by how long was waited, and how soon models began to answer. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const secure = (table: string) => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on ${table} to belay_worker using (true) with check (true)`,
  `grant select on ${table} to belay_app`,
  `grant select, insert, update, delete on ${table} to belay_worker`,
]

const STATEMENTS = [
  `create table latency_decision_day (
     org_id uuid not null,
     day date not null,
     developer_id uuid not null,
     rung rung not null,
     agent_tool_id integer not null,
     band smallint not null,
     accepted integer not null,
     presented integer not null,
     primary key (org_id, day, developer_id, rung, agent_tool_id, band)
   )`,
  `comment on table latency_decision_day is
     'What humans decided on operations, by how long those had taken, in the days of developer_day'`,
  `comment on column latency_decision_day.band is 'four buckets of a latency histogram: bucket / 4'`,
  ...secure("latency_decision_day"),

  `create table first_token_day (
     org_id uuid not null,
     day date not null,
     developer_id uuid not null,
     rung rung not null,
     agent_tool_id integer not null,
     model_id integer not null,
     timed integer not null,
     latency_buckets smallint[] not null,
     latency_counts integer[] not null,
     primary key (org_id, day, developer_id, rung, agent_tool_id, model_id)
   )`,
  `comment on table first_token_day is
     'How long suggestions, turns and calls of models took to begin, where a source says so, by day in the organization''s time zone'`,
  `comment on column first_token_day.model_id is '0 for signals without a model'`,
  `comment on column first_token_day.latency_buckets is
     'buckets of the histogram that hold something, ascending; latency_counts has how much'`,
  ...secure("first_token_day"),

  // Counted from signals that were counted before.
  `update rollup_state set needs_rebuild = true`,
]
