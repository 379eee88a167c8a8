import { type Kysely, sql } from "kysely"

/** Pages with their filters that people keep under a name. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `create table saved_view (
     org_id uuid not null references org on delete cascade,
     id uuid not null default gen_random_uuid(),
     account_id uuid not null references account on delete cascade,
     name text not null check (char_length(name) between 1 and 60),
     path text not null check (path like '/%' and path not like '//%' and char_length(path) <= 1000),
     is_shared boolean not null,
     saved_at timestamptz not null,
     primary key (org_id, id)
   )`,
  `comment on table saved_view is 'Where a page with its filters is: no figures. Whoever opens one sees what they may see there'`,
  `comment on column saved_view.account_id is 'whose it is; others see it while it is shared'`,
  `create unique index saved_view_name on saved_view (org_id, account_id, lower(name))`,
  `alter table saved_view enable row level security`,
  `create policy tenant on saved_view to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `grant select, insert, update, delete on saved_view to belay_app`,
]
