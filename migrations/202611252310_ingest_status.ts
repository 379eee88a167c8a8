import { type Kysely, sql } from "kysely"

/** What the way in counted: for each organization and process by the minute, kept for two days. */
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
  `create table ingest_minute (
     org_id uuid not null references org on delete cascade,
     minute timestamptz not null,
     process_id uuid not null,
     requests integer not null,
     signals bigint not null,
     duplicates bigint not null,
     late bigint not null,
     refused jsonb not null,
     rejected jsonb not null,
     folded jsonb not null,
     queue_times integer[] not null,
     commit_times integer[] not null,
     primary key (org_id, minute, process_id)
   )`,
  `comment on column ingest_minute.signals is 'Acknowledged; duplicates of them were there already'`,
  `comment on column ingest_minute.refused is 'Requests by why nothing of them was taken'`,
  `comment on column ingest_minute.rejected is 'Spans, records and points by why they were left out of a request'`,
  `comment on column ingest_minute.folded is 'Signals that carry (other) in place of a name, by the kind of name'`,
  `comment on column ingest_minute.queue_times is 'How often what took how long: server/ingest/times.ts has the classes'`,
  `create index ingest_minute_minute on ingest_minute (minute)`,

  `create table agent_tool_arrival (
     org_id uuid not null references org on delete cascade,
     agent_tool_id integer not null references dimension on delete cascade,
     last_received_at timestamptz not null,
     primary key (org_id, agent_tool_id)
   )`,
  ...secure("ingest_minute"),
  ...secure("agent_tool_arrival"),

  // A process serves every organization, so its row is none's: it is written and read through these functions alone.
  `create table server_process (
     id uuid primary key,
     started_at timestamptz not null,
     seen_at timestamptz not null,
     held_bytes bigint,
     held_bytes_max bigint,
     resident_bytes bigint not null,
     rollup_lag_seconds real,
     unknown_senders bigint not null
   )`,
  `comment on table server_process is 'Processes of Belay; one that ends takes its row along, one that is killed leaves it'`,
  `comment on column server_process.unknown_senders is 'Requests without a key that is known here, since it started'`,
  `create function belay_note_process(of_id uuid, started timestamptz, seen timestamptz, held bigint, held_max bigint,
       resident bigint, lag real, unknown bigint)
     returns void
     language sql security definer set search_path = public
     as $$
       delete from server_process where seen_at < seen - interval '48 hours';
       insert into server_process values (of_id, started, seen, held, held_max, resident, lag, unknown)
       on conflict (id) do update set seen_at = seen, held_bytes = held, held_bytes_max = held_max,
         resident_bytes = resident, rollup_lag_seconds = lag, unknown_senders = unknown
     $$`,
  `create function belay_forget_process(of_id uuid)
     returns void
     language sql security definer set search_path = public
     as $$ delete from server_process where id = of_id $$`,
  `create function belay_list_processes(since timestamptz)
     returns setof server_process
     language sql stable security definer set search_path = public
     as $$ select * from server_process where seen_at >= since order by started_at $$`,
  ...[
    "belay_note_process(uuid, timestamptz, timestamptz, bigint, bigint, bigint, real, bigint)",
    "belay_forget_process(uuid)",
  ].flatMap((signature) => [
    `revoke execute on function ${signature} from public`,
    `grant execute on function ${signature} to belay_worker`,
  ]),
  `revoke execute on function belay_list_processes(timestamptz) from public`,
  `grant execute on function belay_list_processes(timestamptz) to belay_app`,
]
