import { type Kysely, sql } from "kysely"

/** Since when each client goes by which version, so that it can be said how fast a policy reached everyone. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `create table policy_adoption (
     org_id uuid not null,
     client_id text not null,
     adopted_at timestamptz not null,
     version integer,
     primary key (org_id, client_id, adopted_at),
     foreign key (org_id, client_id) references policy_client on delete cascade
   )`,
  `comment on table policy_adoption is 'From when on a client goes by another version than before; null is none'`,
  `alter table policy_adoption enable row level security`,
  `create policy tenant on policy_adoption to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on policy_adoption to belay_worker using (true) with check (true)`,
  `grant select, insert, update (version) on policy_adoption to belay_app`,
  `grant select, delete on policy_adoption to belay_worker`,
]
