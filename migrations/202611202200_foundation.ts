import { type Kysely, sql } from "kysely"

/**
 * The first schema: tenants and people, ingest keys, interned names, the partitioned signal table, row-level security.
 * One statement a call, because the driver prepares every statement. Imports nothing of ours, so that it stays what it
 * was when it ran.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

/** Roles belong to the whole server, so another database, or a process migrating one right now, may have made them. */
const makeRole = (name: string) => `
  do $$ begin
    create role ${name} nologin;
  exception when duplicate_object or unique_violation then null;
  end $$`

/** Whoever migrates acts as these roles. Where someone else made them, that someone has to let us. */
const becomeMember = `
  do $$ begin
    grant belay_app, belay_ingest, belay_worker to current_user;
  exception when insufficient_privilege then
    if not (pg_has_role('belay_app', 'usage') and pg_has_role('belay_ingest', 'usage')
      and pg_has_role('belay_worker', 'usage'))
    then
      raise exception 'this server has the roles belay_app, belay_ingest and belay_worker already; have an administrator run: grant belay_app, belay_ingest, belay_worker to %', current_user;
    end if;
  end $$`

/** A tenant table: every role that serves requests sees one organization, the worker sees all of them. */
const secure = (table: string, orgColumn = "org_id") => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to belay_app, belay_ingest
     using (${orgColumn} = current_setting('belay.org_id')::uuid)
     with check (${orgColumn} = current_setting('belay.org_id')::uuid)`,
  `create policy worker on ${table} to belay_worker using (true) with check (true)`,
]

const STATEMENTS = [
  makeRole("belay_app"),
  makeRole("belay_ingest"),
  makeRole("belay_worker"),
  becomeMember,
  `grant usage on schema public to belay_app, belay_ingest, belay_worker`,

  `create type rung as enum ('autocomplete', 'chat', 'agent', 'orchestration')`,
  `create type signal_kind as enum ('start', 'suggestion', 'turn', 'task', 'run', 'model_call', 'tool_call', 'edit',
     'permission', 'mode_change', 'context', 'outcome', 'policy_decision', 'session', 'presence')`,
  `create type outcome as enum ('accepted', 'modified', 'rejected', 'ignored', 'copied', 'applied', 'merged', 'reverted',
     'abandoned', 'failed')`,
  `create type origin as enum ('human', 'rule', 'hook', 'mode', 'timeout', 'dismissed', 'unknown')`,
  `create type surface as enum ('ide', 'terminal', 'chat-app', 'cloud', 'ci')`,
  `create type path_scope as enum ('in_scope', 'out_of_scope', 'sensitive')`,
  `create type dimension_kind as enum ('agent_tool', 'agent_version', 'mode', 'model', 'provider', 'language',
     'repository')`,
  `create type account_role as enum ('owner', 'admin', 'manager', 'on-call', 'developer', 'author', 'auditor')`,

  `create table org (
     id uuid primary key default gen_random_uuid(),
     name text not null,
     time_zone text not null default 'UTC',
     min_group_size smallint not null default 5 check (min_group_size >= 3),
     pseudonym_key bytea not null,
     is_demo boolean not null default false,
     created_at timestamptz not null default now()
   )`,
  `comment on column org.min_group_size is 'k: figures of fewer people are withheld'`,
  `comment on column org.pseudonym_key is 'HMAC-SHA-256 key that turns telemetry identities into pseudonyms'`,

  `create table account (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     email text not null,
     role account_role not null,
     password_hash text not null,
     created_at timestamptz not null default now()
   )`,
  `create unique index account_email on account (lower(email))`,
  `create table web_session (
     token_hash bytea primary key,
     org_id uuid not null references org on delete cascade,
     account_id uuid not null references account on delete cascade,
     created_at timestamptz not null default now(),
     expires_at timestamptz not null
   )`,
  `create index web_session_expires_at on web_session (expires_at)`,

  `create table ingest_key (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     name text not null,
     prefix text not null,
     key_hash bytea not null unique,
     created_at timestamptz not null default now(),
     last_used_at timestamptz,
     revoked_at timestamptz
   )`,
  `create index ingest_key_org on ingest_key (org_id)`,

  `create table team (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     name text not null,
     unique (org_id, name)
   )`,
  `create table developer (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     pseudonym text not null,
     is_unattributed boolean not null default false,
     created_at timestamptz not null default now(),
     unique (org_id, pseudonym)
   )`,
  `create unique index developer_unattributed on developer (org_id) where is_unattributed`,
  `create table developer_identity (
     org_id uuid not null references org on delete cascade,
     identity_hash bytea not null,
     kind text not null check (kind in ('email', 'account', 'installation', 'user')),
     developer_id uuid not null references developer on delete cascade,
     first_seen_at timestamptz not null default now(),
     primary key (org_id, identity_hash)
   )`,
  `create index developer_identity_developer on developer_identity (developer_id)`,
  `create table team_member (
     org_id uuid not null references org on delete cascade,
     developer_id uuid not null references developer on delete cascade,
     team_id uuid not null references team on delete cascade,
     valid_from date not null,
     valid_to date check (valid_to > valid_from),
     primary key (developer_id, valid_from)
   )`,
  `comment on column team_member.valid_to is 'exclusive; null while the membership lasts'`,
  `create index team_member_team on team_member (team_id)`,

  `create table dimension (
     id integer generated always as identity primary key,
     org_id uuid not null references org on delete cascade,
     kind dimension_kind not null,
     value text not null check (char_length(value) <= 80),
     first_seen_at timestamptz not null default now(),
     unique (org_id, kind, value)
   )`,

  // No foreign keys: on Citus a distributed table cannot have them, and a dropped partition must not be searched.
  `create table signal (
     org_id uuid not null,
     developer_id uuid not null,
     observed_at timestamptz not null,
     received_at timestamptz not null default now(),
     signal_id bytea not null,
     kind signal_kind not null,
     rung rung not null,
     operation_id text,
     parent_operation_id text,
     session_id text,
     agent_tool_id integer not null,
     agent_version_id integer,
     mode_id integer,
     model_id integer,
     provider_id integer,
     language_id integer,
     repository_id integer,
     surface surface,
     outcome outcome,
     origin origin,
     latency_ms real,
     duration_ms real,
     wait_ms real,
     input_tokens integer,
     output_tokens integer,
     cached_tokens integer,
     cost_usd numeric(12, 6),
     lines_added integer,
     lines_removed integer,
     files_changed integer,
     tool_calls integer,
     prompts integer,
     path_scope path_scope,
     policy_version integer,
     action text check (char_length(action) <= 80),
     error text check (char_length(error) <= 40),
     primary key (observed_at, developer_id, signal_id)
   ) partition by range (observed_at)`,
  `comment on column signal.input_tokens is 'all input tokens, cached ones included (OpenTelemetry GenAI convention)'`,
  `comment on column signal.cached_tokens is 'input tokens read from a cache, part of input_tokens'`,
  `comment on column signal.rung is 'the lowest rung this signal alone proves; an operation stands on its highest'`,

  // To find the prompt that a later record of the same session belongs to.
  `create index signal_session_start on signal (session_id, observed_at) where kind = 'start'`,

  `create table signal_occurrence (
     org_id uuid not null,
     occurrence_id bytea not null,
     is_primary boolean not null,
     observed_at timestamptz not null,
     developer_id uuid not null,
     signal_id bytea not null,
     primary key (org_id, occurrence_id)
   )`,
  `comment on table signal_occurrence is
     'Events that a source reports twice, as a log record and as a span, so that each is one signal'`,
  `create index signal_occurrence_observed_at on signal_occurrence using brin (observed_at)`,

  `create table unrecognized_item (
     org_id uuid not null references org on delete cascade,
     dialect text not null,
     otlp_signal text not null check (otlp_signal in ('traces', 'logs', 'metrics')),
     name text not null,
     count bigint not null,
     first_seen_at timestamptz not null default now(),
     last_seen_at timestamptz not null default now(),
     primary key (org_id, dialect, otlp_signal, name)
   )`,
  `create table change (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     kind text not null,
     subject text not null,
     occurred_at timestamptz not null,
     recorded_at timestamptz not null default now(),
     unique (org_id, kind, subject)
   )`,
  `comment on table change is 'Things that changed and may be causes: tool version first seen, policy published, …'`,

  ...secure("org", "id"),
  ...[
    "account",
    "web_session",
    "ingest_key",
    "team",
    "developer",
    "developer_identity",
    "team_member",
    "dimension",
    "signal",
    "signal_occurrence",
    "unrecognized_item",
    "change",
  ].flatMap((table) => secure(table)),

  `grant select on org, account, ingest_key, team, team_member, developer, developer_identity, dimension, signal,
     unrecognized_item, change to belay_app`,
  `grant insert, update on ingest_key to belay_app`,
  `grant insert, delete on web_session to belay_app`,
  `grant select (org_id, token_hash) on web_session to belay_app`,
  `grant select on org, developer, developer_identity, dimension, signal, signal_occurrence, unrecognized_item, change
     to belay_ingest`,
  `grant insert on developer, developer_identity, dimension, signal, signal_occurrence, unrecognized_item, change
     to belay_ingest`,
  `grant update, delete on signal, signal_occurrence to belay_ingest`,
  `grant update on unrecognized_item to belay_ingest`,
  `grant select (id, org_id, last_used_at), update (last_used_at) on ingest_key to belay_ingest`,
  `grant select on org, team, team_member, developer, dimension, signal, signal_occurrence, unrecognized_item, change
     to belay_worker`,
  `grant delete on signal_occurrence to belay_worker`,

  // Three look-ups happen before the organization is known. They run as the owner and answer for one secret only.
  `create function belay_account_by_email(wanted text)
     returns table (id uuid, org_id uuid, password_hash text)
     language sql stable security definer set search_path = public
     as $$ select a.id, a.org_id, a.password_hash from account a where lower(a.email) = lower(wanted) $$`,
  `create function belay_session_by_token(wanted bytea, at timestamptz)
     returns table (account_id uuid, org_id uuid, email text, role account_role)
     language sql stable security definer set search_path = public
     as $$
       select a.id, a.org_id, a.email, a.role from web_session s join account a on a.id = s.account_id
       where s.token_hash = wanted and s.expires_at > at
     $$`,
  `create function belay_ingest_key_by_hash(wanted bytea)
     returns table (id uuid, org_id uuid)
     language sql stable security definer set search_path = public
     as $$ select k.id, k.org_id from ingest_key k where k.key_hash = wanted and k.revoked_at is null $$`,
  `create function belay_delete_expired_sessions(at timestamptz)
     returns void
     language sql security definer set search_path = public
     as $$ delete from web_session where expires_at <= at $$`,

  // Only the owner of a partitioned table may add or drop its partitions.
  `create function belay_make_signal_partitions(first_day date, last_day date)
     returns integer
     language plpgsql security definer set search_path = public
     as $$
       declare
         day date;
         made integer := 0;
       begin
         perform pg_advisory_xact_lock(hashtext('belay_signal_partitions'));
         for day in select generate_series(first_day, last_day, interval '1 day')::date loop
           if to_regclass('signal_' || to_char(day, 'YYYYMMDD')) is null then
             execute format('create table %I partition of signal for values from (%L) to (%L)',
               'signal_' || to_char(day, 'YYYYMMDD'),
               to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
             made := made + 1;
           end if;
         end loop;
         return made;
       end
     $$`,
  `create function belay_drop_signal_partitions(before_day date)
     returns integer
     language plpgsql security definer set search_path = public
     as $$
       declare
         partition record;
         dropped integer := 0;
       begin
         perform pg_advisory_xact_lock(hashtext('belay_signal_partitions'));
         for partition in
           select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = 'signal'::regclass and c.relname < 'signal_' || to_char(before_day, 'YYYYMMDD')
         loop
           execute format('drop table %I', partition.relname);
           dropped := dropped + 1;
         end loop;
         return dropped;
       end
     $$`,
  ...[
    "belay_account_by_email(text)",
    "belay_session_by_token(bytea, timestamptz)",
    "belay_ingest_key_by_hash(bytea)",
    "belay_delete_expired_sessions(timestamptz)",
    "belay_make_signal_partitions(date, date)",
    "belay_drop_signal_partitions(date)",
  ].map((signature) => `revoke execute on function ${signature} from public`),
  `grant execute on function belay_account_by_email(text) to belay_app`,
  `grant execute on function belay_session_by_token(bytea, timestamptz) to belay_app`,
  `grant execute on function belay_ingest_key_by_hash(bytea) to belay_ingest`,
  `grant execute on function belay_delete_expired_sessions(timestamptz) to belay_worker`,
  `grant execute on function belay_make_signal_partitions(date, date) to belay_worker`,
  `grant execute on function belay_drop_signal_partitions(date) to belay_worker`,

  `create view signal_readable with (security_invoker = true) as
     select
       s.org_id, s.developer_id, d.pseudonym as developer, s.observed_at, s.received_at,
       encode(s.signal_id, 'hex') as signal_id, s.kind, s.rung,
       s.operation_id, s.parent_operation_id, s.session_id,
       tool.value as agent_tool, version.value as agent_version, s.surface, mode.value as mode, model.value as model,
       provider.value as provider, language.value as language, repository.value as repository,
       s.outcome, s.origin, s.latency_ms, s.duration_ms, s.wait_ms,
       s.input_tokens, s.output_tokens, s.cached_tokens, s.cost_usd,
       s.lines_added, s.lines_removed, s.files_changed, s.tool_calls, s.prompts,
       s.path_scope, s.action, s.error, s.policy_version
     from signal s
     left join developer d on d.id = s.developer_id
     left join dimension tool on tool.id = s.agent_tool_id
     left join dimension version on version.id = s.agent_version_id
     left join dimension mode on mode.id = s.mode_id
     left join dimension model on model.id = s.model_id
     left join dimension provider on provider.id = s.provider_id
     left join dimension language on language.id = s.language_id
     left join dimension repository on repository.id = s.repository_id`,
  `grant select on signal_readable to belay_app, belay_worker`,
]
