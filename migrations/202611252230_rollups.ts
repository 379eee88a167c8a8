import { type Kysely, sql } from "kysely"

/**
 * Rollups: what was committed and is not counted yet, what was counted and has changed since, and the tables that
 * pages read in place of signals.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const secure = (table: string, roles: string) => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to ${roles}
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on ${table} to belay_worker using (true) with check (true)`,
]

/** What every rollup of signals counts. Money and times are exact, so that counting again gives the same row. */
const MEASURES = `
  signals integer not null,
  errors integer not null,
  accepted integer not null,
  presented integer not null,
  decided_by_machine integer not null,
  prompts integer not null,
  wait_ms bigint not null,
  duration_ms bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cached_tokens bigint not null,
  cost_usd numeric(16, 6) not null,
  lines_added bigint not null,
  lines_removed bigint not null,
  out_of_scope integer not null`

const STATEMENTS = [
  // Of a fixed width: a byte less in each row, and eight less in the key, whose entries are padded to eights.
  `drop view signal_readable`,
  `alter table signal alter column signal_id type uuid using encode(signal_id, 'hex')::uuid`,
  `alter table signal_occurrence alter column signal_id type uuid using encode(signal_id, 'hex')::uuid`,
  `create view signal_readable with (security_invoker = true) as
     select
       s.org_id, s.developer_id, d.pseudonym as developer, s.observed_at, s.received_at,
       replace(s.signal_id::text, '-', '') as signal_id, s.kind, s.rung,
       s.operation_id, s.parent_operation_id, s.session_id,
       tool.value as agent_tool, version.value as agent_version, s.surface, mode.value as mode, model.value as model,
       provider.value as provider, language.value as language, repository.value as repository,
       s.outcome, s.origin, s.latency_ms, s.duration_ms, s.wait_ms,
       s.input_tokens, s.output_tokens, s.cached_tokens, s.cost_usd,
       s.lines_added, s.lines_removed, s.files_changed, s.tool_calls, s.prompts,
       s.path_scope, s.action, s.error, s.policy_version
     from signal s
     left join developer d on d.id = s.developer_id
     left join dimension tool on tool.id = s.agent_tool_id
     left join dimension version on version.id = s.agent_version_id
     left join dimension mode on mode.id = s.mode_id
     left join dimension model on model.id = s.model_id
     left join dimension provider on provider.id = s.provider_id
     left join dimension language on language.id = s.language_id
     left join dimension repository on repository.id = s.repository_id`,
  `grant select on signal_readable to belay_app, belay_worker`,

  // Who was there before is counted by a rebuild, which needs no batch.
  `alter table signal add column batch_id bigint not null default 0`,
  `alter table signal alter column batch_id set default current_setting('belay.batch_id')::bigint`,
  `comment on column signal.batch_id is
     'the commit that this row came with, microseconds since 1970; a later correction moves the row to its own'`,
  // In the order in which rows come, so that the newest are found without an index entry for each.
  `create index signal_batch_id on signal using brin (batch_id) with (pages_per_range = 32)`,

  `create table signal_batch (
     org_id uuid not null,
     batch_id bigint not null,
     rows integer not null,
     days date[] not null,
     primary key (org_id, batch_id)
   )`,
  `comment on table signal_batch is 'Commits whose signals are not in the rollups yet; written with the signals themselves'`,
  `comment on column signal_batch.days is 'the UTC days of its rows, so that only their partitions are read'`,
  ...secure("signal_batch", "belay_app, belay_ingest"),
  `grant insert on signal_batch to belay_ingest`,
  `grant select on signal_batch to belay_app`,
  `grant select, delete on signal_batch to belay_worker`,

  // The same columns, without what makes sense only for what comes in.
  `create table signal_retraction (like signal)`,
  `alter table signal_retraction add column retracted_by bigint not null`,
  `comment on table signal_retraction is
     'Rows as they were before batch retracted_by changed or replaced them: counted out again when that batch is counted'`,
  `create index signal_retraction_batch on signal_retraction (org_id, retracted_by)`,
  ...secure("signal_retraction", "belay_ingest"),
  `grant select, insert on signal_retraction to belay_ingest`,
  `grant select, delete on signal_retraction to belay_worker`,

  `create table rollup_state (
     org_id uuid primary key references org on delete cascade,
     counted_until timestamptz,
     needs_rebuild boolean not null default true,
     operations_from date not null default '-infinity'
   )`,
  `comment on table rollup_state is 'One row an organization; who counts its signals holds the lock on it'`,
  `comment on column rollup_state.counted_until is 'the commit time of the newest batch that was counted'`,
  `comment on column rollup_state.operations_from is
     'the first day of which all operations are kept; days before cannot be counted again'`,
  ...secure("rollup_state", "belay_app"),
  `grant select, insert on rollup_state to belay_app`,
  `grant update (needs_rebuild) on rollup_state to belay_app`,
  `grant select, insert, update on rollup_state to belay_worker`,
  `insert into rollup_state (org_id) select id from org`,

  `create table signal_minute (
     org_id uuid not null,
     minute timestamptz not null,
     kind signal_kind not null,
     rung rung not null,
     agent_tool_id integer not null,
     model_id integer not null,
     signals integer not null,
     errors integer not null,
     latency_buckets smallint[] not null,
     latency_counts integer[] not null,
     primary key (minute, org_id, kind, rung, agent_tool_id, model_id)
   ) partition by range (minute)`,
  `create table signal_hour (
     org_id uuid not null,
     hour timestamptz not null,
     kind signal_kind not null,
     rung rung not null,
     agent_tool_id integer not null,
     model_id integer not null,
     ${MEASURES},
     latency_buckets smallint[] not null,
     latency_counts integer[] not null,
     primary key (hour, org_id, kind, rung, agent_tool_id, model_id)
   ) partition by range (hour)`,
  `create table latency_hour (
     org_id uuid not null,
     hour timestamptz not null,
     kind signal_kind not null,
     rung rung not null,
     signals integer not null,
     errors integer not null,
     latency_buckets smallint[] not null,
     latency_counts integer[] not null,
     primary key (hour, org_id, kind, rung)
   ) partition by range (hour)`,
  `create table signal_day (
     org_id uuid not null,
     day date not null,
     kind signal_kind not null,
     rung rung not null,
     agent_tool_id integer not null,
     model_id integer not null,
     ${MEASURES},
     latency_buckets smallint[] not null,
     latency_counts integer[] not null,
     primary key (org_id, day, kind, rung, agent_tool_id, model_id)
   )`,
  `create table developer_usage_day (
     org_id uuid not null,
     day date not null,
     developer_id uuid not null,
     rung rung not null,
     agent_tool_id integer not null,
     model_id integer not null,
     ${MEASURES},
     primary key (org_id, day, developer_id, rung, agent_tool_id, model_id)
   )`,
  ...["signal_minute", "signal_hour", "signal_day", "developer_usage_day"].map(
    (table) => `comment on column ${table}.model_id is '0 for signals without a model'`,
  ),
  ...["signal_day", "developer_usage_day"].map(
    (table) => `comment on column ${table}.day is 'in the organization''s time zone'`,
  ),

  `create table operation (
     org_id uuid not null,
     operation_id text not null,
     developer_id uuid not null,
     agent_tool_id integer not null,
     rung rung not null,
     parent_operation_id text,
     started_at timestamptz not null,
     asked_at timestamptz,
     last_at timestamptz not null,
     signals integer not null,
     first_ms real,
     whole_ms real,
     accepted integer not null,
     presented integer not null,
     prompts integer not null,
     primary key (org_id, operation_id)
   )`,
  `comment on table operation is
     'What the signals of one turn, task or run say together. Suggestions are not here: each is one by itself'`,
  `comment on column operation.rung is 'the highest that its own signals prove'`,
  `comment on column operation.asked_at is 'when its prompt was sent, where a signal says so'`,
  `create index operation_parent on operation (org_id, parent_operation_id) where parent_operation_id is not null`,
  `create index operation_developer on operation (org_id, developer_id, started_at)`,
  `create index operation_last_at on operation using brin (last_at)`,

  `create table developer_day (
     org_id uuid not null,
     day date not null,
     developer_id uuid not null,
     rung rung not null,
     agent_tool_id integer not null,
     operations integer not null,
     accepted integer not null,
     presented integer not null,
     prompts integer not null,
     timed integer not null,
     latency_buckets smallint[] not null,
     latency_counts integer[] not null,
     primary key (org_id, day, developer_id, rung, agent_tool_id)
   )`,
  `comment on table developer_day is 'Operations by the day on which they began, in the organization''s time zone'`,
  ...["signal_minute", "signal_hour", "latency_hour", "signal_day", "developer_day"].map(
    (table) =>
      `comment on column ${table}.latency_buckets is 'buckets of the histogram that hold something, ascending; latency_counts has how much'`,
  ),

  ...["signal_minute", "signal_hour", "latency_hour", "signal_day", "developer_usage_day", "operation", "developer_day"]
    .map((table) => [
      ...secure(table, "belay_app"),
      `grant select on ${table} to belay_app`,
      `grant select, insert, update, delete on ${table} to belay_worker`,
    ])
    .flat(),

  `create function belay_latency_bucket(ms real)
     returns smallint
     language sql immutable parallel safe
     as $$ select case when ms is null then null when ms < 1 then 0
       else least(193, 1 + floor(ln(ms::float8) / ln(1.1::float8)))::smallint end $$`,
  `comment on function belay_latency_bucket is
     'Bucket of a latency: 0 below 1 ms, then [1.1^(n-1), 1.1^n) ms for n from 1 on, and 193 from 1.1^192 ms (24.6 h) on'`,
  // Both are in order, so they are merged as they are: several times as quick as grouping them.
  `create function belay_add_histograms(
     a_buckets smallint[], a_counts integer[], b_buckets smallint[], b_counts integer[],
     out buckets smallint[], out counts integer[]
   )
     language plpgsql immutable parallel safe
     as $$
       declare
         a_length integer := coalesce(array_length(a_buckets, 1), 0);
         b_length integer := coalesce(array_length(b_buckets, 1), 0);
         a integer := 1;
         b integer := 1;
         total integer;
       begin
         buckets := '{}';
         counts := '{}';
         while a <= a_length or b <= b_length loop
           if b > b_length or a <= a_length and a_buckets[a] < b_buckets[b] then
             buckets := buckets || a_buckets[a];
             counts := counts || a_counts[a];
             a := a + 1;
           elsif a > a_length or b_buckets[b] < a_buckets[a] then
             buckets := buckets || b_buckets[b];
             counts := counts || b_counts[b];
             b := b + 1;
           else
             total := a_counts[a] + b_counts[b];
             if total <> 0 then
               buckets := buckets || a_buckets[a];
               counts := counts || total;
             end if;
             a := a + 1;
             b := b + 1;
           end if;
         end loop;
       end
     $$`,

  // Only the owner of a partitioned table may add or drop its partitions, and only that of an index may summarize it.
  `create function belay_make_rollup_partitions(minutes_from date, hours_from date, last_day date)
     returns void
     language plpgsql security definer set search_path = public
     as $$
       declare
         day date;
         month date;
         name text;
         parent text;
       begin
         perform pg_advisory_xact_lock(hashtext('belay_rollup_partitions'));
         for day in select generate_series(minutes_from, last_day, interval '1 day')::date loop
           name := 'signal_minute_' || to_char(day, 'YYYYMMDD');
           if to_regclass(name) is null then
             execute format('create table %I partition of signal_minute for values from (%L) to (%L)', name,
               to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
           end if;
         end loop;
         for month in
           select generate_series(date_trunc('month', hours_from), date_trunc('month', last_day), interval '1 month')::date
         loop
           foreach parent in array array['signal_hour', 'latency_hour'] loop
             name := parent || '_' || to_char(month, 'YYYYMM');
             if to_regclass(name) is null then
               execute format('create table %I partition of %I for values from (%L) to (%L)', name, parent,
                 to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
                 to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
             end if;
           end loop;
         end loop;
       end
     $$`,
  `create function belay_drop_rollup_partitions(minutes_before date, hours_before date)
     returns integer
     language plpgsql security definer set search_path = public
     as $$
       declare
         partition record;
         dropped integer := 0;
       begin
         perform pg_advisory_xact_lock(hashtext('belay_rollup_partitions'));
         for partition in
           select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = 'signal_minute'::regclass
               and c.relname < 'signal_minute_' || to_char(minutes_before, 'YYYYMMDD')
             or i.inhparent = 'signal_hour'::regclass
               and c.relname < 'signal_hour_' || to_char(hours_before, 'YYYYMM')
             or i.inhparent = 'latency_hour'::regclass
               and c.relname < 'latency_hour_' || to_char(hours_before, 'YYYYMM')
         loop
           execute format('drop table %I', partition.relname);
           dropped := dropped + 1;
         end loop;
         return dropped;
       end
     $$`,
  `create function belay_summarize_signal_batches(days date[])
     returns void
     language plpgsql security definer set search_path = public
     as $$
       declare
         day date;
         summarized regclass;
       begin
         foreach day in array days loop
           select i.indexrelid::regclass into summarized
           from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am am on am.oid = c.relam
           where i.indrelid = to_regclass('signal_' || to_char(day, 'YYYYMMDD')) and am.amname = 'brin';
           if summarized is not null then
             perform brin_summarize_new_values(summarized);
           end if;
         end loop;
       end
     $$`,
  ...[
    "belay_make_rollup_partitions(date, date, date)",
    "belay_drop_rollup_partitions(date, date)",
    "belay_summarize_signal_batches(date[])",
  ].flatMap((signature) => [
    `revoke execute on function ${signature} from public`,
    `grant execute on function ${signature} to belay_worker`,
  ]),
  `do $$ begin
     execute format('grant temporary on database %I to belay_worker', current_database());
   end $$`,

  // What is in the tables that grow, for the settings page. Of the whole installation, hence nothing of anybody's.
  `create function belay_table_sizes()
     returns table (name text, part text, bytes bigint, row_estimate bigint)
     language sql stable security definer set search_path = public
     as $$
       select parent.relname::text, substring(part.relname from '[0-9]+$'),
         pg_total_relation_size(coalesce(part.oid, parent.oid)),
         nullif(coalesce(part.reltuples, parent.reltuples), -1)::bigint
       from pg_class parent
       left join pg_inherits i on i.inhparent = parent.oid
       left join pg_class part on part.oid = i.inhrelid
       where parent.relnamespace = 'public'::regnamespace
         and parent.relname in ('signal', 'signal_occurrence', 'signal_minute', 'signal_hour', 'latency_hour',
           'signal_day', 'developer_usage_day', 'developer_day', 'operation')
     $$`,
  `revoke execute on function belay_table_sizes() from public`,
  `grant execute on function belay_table_sizes() to belay_app`,
]
