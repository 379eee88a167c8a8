import { type Kysely, sql } from "kysely"

/** The detector's memory in parts, as one value of a large organization's takes several times its size to write. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  // What is remembered is of an older form: the detector learns anew.
  `alter table detector_state drop column data, add column memory_format integer`,
  `comment on column detector_state.memory_format is 'of what is in detector_memory; null while there is nothing'`,
  `create table detector_memory (
     org_id uuid not null references detector_state on delete cascade,
     part integer not null,
     data bytea not null,
     primary key (org_id, part)
   )`,
  `comment on table detector_memory is 'What the detector remembers of an organization, for the holder of the lock on its detector_state'`,
  `alter table detector_memory alter column data set storage external`,
  `alter table detector_memory enable row level security`,
  `create policy tenant on detector_memory to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on detector_memory to belay_worker using (true) with check (true)`,
  `grant select, insert, update, delete on detector_memory to belay_worker`,
]
