import { type Kysely, sql } from "kysely"

/** What calls of models take and cost by the quarter of an hour, prices, and how budgets stand. */
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
  `create table model_use (
     org_id uuid not null,
     slot timestamptz not null,
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
     primary key (org_id, slot, developer_id, model_id, provider_id)
   )`,
  `comment on table model_use is 'Calls of models by person: a rollup, made of the signals alone. Prices are applied when it is read'`,
  `comment on column model_use.slot is
     'the quarter of an hour in which it begins: in every time zone days begin with one. Kept 13 months'`,
  `comment on column model_use.model_id is '0 where the source names none; provider_id likewise'`,
  `comment on column model_use.cost_usd is 'what sources say that calls cost'`,
  `comment on column model_use.open_calls is
     'calls of which the source says no cost, whose tokens the other columns with open_ sum: what the price table is for'`,
  `create index model_use_developer on model_use (org_id, developer_id, slot)`,
  ...secure("model_use"),
  `grant select on model_use to belay_app`,
  `grant select, insert, update, delete on model_use to belay_worker`,
  // Counted anew from the signals that there are, of which the new rollup is made.
  `update rollup_state set needs_rebuild = true`,

  `create table model_price (
     org_id uuid not null references org on delete cascade,
     id uuid not null default gen_random_uuid(),
     model text not null check (char_length(model) between 1 and 80),
     provider text not null check (char_length(provider) between 1 and 80),
     valid_from date not null,
     input_usd numeric(12, 6) check (input_usd >= 0),
     cached_usd numeric(12, 6) check (cached_usd >= 0),
     cache_write_usd numeric(12, 6) check (cache_write_usd >= 0),
     output_usd numeric(12, 6) check (output_usd >= 0),
     changed_at timestamptz not null,
     changed_by uuid references account on delete set null,
     primary key (org_id, id),
     check ((input_usd is null) = (output_usd is null)),
     check (input_usd is not null or num_nonnulls(cached_usd, cache_write_usd) = 0)
   )`,
  `comment on table model_price is
     'Prices that an organization sets, in US dollars per million tokens. Rows are added only; of those of one day the newest counts'`,
  `comment on column model_price.provider is 'canonical; * for every provider'`,
  `comment on column model_price.valid_from is 'from midnight UTC on'`,
  `comment on column model_price.input_usd is 'null: from then on the price that Belay ships counts again'`,
  `comment on column model_price.cached_usd is 'of input tokens that are read from a cache; null takes input_usd'`,
  `create index model_price_model on model_price (org_id, model, provider, valid_from)`,
  ...secure("model_price"),
  `grant select, insert on model_price to belay_app`,

  `create table budget_period (
     org_id uuid not null references org on delete cascade,
     layer_id uuid not null,
     budget_id text not null,
     subject_id uuid not null,
     unit text not null check (unit in ('usd', 'tokens')),
     starts_at timestamptz not null,
     ends_at timestamptz not null,
     spent numeric(20, 6) not null,
     unpriced_tokens bigint not null,
     people integer not null,
     counted_at timestamptz not null,
     primary key (org_id, layer_id, budget_id, subject_id, unit, starts_at)
   )`,
  `comment on table budget_period is 'How a budget stands in a period, as last counted from model_use; who reserves locks its row'`,
  `comment on column budget_period.subject_id is 'whose use it is: the organization, a team or a person'`,
  `comment on column budget_period.unpriced_tokens is 'tokens that no price is known of, and that spent lacks when it is in dollars'`,
  `comment on column budget_period.people is 'whose use it sums: that of fewer than k is not told to others'`,
  ...secure("budget_period"),
  `grant select, insert, update, delete on budget_period to belay_app`,

  `create table budget_reservation (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     layer_id uuid not null,
     budget_id text not null,
     subject_id uuid not null,
     unit text not null,
     starts_at timestamptz not null,
     amount numeric(20, 6) not null check (amount >= 0),
     operation_id text check (char_length(operation_id) <= 128),
     reserved_at timestamptz not null,
     expires_at timestamptz not null,
     settled_at timestamptz,
     primary key (org_id, id, layer_id, budget_id, subject_id)
   )`,
  `comment on table budget_reservation is 'What calls that were let through are thought to take, until their signals are counted'`,
  `comment on column budget_reservation.id is 'of the decision: one reservation for each budget that binds the call'`,
  `comment on column budget_reservation.settled_at is
     'when the signal of the call was counted in model_use; gone once the budget was counted after that'`,
  `create index budget_reservation_budget on budget_reservation (org_id, layer_id, budget_id, subject_id)`,
  `create index budget_reservation_operation on budget_reservation (org_id, operation_id)
     where operation_id is not null and settled_at is null`,
  ...secure("budget_reservation"),
  `grant select, insert, update, delete on budget_reservation to belay_app`,
  `grant select, update (settled_at) on budget_reservation to belay_worker`,

  `create table budget_crossing (
     org_id uuid not null references org on delete cascade,
     layer_id uuid not null,
     budget_id text not null,
     subject_id uuid not null,
     unit text not null,
     starts_at timestamptz not null,
     threshold numeric(5, 4) not null,
     crossed_at timestamptz not null,
     primary key (org_id, layer_id, budget_id, subject_id, unit, starts_at, threshold)
   )`,
  `comment on table budget_crossing is 'When a budget was first seen at a threshold of its limit, 1 being all of it; once a period'`,
  ...secure("budget_crossing"),
  `grant select, insert, delete on budget_crossing to belay_app`,

  `create table model_call_size (
     org_id uuid not null references org on delete cascade,
     model text not null,
     input_tokens bigint not null,
     output_tokens bigint not null,
     counted_at timestamptz not null,
     primary key (org_id, model)
   )`,
  `comment on table model_call_size is 'Tokens of a mean call of a model in the last days, by canonical name: what a call is thought to take'`,
  ...secure("model_call_size"),
  `grant select, insert, update, delete on model_call_size to belay_app`,
]
