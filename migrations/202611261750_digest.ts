import { type Kysely, sql } from "kysely"

/** The digest of each week: who wants it, and what became of each one. */
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
  `create table digest_subscription (
     org_id uuid not null references org on delete cascade,
     id uuid not null default gen_random_uuid(),
     account_id uuid references account on delete cascade,
     channel_id uuid,
     since timestamptz not null,
     primary key (org_id, id),
     unique (org_id, account_id),
     unique (org_id, channel_id),
     foreign key (org_id, channel_id) references alert_channel on delete cascade,
     check ((account_id is null) <> (channel_id is null))
   )`,
  `comment on table digest_subscription is 'Who is sent the digest of each week: a person by e-mail, or a Slack channel of alerts'`,
  `create index digest_subscription_account on digest_subscription (account_id)`,
  ...secure("digest_subscription"),
  `grant select, insert, delete on digest_subscription to belay_app`,
  `grant select on digest_subscription to belay_worker`,

  `create table digest_delivery (
     org_id uuid not null references org on delete cascade,
     id uuid not null default gen_random_uuid(),
     subscription_id uuid not null,
     week date not null,
     state text not null check (state in ('waiting', 'sent', 'nothing', 'dead')),
     made_at timestamptz not null,
     done_at timestamptz,
     error text check (char_length(error) <= 500),
     primary key (org_id, id),
     unique (org_id, subscription_id, week),
     foreign key (org_id, subscription_id) references digest_subscription on delete cascade
   )`,
  `comment on column digest_delivery.week is 'the Monday, in the organization''s zone, of the week that it tells of'`,
  `comment on column digest_delivery.state is 'nothing: there was nothing to say, or they may not read figures any more; dead: given up'`,
  ...secure("digest_delivery"),
  `grant select on digest_delivery to belay_app`,
  `grant select, insert, update on digest_delivery to belay_worker`,
]
