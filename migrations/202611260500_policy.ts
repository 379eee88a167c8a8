import { type Kysely, sql } from "kysely"

/** Policies by layer, their versions and drafts, exceptions from their rules, and what all of it was at a time. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const secure = (table: string) => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on ${table} to belay_worker using (true) with check (true)`,
  `grant select on ${table} to belay_worker`,
]

const STATEMENTS = [
  `alter table org add column policy_needs_review boolean not null default false`,
  `comment on column org.policy_needs_review is 'whether a draft is published by somebody other than who wrote it'`,
  `grant update (policy_needs_review) on org to belay_app`,

  `create type policy_layer_kind as enum ('organization', 'team', 'developer')`,
  // Without foreign keys to teams and people: what was published stays on record when they are gone.
  `create table policy_layer (
     org_id uuid not null references org on delete cascade,
     id uuid not null default gen_random_uuid(),
     kind policy_layer_kind not null,
     team_id uuid,
     developer_id uuid,
     version_in_force integer,
     primary key (org_id, id),
     unique nulls not distinct (org_id, kind, team_id, developer_id),
     check ((kind = 'team') = (team_id is not null) and (kind = 'developer') = (developer_id is not null))
   )`,
  `comment on table policy_layer is 'Whom a policy binds: everyone, a team or a person'`,
  `comment on column policy_layer.version_in_force is 'null until something was published'`,
  ...secure("policy_layer"),
  `grant select, insert, update (version_in_force) on policy_layer to belay_app`,

  // json, not jsonb: the order of a document's keys is its author's.
  `create table policy_version (
     org_id uuid not null,
     layer_id uuid not null,
     version integer not null check (version > 0),
     document json not null,
     note text check (char_length(note) <= 500),
     restored_version integer,
     written_by uuid references account on delete set null,
     published_by uuid references account on delete set null,
     published_at timestamptz not null,
     primary key (org_id, layer_id, version),
     foreign key (org_id, layer_id) references policy_layer on delete cascade
   )`,
  `comment on table policy_version is 'What was published. Never changed: the application may add only'`,
  `comment on column policy_version.restored_version is 'of which this is a copy, when a roll back made it'`,
  ...secure("policy_version"),
  `grant select, insert on policy_version to belay_app`,

  `create table policy_draft (
     org_id uuid not null,
     layer_id uuid not null,
     document json not null,
     base_version integer,
     revision integer not null,
     written_by uuid references account on delete set null,
     saved_at timestamptz not null,
     submitted_by uuid references account on delete set null,
     submitted_at timestamptz,
     primary key (org_id, layer_id),
     foreign key (org_id, layer_id) references policy_layer on delete cascade
   )`,
  `comment on column policy_draft.base_version is 'in force when it was begun, or last brought up to date'`,
  `comment on column policy_draft.revision is 'one more with each save: who saves names the one that they have seen'`,
  `comment on column policy_draft.submitted_at is 'since when it waits for review; null while it is written'`,
  ...secure("policy_draft"),
  `grant select, insert, update, delete on policy_draft to belay_app`,

  `create table policy_exception (
     org_id uuid not null references org on delete cascade,
     id uuid not null default gen_random_uuid(),
     rule text not null check (char_length(rule) between 1 and 120),
     layer policy_layer_kind,
     team_id uuid,
     developer_id uuid,
     reason text not null check (char_length(reason) between 1 and 500),
     state text not null check (state in ('requested', 'approved', 'refused', 'ended')),
     requested_by uuid references account on delete set null,
     requested_at timestamptz not null,
     decided_by uuid references account on delete set null,
     decided_at timestamptz,
     decision_note text check (char_length(decision_note) <= 500),
     expires_at timestamptz not null,
     primary key (org_id, id),
     check (num_nonnulls(team_id, developer_id) <= 1)
   )`,
  `comment on table policy_exception is 'Lifts one rule for everyone, a team or a person, for a time'`,
  `comment on column policy_exception.layer is 'whose rule it lifts; null for that of every layer'`,
  `create index policy_exception_requested_at on policy_exception (org_id, requested_at desc, id)`,
  ...secure("policy_exception"),
  `grant select, insert, update (state, decided_by, decided_at, decision_note, expires_at) on policy_exception to belay_app`,

  `create table policy_release (
     org_id uuid not null references org on delete cascade,
     version integer not null check (version > 0),
     released_at timestamptz not null,
     cause text not null check (cause in ('published', 'rolled_back', 'exception')),
     layer_id uuid,
     layer_version integer,
     exception_id uuid,
     primary key (org_id, version)
   )`,
  `comment on table policy_release is
     'Each change of what binds anyone, in order: the number is the version that clients, decisions and signals name'`,
  ...secure("policy_release"),
  `grant select, insert on policy_release to belay_app`,

  `create table policy_signing_key (
     org_id uuid not null references org on delete cascade,
     id text not null,
     public_key text not null,
     sealed_private_key bytea not null,
     made_at timestamptz not null,
     signs_from timestamptz not null,
     retired_at timestamptz,
     primary key (org_id, id)
   )`,
  `comment on table policy_signing_key is 'With which bundles are signed: the newest whose signs_from is past'`,
  `comment on column policy_signing_key.public_key is 'the 32 bytes of an Ed25519 key, base64url'`,
  `comment on column policy_signing_key.sealed_private_key is 'encrypted under the secret that all processes share'`,
  `comment on column policy_signing_key.signs_from is
     'a day after it was made: until then clients learn of it from bundles that the one before it signs'`,
  ...secure("policy_signing_key"),
  `grant select, insert, update (retired_at) on policy_signing_key to belay_app`,

  `create table policy_client (
     org_id uuid not null references org on delete cascade,
     id text not null check (char_length(id) between 1 and 80),
     developer_id uuid,
     key_id uuid,
     agent_tool text check (char_length(agent_tool) <= 60),
     agent_version text check (char_length(agent_version) <= 60),
     belay_version text check (char_length(belay_version) <= 60),
     state text not null check (state in ('in_force', 'last_good', 'none')),
     version integer,
     refusal text check (char_length(refusal) <= 40),
     refused_at timestamptz,
     canary_effect text check (canary_effect in ('allow', 'ask', 'deny')),
     canary_at timestamptz,
     first_seen_at timestamptz not null,
     seen_at timestamptz not null,
     primary key (org_id, id)
   )`,
  `comment on table policy_client is 'What each client says that it goes by: an installation of an agent tool, or of an agent with the SDK'`,
  `comment on column policy_client.state is
     'in_force: what the server last sent; last_good: an earlier one, as the newest was refused or cannot be had; none'`,
  `comment on column policy_client.version is 'of the bundle that it goes by; null without one'`,
  `comment on column policy_client.canary_effect is 'what was last decided there on an action that every policy denies'`,
  `create index policy_client_seen_at on policy_client (org_id, seen_at desc)`,
  ...secure("policy_client"),
  `grant select, insert, update on policy_client to belay_app`,
  `grant delete on policy_client to belay_worker`,
]
