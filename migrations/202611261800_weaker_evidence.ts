import { type Kysely, sql } from "kysely"

/**
 * Whose work is in a change where neither a trailer nor a commit says so: sessions of agents and the branches they worked
 * on, who made a change's commits, and marks of when there is something new to join.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const secure = (table: string) => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on ${table} to belay_worker using (true) with check (true)`,
]

const STATEMENTS = [
  `alter table operation
     add column session_id text,
     add column repository_id integer,
     add column other_repository_id integer`,
  `comment on column operation.session_id is 'of the sessions that its signals name the greatest'`,
  `comment on column operation.repository_id is
     'of the repositories that its signals name the least, and other_repository_id the greatest: equal where it is one'`,
  `create index operation_session on operation (org_id, session_id) where session_id is not null`,

  `create table session_branch (
     org_id uuid not null,
     session_id text not null,
     branch text not null,
     first_at timestamptz not null,
     last_at timestamptz not null,
     primary key (org_id, session_id, branch)
   )`,
  `comment on table session_branch is
     'Branches that agents worked on in a session, and from when to when they said so: a rollup, made of the signals alone'`,
  `comment on column session_branch.branch is 'a digest of its name and its repository''s, as change_request has it'`,
  `create index session_branch_branch on session_branch (org_id, branch)`,
  ...secure("session_branch"),
  `grant select on session_branch to belay_app`,
  `grant select, insert, update, delete on session_branch to belay_worker`,

  `alter table change_request
     add column authors text[] not null default '{}',
     add column begun_at timestamptz`,
  `comment on column change_request.authors is
     'keyed hashes of the e-mail addresses of those who made its commits, as developer_identity has them'`,
  `comment on column change_request.begun_at is 'when it was opened, or its first commit made if that was before; null where nothing was said of it since that is kept'`,
  `create index change_request_merged on change_request (org_id, merged_at) where merged_at is not null`,

  // Whoever is removed is no author any more.
  `grant update (event) on change_event to belay_app`,

  `alter table change_operation add column session_id text`,
  `comment on column change_operation.session_id is 'as a trailer says; null where the evidence does not say'`,
  `create index change_operation_session on change_operation (org_id, session_id) where session_id is not null`,
  `alter table change_operation drop constraint change_operation_evidence_check`,
  `alter table change_operation add constraint change_operation_evidence_check
     check (evidence in ('trailer', 'commit_id', 'session', 'author_time'))`,
  `comment on table change_operation is
     'Whose agent work is in a change, by each evidence that says so. What session and author_time say is taken back when something better is known'`,
  `grant delete, update (session_id) on change_operation to belay_app`,

  `create table outcome_state (
     org_id uuid primary key references org on delete cascade,
     noted bigint not null default 0
   )`,
  `comment on column outcome_state.noted is 'goes up when more is known of changes, or of what became of operations'`,
  ...secure("outcome_state"),
  `grant select, insert, update on outcome_state to belay_app`,

  `alter table rollup_state add column steps bigint not null default 0`,
  `comment on column rollup_state.steps is 'goes up when signals are counted'`,

  // Operations and sessions are counted from signals that were counted before.
  `update rollup_state set needs_rebuild = true`,
]
