import { type Kysely, sql } from "kysely"

/** The audit log: append-only by privilege, chained by hash within each organization. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `create table audit_event (
     org_id uuid not null references org on delete cascade,
     sequence bigint not null,
     occurred_at timestamptz not null,
     actor_id uuid,
     actor_email text,
     action text not null,
     target_kind text not null,
     target_id text,
     before jsonb,
     after jsonb,
     reason text,
     request_id text not null,
     previous_hash bytea not null,
     hash bytea not null,
     primary key (org_id, sequence)
   )`,
  `comment on column audit_event.hash is
     'SHA-256 over the previous entry''s hash and this entry; server/audit/entry.ts says how'`,
  `alter table audit_event enable row level security`,
  `create policy tenant on audit_event to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on audit_event to belay_worker using (true)`,
  // Neither role may update or delete.
  `grant select, insert on audit_event to belay_app`,
  `grant select on audit_event to belay_worker`,
]
