import { type Kysely, sql } from "kysely"

/** Invitations, who manages which team, identities merged into one person, groups of the identity provider, break-glass. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const secure = (table: string) => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
]

const STATEMENTS = [
  `create table sign_in_link (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     account_id uuid not null references account on delete cascade,
     purpose text not null check (purpose in ('invitation', 'password_reset')),
     token_hash bytea not null unique,
     created_at timestamptz not null,
     expires_at timestamptz not null,
     used_at timestamptz
   )`,
  `comment on table sign_in_link is 'One-time links with which a person sets a password; the newest of an account counts'`,
  `create index sign_in_link_account on sign_in_link (account_id)`,
  ...secure("sign_in_link"),
  `grant select, insert, update (used_at), delete on sign_in_link to belay_app`,
  // Whoever opens a link is not signed in, so its organization is looked up by the secret itself.
  `create function belay_link_by_hash(wanted bytea)
     returns table (id uuid, org_id uuid)
     language sql stable security definer set search_path = public
     as $$ select l.id, l.org_id from sign_in_link l where l.token_hash = wanted $$`,
  `revoke execute on function belay_link_by_hash(bytea) from public`,
  `grant execute on function belay_link_by_hash(bytea) to belay_app`,

  `create table team_manager (
     org_id uuid not null references org on delete cascade,
     account_id uuid not null references account on delete cascade,
     team_id uuid not null references team on delete cascade,
     primary key (account_id, team_id)
   )`,
  `comment on table team_manager is 'Whose figures a manager reads: these teams and their sub-teams'`,
  ...secure("team_manager"),
  `grant select, insert, delete on team_manager to belay_app`,

  `alter table developer add column merged_into_id uuid references developer on delete set null,
     add column merged_at timestamptz`,
  `comment on column developer.merged_into_id is
     'the person that this identity turned out to be; signals keep their own developer, so that it can be undone'`,
  `create index developer_merged_into on developer (merged_into_id)`,
  `grant insert, update (pseudonym, merged_into_id, merged_at) on developer to belay_app`,
  `grant insert, delete on developer_identity to belay_app`,
  `grant insert, update (name, parent_team_id), delete on team to belay_app`,
  `grant insert, update (valid_to), delete on team_member to belay_app`,
  `grant update (name, time_zone, min_group_size) on org to belay_app`,

  `alter table org add column sso_default_role account_role default 'developer'`,
  `comment on column org.sso_default_role is
     'for whom the identity provider vouches and no group says more; null lets only mapped groups in'`,
  `grant update (sso_default_role) on org to belay_app`,
  `create table sso_group (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     name text not null,
     role account_role,
     team_id uuid references team on delete cascade,
     check (role is not null or team_id is not null),
     check (role is distinct from 'owner'),
     unique (org_id, name)
   )`,
  `comment on table sso_group is 'What members of a group of the identity provider become when they sign in'`,
  ...secure("sso_group"),
  `grant select, insert, update, delete on sso_group to belay_app`,

  // A provider vouches for someone before their organization is known: the one that is not the demo.
  `create function belay_sso_org()
     returns uuid
     language sql stable security definer set search_path = public
     as $$ select id from org where not is_demo order by created_at limit 1 $$`,
  `revoke execute on function belay_sso_org() from public`,
  `grant execute on function belay_sso_org() to belay_app`,

  `create table break_glass (
     id uuid primary key default gen_random_uuid(),
     org_id uuid not null references org on delete cascade,
     account_id uuid not null references account on delete cascade,
     opened_by uuid not null references account on delete cascade,
     reason text not null check (char_length(reason) >= 10),
     opened_at timestamptz not null,
     expires_at timestamptz not null check (expires_at > opened_at),
     closed_at timestamptz,
     told_at timestamptz
   )`,
  `comment on table break_glass is 'An owner looks at a person''s own data: why, until when, and when the person was told'`,
  `create index break_glass_account on break_glass (account_id)`,
  ...secure("break_glass"),
  `grant select, insert, update (closed_at, told_at) on break_glass to belay_app`,
]
