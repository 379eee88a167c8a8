import { type Kysely, sql } from "kysely"

/** What the detector has not seen yet, its memory, and the incidents that it found, with what people made of them. */
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

/** A queue: the rollups append in the transaction that counts the signals, the detector deletes what it takes. */
const queue = (table: string) => [
  `create index ${table}_hour on ${table} (org_id, arrived_hour)`,
  `comment on column ${table}.arrived_hour is 'in which the signals were stored: that of their batch_id'`,
  ...secure(table),
  `grant select, insert, delete on ${table} to belay_worker`,
]

const PLACE = `
  developer_id uuid not null,
  agent_tool_id integer not null,
  agent_version_id integer,
  model_id integer,
  language_id integer,
  mode_id integer`

const STATEMENTS = [
  `alter table signal add column context_files integer`,
  `alter table signal_retraction add column context_files integer`,
  `comment on column signal.context_files is 'files that the operation was given as context, where the source says so'`,
  `create or replace view signal_readable with (security_invoker = true) as
     select
       s.org_id, s.developer_id, d.pseudonym as developer, s.observed_at, s.received_at,
       replace(s.signal_id::text, '-', '') as signal_id, s.kind, s.rung,
       s.operation_id, s.parent_operation_id, s.session_id,
       tool.value as agent_tool, version.value as agent_version, s.surface, mode.value as mode, model.value as model,
       provider.value as provider, language.value as language, repository.value as repository,
       s.outcome, s.origin, s.latency_ms, s.duration_ms, s.wait_ms,
       s.input_tokens, s.output_tokens, s.cached_tokens, s.cost_usd,
       s.lines_added, s.lines_removed, s.files_changed, s.tool_calls, s.prompts,
       s.path_scope, s.action, s.error, s.policy_version, s.context_files
     from signal s
     left join developer d on d.id = s.developer_id
     left join dimension tool on tool.id = s.agent_tool_id
     left join dimension version on version.id = s.agent_version_id
     left join dimension mode on mode.id = s.mode_id
     left join dimension model on model.id = s.model_id
     left join dimension provider on provider.id = s.provider_id
     left join dimension language on language.id = s.language_id
     left join dimension repository on repository.id = s.repository_id`,

  `alter table team add column time_zone text`,
  `comment on column team.time_zone is 'IANA zone of its working hours; null is the organization''s'`,
  `grant update (time_zone) on team to belay_app`,

  `alter table signal_batch add column duplicates integer not null default 0`,
  `comment on column signal_batch.duplicates is 'signals that came with this commit and had been stored before'`,
  `alter table change add column observed_in timestamptz`,
  `comment on column change.observed_in is 'end of the hour of arrival in which the detector saw it; null until then'`,
  `grant update (observed_in) on change to belay_worker`,

  `create table arrived_suggestion (
     org_id uuid not null,
     arrived_hour timestamptz not null,
     hour timestamptz not null,
     ${PLACE},
     units integer not null,
     presented integer not null,
     accepted integer not null,
     errors integer not null,
     latency_buckets smallint[] not null,
     latency_counts integer[] not null
   )`,
  `comment on table arrived_suggestion is
     'Suggestions by person, place and the hour in which they were shown. Rows add up; what was corrected is taken off'`,
  ...queue("arrived_suggestion"),

  `create table arrived_operation (
     org_id uuid not null,
     arrived_hour timestamptz not null,
     operation_id text not null,
     is_retracted boolean not null,
     ${PLACE},
     signals integer not null,
     rung rung not null,
     parent_operation_id text,
     first_at timestamptz,
     last_at timestamptz,
     has_ended boolean not null,
     presented integer not null,
     accepted integer not null,
     prompts integer not null,
     denied integer not null,
     errors integer not null,
     edits integer not null,
     out_of_scope integer not null,
     tool_calls integer not null,
     tool_calls_told integer not null,
     compactions integer not null,
     context_files integer,
     latency_ms real,
     duration_ms real,
     is_interrupted boolean not null,
     outcome outcome,
     outcome_at timestamptz,
     out_of_scope_actions text[],
     error_actions text[]
   )`,
  `comment on table arrived_operation is
     'What signals of one turn, task or run say together, by place; those that were corrected since apart, to be taken off'`,
  `comment on column arrived_operation.tool_calls_told is 'by the signals that end it, beside the signals of the calls'`,
  `comment on column arrived_operation.outcome_at is 'of late outcomes, which are grouped by outcome'`,
  ...queue("arrived_operation"),

  `create table arrived_presence (
     org_id uuid not null,
     arrived_hour timestamptz not null,
     hour timestamptz not null,
     developer_id uuid not null,
     active_ms bigint
   )`,
  `comment on table arrived_presence is 'Who was at work in which hour; active_ms where a presence feed says so'`,
  ...queue("arrived_presence"),

  `create table arrived_delivery (
     org_id uuid not null,
     arrived_hour timestamptz not null,
     signals integer not null,
     late integer not null,
     duplicates integer not null
   )`,
  `comment on column arrived_delivery.late is 'observed more than two hours before they were stored, late outcomes excluded'`,
  ...queue("arrived_delivery"),

  `create table detector_state (
     org_id uuid primary key references org on delete cascade,
     observed_until timestamptz,
     data bytea
   )`,
  `comment on table detector_state is
     'What the detector remembers of an organization; who takes its next step holds the lock on the row'`,
  `comment on column detector_state.observed_until is 'end of the last hour of arrival that it saw'`,
  ...secure("detector_state"),
  `grant select, insert, update on detector_state to belay_worker`,

  // Without a foreign key to the team: one that is deleted must not turn its incidents into the organization's.
  `create table incident (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     kind text not null check (kind in ('breakage', 'over_trust', 'data_quality')),
     rung rung not null,
     also_rungs rung[] not null,
     state text not null check (state in ('open', 'recovering', 'recovered', 'new_normal')),
     opened_at timestamptz not null,
     started_at timestamptz not null,
     started_from timestamptz not null,
     started_to timestamptz not null,
     closed_at timestamptz,
     reopened integer not null,
     team_id uuid,
     developer_id uuid,
     client text,
     model text,
     language text,
     mode text,
     cause text not null,
     causes jsonb not null,
     evidence jsonb not null,
     checks jsonb not null,
     changes jsonb not null,
     daily jsonb not null default '[]',
     recovered_after jsonb,
     action text,
     fallback_to rung,
     people integer not null,
     people_affected integer not null,
     explained double precision,
     confidence double precision not null,
     note text,
     updated_at timestamptz not null,
     acknowledged_at timestamptz,
     acknowledged_by uuid references account on delete set null,
     accepted_at timestamptz,
     accepted_by uuid references account on delete set null,
     primary key (org_id, id)
   )`,
  `comment on column incident.updated_at is 'end of the hour of arrival after which the detector or somebody last changed it'`,
  `comment on column incident.accepted_at is 'when somebody said that this is the new normal; the detector leaves it closed'`,
  `create index incident_opened_at on incident (org_id, opened_at desc, id desc)`,
  ...secure("incident"),
  `grant select, update (state, closed_at, updated_at, acknowledged_at, acknowledged_by, accepted_at, accepted_by)
     on incident to belay_app`,
  `grant select, insert, update on incident to belay_worker`,

  `create table incident_event (
     org_id uuid not null,
     incident_id uuid not null,
     sequence bigint generated always as identity,
     kind text not null check (kind in ('opened', 'widened', 'narrowed', 'moved', 'cause_changed', 'recovering',
       'recovered', 'reopened', 'new_normal_proposed', 'new_normal_accepted', 'acknowledged', 'labelled', 'note')),
     at timestamptz not null,
     account_id uuid references account on delete set null,
     is_by_detector boolean not null,
     details jsonb not null,
     people integer,
     primary key (org_id, incident_id, sequence),
     foreign key (org_id, incident_id) references incident on delete cascade
   )`,
  `comment on table incident_event is 'What became of an incident, in order; never changed'`,
  `comment on column incident_event.people is
     'of the incident at that time: its place may have been too small to show, though it is not now'`,
  `comment on column incident_event.account_id is 'null for the detector, and for people who are gone'`,
  ...secure("incident_event"),
  `grant select, insert on incident_event to belay_app, belay_worker`,

  `create table incident_label (
     org_id uuid not null,
     incident_id uuid not null,
     account_id uuid not null references account on delete cascade,
     is_real boolean not null,
     cause text,
     comment text check (char_length(comment) <= 500),
     at timestamptz not null,
     primary key (org_id, incident_id, account_id),
     foreign key (org_id, incident_id) references incident on delete cascade
   )`,
  `comment on table incident_label is 'What people say that an incident was: the truth that the detector is measured against'`,
  ...secure("incident_label"),
  `grant select, insert, update (is_real, cause, comment, at) on incident_label to belay_app`,
  `grant select on incident_label to belay_worker`,
]
