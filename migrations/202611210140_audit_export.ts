import { type Kysely, sql } from "kysely"

/** How far each organization's audit log was sent on. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `create table audit_export (
     org_id uuid primary key references org on delete cascade,
     sequence bigint not null default 0,
     hash bytea,
     sent_at timestamptz,
     refused bigint not null default 0,
     failures integer not null default 0,
     error text,
     retry_at timestamptz
   )`,
  `comment on column audit_export.sequence is 'The last entry that the endpoint acknowledged, and in hash its hash'`,
  `comment on column audit_export.refused is 'Entries of those that the endpoint answered it did not keep'`,
  `comment on column audit_export.failures is 'Failed attempts since the last that succeeded'`,
  `alter table audit_export enable row level security`,
  `create policy tenant on audit_export to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on audit_export to belay_worker using (true) with check (true)`,
  `grant select on audit_export to belay_app`,
  `grant select, insert, update on audit_export to belay_worker`,
]
