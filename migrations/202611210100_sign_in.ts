import { type Kysely, sql } from "kysely"

/**
 * Sign-in moves to better-auth, whose tables belong to no organization and to a database role of their own: what
 * serves pages cannot read a password, and what signs people in cannot read a signal. An account is a person's place
 * in an organization; it may wait for its owner to sign in for the first time.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `do $$ begin
     create role belay_auth nologin;
   exception when duplicate_object or unique_violation then null;
   end $$`,
  `do $$ begin
     grant belay_auth to current_user;
   exception when insufficient_privilege then
     if not pg_has_role('belay_auth', 'usage') then
       raise exception 'this server has the role belay_auth already; have an administrator run: grant belay_auth to %', current_user;
     end if;
   end $$`,
  `grant usage on schema public to belay_auth`,

  `create table auth_user (
     id uuid primary key default gen_random_uuid(),
     name text not null default '',
     email text not null,
     email_verified boolean not null default false,
     image text,
     two_factor_enabled boolean not null default false,
     groups text not null default '[]',
     created_at timestamptz not null default now(),
     updated_at timestamptz not null default now()
   )`,
  `comment on column auth_user.groups is 'JSON array: the groups that the identity provider named last'`,
  `create unique index auth_user_email on auth_user (lower(email))`,
  `create table auth_session (
     id uuid primary key default gen_random_uuid(),
     user_id uuid not null references auth_user on delete cascade,
     token text not null unique,
     ip_address text,
     user_agent text,
     expires_at timestamptz not null,
     created_at timestamptz not null default now(),
     updated_at timestamptz not null default now()
   )`,
  `comment on column auth_session.token is 'SHA-256 of the token in the cookie, base64url'`,
  `create index auth_session_user on auth_session (user_id)`,
  `create index auth_session_expires_at on auth_session (expires_at)`,
  `create table auth_credential (
     id uuid primary key default gen_random_uuid(),
     user_id uuid not null references auth_user on delete cascade,
     provider_id text not null,
     account_id text not null,
     password text,
     access_token text,
     refresh_token text,
     id_token text,
     access_token_expires_at timestamptz,
     refresh_token_expires_at timestamptz,
     scope text,
     created_at timestamptz not null default now(),
     updated_at timestamptz not null default now(),
     unique (provider_id, account_id)
   )`,
  `comment on column auth_credential.access_token is 'always null, as the other tokens: Belay asks a provider who someone is and nothing afterwards'`,
  `create index auth_credential_user on auth_credential (user_id)`,
  `create table auth_verification (
     id uuid primary key default gen_random_uuid(),
     identifier text not null,
     value text not null,
     expires_at timestamptz not null,
     created_at timestamptz not null default now(),
     updated_at timestamptz not null default now()
   )`,
  `create index auth_verification_identifier on auth_verification (identifier)`,
  `create index auth_verification_expires_at on auth_verification (expires_at)`,
  `create table auth_two_factor (
     id uuid primary key default gen_random_uuid(),
     user_id uuid not null unique references auth_user on delete cascade,
     secret text not null,
     backup_codes text not null,
     verified boolean not null default true,
     failed_verification_count integer not null default 0,
     locked_until timestamptz
   )`,
  `create table auth_secret (
     id boolean primary key default true check (id),
     secret text not null
   )`,
  `comment on table auth_secret is 'Signs cookies and encrypts second factors where BELAY_SECRET is not set'`,
  `grant select, insert, update, delete on auth_user, auth_session, auth_credential, auth_verification, auth_two_factor
     to belay_auth`,
  `grant select, insert on auth_secret to belay_auth`,

  // Existing people keep their passwords.
  `alter table account add column name text not null default '',
     add column user_id uuid unique references auth_user on delete set null,
     add column developer_id uuid references developer on delete set null`,
  `insert into auth_user (email, email_verified) select email, true from account`,
  `update account a set user_id = u.id from auth_user u where lower(u.email) = lower(a.email)`,
  `insert into auth_credential (user_id, provider_id, account_id, password)
     select user_id, 'credential', user_id::text, password_hash from account`,
  `alter table account drop column password_hash`,
  `create index account_org on account (org_id)`,
  `create unique index account_developer on account (developer_id)`,
  `grant insert, update (email, name, role, user_id, developer_id), delete on account to belay_app`,
  // Which organization a signed-in user belongs to is asked before any is known.
  `grant select (id, org_id, user_id, email, role) on account to belay_auth`,
  `create policy auth on account for select to belay_auth using (true)`,

  `drop function belay_account_by_email(text)`,
  `drop function belay_session_by_token(bytea, timestamptz)`,
  `drop function belay_delete_expired_sessions(timestamptz)`,
  `drop table web_session`,
  `create function belay_forget_sign_ins(before timestamptz)
     returns void
     language sql security definer set search_path = public
     as $$
       delete from auth_session where expires_at < before;
       delete from auth_verification where expires_at < before;
     $$`,
  `revoke execute on function belay_forget_sign_ins(timestamptz) from public`,
  `grant execute on function belay_forget_sign_ins(timestamptz) to belay_worker`,
]
