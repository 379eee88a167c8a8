import { type Kysely, sql } from "kysely"

/** Attempts counted in the database, so that a limit holds across processes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `create table rate_limit (
     bucket bytea not null,
     window_start timestamptz not null,
     count integer not null,
     primary key (bucket, window_start)
   )`,
  `comment on column rate_limit.bucket is 'SHA-256 of what is limited; who it was is not kept'`,
  // Counted before anybody is signed in, so for no organization: through these functions and in no other way.
  `create function belay_count_attempt(of_bucket bytea, in_window timestamptz, how_many integer)
     returns integer
     language sql security definer set search_path = public
     as $$
       insert into rate_limit (bucket, window_start, count) values (of_bucket, in_window, how_many)
       on conflict (bucket, window_start) do update set count = rate_limit.count + how_many
       returning count
     $$`,
  `create function belay_forget_attempts(before timestamptz)
     returns void
     language sql security definer set search_path = public
     as $$ delete from rate_limit where window_start < before $$`,
  `revoke execute on function belay_count_attempt(bytea, timestamptz, integer) from public`,
  `revoke execute on function belay_forget_attempts(timestamptz) from public`,
  `grant execute on function belay_count_attempt(bytea, timestamptz, integer) to belay_app`,
  `grant execute on function belay_forget_attempts(timestamptz) to belay_worker`,
]
