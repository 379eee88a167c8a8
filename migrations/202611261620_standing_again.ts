import { type Kysely, sql } from "kysely"

/** Changes whose revert was itself taken back, and marks of what there is to join by commits. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `alter table change_request add column restored_at timestamptz`,
  `comment on column change_request.restored_at is 'since when it stands again, since what took it back was taken back; null while it does not'`,
  `alter table change_request add column is_join_due boolean not null default true`,
  `comment on column change_request.is_join_due is 'whether it was written since it was last joined by its commits'`,
  `create index change_request_join_due on change_request (org_id) where is_join_due`,
  `alter table late_outcome add column undone_at timestamptz`,
  `comment on column late_outcome.undone_at is 'since when it holds no more: of a revert that was itself taken back'`,
  `grant update (undone_at) on late_outcome to belay_app`,
  `alter table rollup_state add column commits_counted bigint not null default 0`,
  `comment on column rollup_state.commits_counted is 'goes up when operation_commit changes'`,
]
