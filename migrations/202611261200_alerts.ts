import { type Kysely, sql } from "kysely"

/** Latency objectives, rules of other alerts, alerts, where they go, and what became of each delivery. */
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
  `create index audit_event_sign_in_failed on audit_event (org_id, occurred_at) where action = 'session.sign_in_failed'`,

  `create table latency_objective (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     rung rung not null,
     agent_tool text check (char_length(agent_tool) between 1 and 80),
     model text check (char_length(model) between 1 and 80),
     threshold_ms double precision not null check (threshold_ms between 1 and 86400000),
     target double precision not null check (target >= 0.5 and target < 1),
     window_days smallint not null check (window_days between 7 and 90),
     requests_min integer not null check (requests_min >= 1),
     is_enabled boolean not null,
     changed_at timestamptz not null,
     changed_by uuid references account on delete set null,
     primary key (org_id, id)
   )`,
  `comment on table latency_objective is
     'Objectives that an organization set or changed. Those that every organization has are in the code, under ids of their own: a row with such an id is what became of it'`,
  `comment on column latency_objective.target is 'share of requests that should stay within threshold_ms'`,
  `comment on column latency_objective.window_days is 'over which the error budget is counted'`,
  `comment on column latency_objective.requests_min is 'in the long window of a burn rate, below which it says nothing'`,
  ...secure("latency_objective"),
  `grant select, insert, update, delete on latency_objective to belay_app`,

  `create table alert_rule (
     org_id uuid not null references org on delete cascade,
     kind text not null check (char_length(kind) between 1 and 40),
     settings jsonb not null,
     severity text not null check (severity in ('page', 'ticket')),
     is_enabled boolean not null,
     changed_at timestamptz not null,
     changed_by uuid references account on delete set null,
     primary key (org_id, kind)
   )`,
  `comment on table alert_rule is 'Rules other than latency that an organization changed; without a row a kind is as the code has it'`,
  ...secure("alert_rule"),
  `grant select, insert, update, delete on alert_rule to belay_app`,

  `create table alert_state (
     org_id uuid primary key references org on delete cascade,
     evaluated_at timestamptz,
     all_evaluated_at timestamptz,
     counted_until timestamptz
   )`,
  `comment on table alert_state is 'Who evaluates an organization''s rules holds the lock on its row'`,
  `comment on column alert_state.counted_until is 'that of rollup_state when the rules were last evaluated'`,
  `comment on column alert_state.all_evaluated_at is 'rules of latency are evaluated more often than the others'`,
  ...secure("alert_state"),
  `grant select, insert, update on alert_state to belay_app`,
  `grant select, insert on alert_state to belay_worker`,

  `create table alert (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     kind text not null,
     subject text not null check (char_length(subject) between 1 and 400),
     state text not null check (state in ('open', 'acknowledged', 'resolved')),
     severity text not null check (severity in ('page', 'ticket')),
     has_data boolean not null,
     facts jsonb not null,
     rung rung,
     team_id uuid,
     opened_at timestamptz not null,
     fired_at timestamptz not null,
     calm_since timestamptz,
     notified_at timestamptz,
     acknowledged_at timestamptz,
     acknowledged_by uuid references account on delete set null,
     acknowledged_via text check (char_length(acknowledged_via) <= 200),
     resolved_at timestamptz,
     resolved_by uuid references account on delete set null,
     paged_until timestamptz,
     reopened integer not null,
     parent_id uuid,
     cause text,
     cause_by uuid references account on delete set null,
     cause_at timestamptz,
     primary key (org_id, id)
   )`,
  `comment on column alert.subject is 'what of the kind it is about: an objective, an incident, a budget at a threshold, a tool'`,
  `comment on column alert.has_data is 'false while nothing is known of its subject: it stays as it was'`,
  `comment on column alert.fired_at is 'when its rule last fired'`,
  `comment on column alert.calm_since is 'since when its rule has not fired; it is resolved once that lasted'`,
  `comment on column alert.acknowledged_via is 'the name that the channel gave, where somebody acknowledged from outside'`,
  `comment on column alert.paged_until is 'when it last was of severity page'`,
  `comment on column alert.parent_id is 'the alert of a wider scope that speaks for it; it is not told of by itself then'`,
  `comment on column alert.cause is 'what somebody says that it was'`,
  // Whoever evaluates, in whichever process: one alert of a subject at a time.
  `create unique index alert_current on alert (org_id, kind, subject) where state <> 'resolved'`,
  `create index alert_subject on alert (org_id, kind, subject, opened_at desc)`,
  `create index alert_opened_at on alert (org_id, opened_at desc, id desc)`,
  ...secure("alert"),
  `grant select, insert, update on alert to belay_app`,
  `grant select on alert to belay_worker`,

  `create table alert_event (
     org_id uuid not null,
     alert_id uuid not null,
     sequence bigint generated always as identity,
     kind text not null,
     at timestamptz not null,
     account_id uuid references account on delete set null,
     details jsonb not null,
     primary key (org_id, alert_id, sequence),
     foreign key (org_id, alert_id) references alert on delete cascade
   )`,
  `comment on table alert_event is 'What became of an alert, in order; never changed'`,
  `comment on column alert_event.account_id is 'null for Belay itself, and for people who are gone'`,
  ...secure("alert_event"),
  `grant select, insert on alert_event to belay_app`,

  `create table alert_channel (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     kind text not null check (kind in ('webhook', 'slack', 'email', 'pagerduty', 'opsgenie', 'otlp')),
     name text not null check (char_length(name) between 1 and 80),
     target text not null check (char_length(target) between 1 and 400),
     sealed_secret bytea,
     is_private_allowed boolean not null,
     is_enabled boolean not null,
     made_at timestamptz not null,
     made_by uuid references account on delete set null,
     tested_at timestamptz,
     test_answer jsonb,
     primary key (org_id, id)
   )`,
  `comment on column alert_channel.target is 'an address that is no secret: of a page, a mailbox, or the host that it goes to'`,
  `comment on column alert_channel.sealed_secret is 'JSON of what is secret, encrypted under the secret that all processes share'`,
  `comment on column alert_channel.is_private_allowed is 'an owner allows its host to have an address inside the network'`,
  ...secure("alert_channel"),
  `grant select, insert, update, delete on alert_channel to belay_app`,
  `grant select on alert_channel to belay_worker`,

  `create table alert_route (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     channel_id uuid not null,
     team_id uuid,
     severity text check (severity in ('page', 'ticket')),
     quiet_from smallint check (quiet_from between 0 and 1439),
     quiet_to smallint check (quiet_to between 0 and 1439),
     made_at timestamptz not null,
     primary key (org_id, id),
     foreign key (org_id, channel_id) references alert_channel on delete cascade,
     foreign key (team_id) references team on delete cascade,
     check ((quiet_from is null) = (quiet_to is null))
   )`,
  `comment on column alert_route.team_id is 'null for alerts of every team and of none'`,
  `comment on column alert_route.severity is 'null for both'`,
  `comment on column alert_route.quiet_from is
     'minutes after midnight in the organization''s zone, to quiet_to: what is no page waits until they end'`,
  ...secure("alert_route"),
  `grant select, insert, update, delete on alert_route to belay_app`,

  `create table alert_silence (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     kind text,
     subject text check (char_length(subject) between 1 and 400),
     team_id uuid,
     reason text not null check (char_length(reason) between 1 and 500),
     starts_at timestamptz not null,
     ends_at timestamptz not null,
     made_at timestamptz not null,
     made_by uuid references account on delete set null,
     primary key (org_id, id),
     check (ends_at > starts_at)
   )`,
  `comment on table alert_silence is 'While it lasts, alerts that it names are not told of. What is not named is every one'`,
  ...secure("alert_silence"),
  `grant select, insert, update (ends_at) on alert_silence to belay_app`,

  `create table alert_delivery (
     org_id uuid not null,
     id uuid not null,
     alert_id uuid not null,
     channel_id uuid not null,
     event text not null,
     sequence bigint not null,
     message jsonb not null,
     made_at timestamptz not null,
     not_before timestamptz not null,
     expires_at timestamptz not null,
     queued_at timestamptz,
     state text not null check (state in ('waiting', 'delivered', 'dead')),
     attempts integer not null,
     tried_at timestamptz,
     answer jsonb,
     delivered_at timestamptz,
     primary key (org_id, id),
     foreign key (org_id, alert_id) references alert on delete cascade,
     foreign key (org_id, channel_id) references alert_channel on delete cascade
   )`,
  `comment on column alert_delivery.id is 'the idempotency key: the same however often it is sent'`,
  `comment on column alert_delivery.sequence is 'of its alert_event: later ones are not sent before'`,
  `comment on column alert_delivery.not_before is 'the end of quiet hours'`,
  `comment on column alert_delivery.expires_at is 'from then on it is dead, until somebody sends it again'`,
  `comment on column alert_delivery.queued_at is 'when it was given to the job queue; null until then'`,
  `create index alert_delivery_alert on alert_delivery (org_id, alert_id, sequence)`,
  `create index alert_delivery_unqueued on alert_delivery (org_id) where queued_at is null`,
  `create index alert_delivery_made_at on alert_delivery (org_id, made_at desc, id)`,
  ...secure("alert_delivery"),
  `grant select, insert, update on alert_delivery to belay_app, belay_worker`,
]
