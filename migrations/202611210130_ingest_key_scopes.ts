import { type Kysely, sql } from "kysely"

/** Ingest keys have scopes, may be for one team or agent tool, expire and are replaced. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `alter table ingest_key
     add column scopes text[] not null default '{ingest}'
       check (scopes <> '{}' and scopes <@ array['ingest', 'policy:read', 'test']),
     add column team_id uuid references team on delete set null,
     add column agent_tool text,
     add column created_by text,
     add column expires_at timestamptz,
     add column replaces_id uuid unique references ingest_key on delete set null,
     add constraint ingest_key_stores_or_tests check (not scopes @> array['ingest', 'test'])`,
  `create index ingest_key_team on ingest_key (team_id)`,
  `comment on column ingest_key.created_by is 'The maker''s e-mail address; null for a key that Belay made when it started'`,
  `comment on column ingest_key.replaces_id is 'The key that this one was made from by rotation'`,
  `comment on column ingest_key.agent_tool is 'The only agent tool that may send with it; null for any'`,

  // What the look-up answers has changed, which Postgres takes for another function.
  `drop function belay_ingest_key_by_hash(bytea)`,
  `create function belay_ingest_key_by_hash(wanted bytea)
     returns table (id uuid, org_id uuid, scopes text[], agent_tool text, expires_at timestamptz)
     language sql stable security definer set search_path = public
     as $$
       select k.id, k.org_id, k.scopes, k.agent_tool, k.expires_at from ingest_key k
       where k.key_hash = wanted and k.revoked_at is null
     $$`,
  `create function belay_live_ingest_keys(at timestamptz)
     returns table (key_hash bytea)
     language sql stable security definer set search_path = public
     as $$
       select k.key_hash from ingest_key k
       where k.revoked_at is null and (k.expires_at is null or k.expires_at > at)
     $$`,
  `revoke execute on function belay_ingest_key_by_hash(bytea) from public`,
  `revoke execute on function belay_live_ingest_keys(timestamptz) from public`,
  `grant execute on function belay_ingest_key_by_hash(bytea) to belay_ingest`,
  `grant execute on function belay_live_ingest_keys(timestamptz) to belay_ingest`,
  `grant execute on function belay_count_attempt(bytea, timestamptz, integer) to belay_ingest`,
]
