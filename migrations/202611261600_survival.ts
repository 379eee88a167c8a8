import { type Kysely, sql } from "kysely"

/** How many of the lines that operations brought to a default branch are still there, as `belay survival` counts them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `create table line_survival (
     org_id uuid not null references org on delete cascade,
     source_id text not null check (char_length(source_id) between 1 and 700),
     operation_id text not null check (char_length(operation_id) between 1 and 128),
     commit_id text not null check (commit_id ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
     after text not null check (after in ('merge', '1d', '7d', '14d', '30d')),
     counted_at timestamptz not null,
     lines integer not null check (lines > 0),
     standing integer not null check (standing between 0 and lines),
     reverted_at timestamptz,
     received_at timestamptz not null,
     primary key (org_id, source_id)
   )`,
  `comment on table line_survival is 'How many of the lines that an operation brought to a default branch were there at a time after that'`,
  `comment on column line_survival.commit_id is 'of the default branch, that brought them'`,
  `comment on column line_survival.counted_at is 'as of when: of the merge, or so many days after it'`,
  `comment on column line_survival.reverted_at is 'since when all of the commits were taken back; null while they stood'`,
  `create index line_survival_operation on line_survival (org_id, operation_id, commit_id, counted_at)`,
  `alter table line_survival enable row level security`,
  `create policy tenant on line_survival to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `grant select, insert on line_survival to belay_app`,
]
