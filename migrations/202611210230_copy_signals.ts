import { type Kysely, sql } from "kysely"

/**
 * Signals come in by COPY, straight into the partition of their day. Postgres refuses COPY into a table with row-level
 * security, and partitions have none of their own: what keeps an organization to itself there is that the ingest role
 * may write every column but the organization's, which is the one that the transaction is for.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  // Of the partitions that there are, as well.
  `alter table signal alter column org_id set default current_setting('belay.org_id')::uuid`,

  `create function belay_grant_signal_copy(partition regclass)
     returns void
     language plpgsql set search_path = public
     as $$
       begin
         execute format('grant insert (%s) on %s to belay_ingest', (
           select string_agg(quote_ident(attname), ', ') from pg_attribute
           where attrelid = partition and attnum > 0 and not attisdropped and attname <> 'org_id'
         ), partition);
       end
     $$`,
  `revoke execute on function belay_grant_signal_copy(regclass) from public`,
  `do $$ begin
     perform belay_grant_signal_copy(inhrelid::regclass) from pg_inherits where inhparent = 'signal'::regclass;
   end $$`,
  `create or replace function belay_make_signal_partitions(first_day date, last_day date)
     returns integer
     language plpgsql security definer set search_path = public
     as $$
       declare
         day date;
         name text;
         made integer := 0;
       begin
         perform pg_advisory_xact_lock(hashtext('belay_signal_partitions'));
         for day in select generate_series(first_day, last_day, interval '1 day')::date loop
           name := 'signal_' || to_char(day, 'YYYYMMDD');
           if to_regclass(name) is null then
             execute format('create table %I partition of signal for values from (%L) to (%L)', name,
               to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
             perform belay_grant_signal_copy(name::regclass);
             made := made + 1;
           end if;
         end loop;
         return made;
       end
     $$`,

  // Rows that may be there already go through a temporary table. It is what everybody may, unless someone took it away.
  `do $$ begin
     execute format('grant temporary on database %I to belay_ingest', current_database());
   end $$`,
]
