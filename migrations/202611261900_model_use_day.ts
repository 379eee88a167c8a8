import { type Kysely, sql } from "kysely"

/** What calls of models took by day, which budgets and pages add up for months of thousands of people. */
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
  `create table model_use_day (
     org_id uuid not null,
     day date not null,
     utc_day date not null,
     developer_id uuid not null,
     model_id integer not null,
     provider_id integer not null,
     calls integer not null,
     input_tokens bigint not null,
     output_tokens bigint not null,
     cost_usd numeric(16, 6) not null,
     open_calls integer not null,
     open_input_tokens bigint not null,
     open_cached_tokens bigint not null,
     open_output_tokens bigint not null,
     primary key (org_id, day, developer_id, model_id, provider_id, utc_day)
   )`,
  `comment on table model_use_day is 'Sums of model_use, whose columns it has, by day of the organization''s time zone. Kept 13 months'`,
  `comment on column model_use_day.utc_day is 'the day in UTC, with which prices change: a day has one or two'`,
  `create index model_use_day_developer on model_use_day (org_id, developer_id, day)`,
  ...secure("model_use_day"),
  `grant select on model_use_day to belay_app`,
  `grant select, insert, update, delete on model_use_day to belay_worker`,
  `insert into model_use_day
     select u.org_id, (u.slot at time zone o.time_zone)::date, (u.slot at time zone 'UTC')::date, u.developer_id, u.model_id,
       u.provider_id, sum(u.calls), sum(u.input_tokens), sum(u.output_tokens), sum(u.cost_usd), sum(u.open_calls),
       sum(u.open_input_tokens), sum(u.open_cached_tokens), sum(u.open_output_tokens)
     from model_use u join org o on o.id = u.org_id group by 1, 2, 3, 4, 5, 6`,
]
