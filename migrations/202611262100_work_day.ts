import { type Kysely, sql } from "kysely"

/** Work by agent tool, mode, language and model, with what it took, by person and day; and tasks whose tool calls went in circles. */
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

const STATEMENTS = [
  `alter table operation
     add column mode_id integer,
     add column other_mode_id integer,
     add column language_id integer,
     add column other_language_id integer,
     add column tokens bigint not null default 0,
     add column tool_calls_failed integer not null default 0`,
  `comment on column operation.mode_id is 'the lowest id of the modes that its signals name, and other_mode_id the highest: the same where it is one'`,
  `comment on column operation.language_id is 'as mode_id, of languages'`,
  `comment on column operation.tokens is 'input and output of its calls'`,
  `comment on column operation.tool_calls_failed is 'of tool_calls_seen'`,
  `create table work_day (
     org_id uuid not null,
     day date not null,
     utc_day date not null,
     developer_id uuid not null,
     rung rung not null,
     agent_tool_id integer not null,
     model_id integer not null,
     provider_id integer not null,
     mode_id integer not null,
     language_id integer not null,
     is_loop boolean not null,
     operations integer not null,
     with_tools integer not null,
     calls integer not null,
     tokens bigint not null,
     cost_usd numeric(16, 6) not null,
     open_input_tokens bigint not null,
     open_cached_tokens bigint not null,
     open_output_tokens bigint not null,
     primary key (org_id, day, developer_id, rung, agent_tool_id, model_id, provider_id, mode_id, language_id, is_loop, utc_day)
   )`,
  `comment on table work_day is 'operations by the day on which they began and all that they are known by'`,
  `comment on column work_day.day is 'in the organization''s time zone'`,
  `comment on column work_day.utc_day is 'the day in UTC, with which prices change'`,
  `comment on column work_day.model_id is 'of calls; 0 where sources name none, -1 where an operation has several; provider_id, mode_id and language_id likewise'`,
  `comment on column work_day.is_loop is 'whether their tool calls went in circles'`,
  `comment on column work_day.operations is 'without the parts of others, whose calls and tools are counted'`,
  `comment on column work_day.with_tools is 'operations and parts with a tool call that has a signal of its own'`,
  `comment on column work_day.calls is 'of models, each once'`,
  `comment on column work_day.open_input_tokens is 'of calls of which the source gives no cost, as in model_use'`,
  `create index work_day_developer on work_day (org_id, developer_id, day)`,
  ...secure("work_day"),
  `grant select on work_day to belay_app`,
  `grant select, insert, update, delete on work_day to belay_worker`,
  // Counted from signals that were counted before.
  `update rollup_state set needs_rebuild = true`,
]
