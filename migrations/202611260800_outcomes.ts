import { type Kysely, sql } from "kysely"

/** What becomes of work: webhooks of code hosts, changes (pull and merge requests), and outcomes on their way to be signals. */
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
  `create table webhook_endpoint (
     org_id uuid not null references org on delete cascade,
     id uuid not null default gen_random_uuid(),
     provider text not null check (provider in ('github', 'gitlab')),
     sealed_secret bytea not null,
     made_at timestamptz not null,
     made_by uuid references account on delete set null,
     sealed_secret_before bytea,
     before_until timestamptz,
     refused integer not null default 0,
     last_refused_at timestamptz,
     primary key (org_id, id),
     unique (org_id, provider),
     check ((sealed_secret_before is null) = (before_until is null))
   )`,
  `comment on table webhook_endpoint is 'Where a code host sends its webhooks; secrets are sealed under the secret of all processes'`,
  `comment on column webhook_endpoint.made_at is 'of the secret'`,
  `comment on column webhook_endpoint.before_until is 'until when the secret before this one is taken as well'`,
  `comment on column webhook_endpoint.refused is 'deliveries whose signature was wrong: they are counted and nothing of them is kept'`,
  ...secure("webhook_endpoint"),
  `grant select, insert, update on webhook_endpoint to belay_app`,
  // Whose an address is, is known before the tenant is.
  `create function belay_webhook_org(wanted uuid, of_provider text)
     returns uuid
     language sql stable security definer set search_path = public
     as $$ select e.org_id from webhook_endpoint e where e.id = wanted and e.provider = of_provider $$`,
  `revoke execute on function belay_webhook_org(uuid, text) from public`,
  `grant execute on function belay_webhook_org(uuid, text) to belay_app`,

  `create table webhook_delivery (
     org_id uuid not null,
     endpoint_id uuid not null,
     delivery_id text not null check (char_length(delivery_id) between 1 and 100),
     event text not null check (char_length(event) <= 60),
     received_at timestamptz not null,
     times integer not null default 1,
     events integer not null,
     primary key (org_id, endpoint_id, delivery_id),
     foreign key (org_id, endpoint_id) references webhook_endpoint on delete cascade
   )`,
  `comment on table webhook_delivery is 'Deliveries whose signature was right, for 30 days. What they said is in change_event'`,
  `comment on column webhook_delivery.times is 'how often it came'`,
  `comment on column webhook_delivery.events is 'what it said that matters here; 0 of an event that says nothing'`,
  `create index webhook_delivery_received on webhook_delivery (org_id, received_at)`,
  ...secure("webhook_delivery"),
  `grant select, insert, update (times) on webhook_delivery to belay_app`,
  `grant select, delete on webhook_delivery to belay_worker`,

  `create table change_event (
     org_id uuid not null references org on delete cascade,
     event_id bytea not null check (octet_length(event_id) = 16),
     provider text not null,
     repository text not null check (char_length(repository) between 1 and 400),
     number integer,
     branch text,
     commit_id text,
     reverts text[] not null default '{}',
     reverts_numbers integer[] not null default '{}',
     event jsonb not null,
     received_at timestamptz not null,
     primary key (org_id, event_id)
   )`,
  `comment on table change_event is 'What code hosts said, reduced to ids, numbers, times and kinds. Only added to: changes are made of it'`,
  `comment on column change_event.event_id is 'a digest of what it says, so that what is said twice is there once, whatever its delivery was called'`,
  `comment on column change_event.branch is 'a digest of its name'`,
  `comment on column change_event.reverts is 'commits that it says to take back; reverts_numbers likewise changes'`,
  `create index change_event_number on change_event (org_id, provider, repository, number) where number is not null`,
  `create index change_event_commit on change_event (org_id, provider, repository, commit_id) where commit_id is not null`,
  `create index change_event_branch on change_event (org_id, provider, repository, branch) where branch is not null`,
  `create index change_event_reverts on change_event using gin (reverts) where reverts <> '{}'`,
  `create index change_event_reverts_numbers on change_event using gin (reverts_numbers) where reverts_numbers <> '{}'`,
  ...secure("change_event"),
  `grant select, insert on change_event to belay_app`,

  `create table change_request (
     org_id uuid not null references org on delete cascade,
     provider text not null,
     repository text not null,
     number integer not null,
     branch text not null,
     commit_ids text[] not null,
     opened_at timestamptz not null,
     first_review_at timestamptz,
     approved_at timestamptz,
     reviews integer not null,
     rounds integer not null,
     checked_at timestamptz,
     failed_checks integer not null,
     closed_at timestamptz,
     merged_at timestamptz,
     deployed_at timestamptz,
     reverted_at timestamptz,
     abandoned_at timestamptz,
     lines_added integer,
     lines_removed integer,
     files_changed integer,
     file_kinds jsonb not null,
     updated_at timestamptz not null,
     primary key (org_id, provider, repository, number)
   )`,
  `comment on table change_request is 'Pull and merge requests, folded from change_event, whatever order that came in'`,
  `comment on column change_request.commit_ids is 'its commits as far as they were told of, and the one it was merged as'`,
  `comment on column change_request.abandoned_at is 'when it was first closed without being merged; it may have been opened again'`,
  `comment on column change_request.rounds is 'how often something was pushed after it was opened'`,
  `comment on column change_request.checked_at is 'when a check or a pipeline first passed on one of its commits'`,
  `comment on column change_request.file_kinds is 'files of its pushed commits by kind: source, test, docs, generated, lock_file'`,
  `create index change_request_commits on change_request using gin (commit_ids)`,
  `create index change_request_branch on change_request (org_id, provider, repository, branch)`,
  `create index change_request_updated on change_request (org_id, updated_at)`,
  ...secure("change_request"),
  `grant select, insert, update on change_request to belay_app`,

  `create table change_operation (
     org_id uuid not null,
     provider text not null,
     repository text not null,
     number integer not null,
     operation_id text not null check (char_length(operation_id) <= 128),
     evidence text not null check (evidence in ('trailer', 'commit_id')),
     rung rung,
     joined_at timestamptz not null,
     primary key (org_id, provider, repository, number, operation_id, evidence),
     foreign key (org_id, provider, repository, number) references change_request on delete cascade
   )`,
  `comment on table change_operation is 'Whose agent work is in a change, by each evidence that says so'`,
  `comment on column change_operation.rung is 'as a trailer says; null where the evidence does not say'`,
  `create index change_operation_operation on change_operation (org_id, operation_id)`,
  ...secure("change_operation"),
  `grant select, insert on change_operation to belay_app`,

  `create table late_outcome (
     org_id uuid not null references org on delete cascade,
     source_id text not null check (char_length(source_id) between 1 and 700),
     operation_id text not null check (char_length(operation_id) between 1 and 128),
     outcome outcome not null check (outcome in ('merged', 'reverted', 'abandoned')),
     origin origin not null,
     occurred_at timestamptz not null,
     received_at timestamptz not null,
     state text not null default 'waiting' check (state in ('waiting', 'sent', 'too_old')),
     settled_at timestamptz,
     primary key (org_id, source_id)
   )`,
  `comment on table late_outcome is 'What became of operations, until it is a signal: that waits until the operation itself is counted'`,
  `comment on column late_outcome.state is 'too_old: when the operation was known, its day was past what Belay takes signals of'`,
  `create index late_outcome_waiting on late_outcome (org_id, operation_id) where state = 'waiting'`,
  `create index late_outcome_operation on late_outcome (org_id, operation_id)`,
  ...secure("late_outcome"),
  `grant select, insert, update (occurred_at, state, settled_at) on late_outcome to belay_app`,

  `create table operation_commit (
     org_id uuid not null,
     commit_id text not null,
     operation_id text not null,
     observed_at timestamptz not null,
     primary key (org_id, commit_id, operation_id)
   )`,
  `comment on table operation_commit is 'Commits that agents said they made: a rollup, made of the signals alone'`,
  `comment on column operation_commit.commit_id is 'as they said it: often the first seven digits'`,
  ...secure("operation_commit"),
  `grant select on operation_commit to belay_app`,
  `grant select, insert, update, delete on operation_commit to belay_worker`,
]
