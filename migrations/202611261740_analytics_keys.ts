import { type Kysely, sql } from "kysely"

/** Keys that read the organization's figures. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table ingest_key drop constraint ingest_key_scopes_check`.execute(db)
  await sql`
    alter table ingest_key add constraint ingest_key_scopes_check
      check (scopes <> '{}' and scopes <@ array['ingest', 'policy:read', 'analytics:read', 'test'])`.execute(db)
}
