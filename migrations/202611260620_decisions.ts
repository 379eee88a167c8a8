import { type Kysely, sql } from "kysely"

/** What a policy decided, with its signal; decisions and permission prompts by the hour; suggestions nobody wants. */
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
  `create type policy_effect as enum ('allow', 'ask', 'deny')`,
  `create type policy_because as enum ('rule', 'default', 'unset', 'unsure', 'no_policy', 'error')`,
  // Null in all but decisions, which costs a row nothing.
  ...["signal", "signal_retraction"].map(
    (table) => `alter table ${table}
      add column policy_effect policy_effect,
      add column policy_because policy_because,
      add column policy_rule text check (char_length(policy_rule) <= 120),
      add column policy_layer policy_layer_kind`,
  ),
  `comment on column signal.policy_rule is 'the id of the rule that decided, or of the section whose bound did'`,
  `do $$ begin
     perform belay_grant_signal_copy(inhrelid::regclass) from pg_inherits where inhparent = 'signal'::regclass;
   end $$`,
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
       s.path_scope, s.action, s.error, s.policy_version, s.context_files,
       s.policy_effect, s.policy_because, s.policy_rule, s.policy_layer
     from signal s
     left join developer d on d.id = s.developer_id
     left join dimension tool on tool.id = s.agent_tool_id
     left join dimension version on version.id = s.agent_version_id
     left join dimension mode on mode.id = s.mode_id
     left join dimension model on model.id = s.model_id
     left join dimension provider on provider.id = s.provider_id
     left join dimension language on language.id = s.language_id
     left join dimension repository on repository.id = s.repository_id`,

  // Nulls are no part of a primary key, hence the digest of all the rest as an id.
  `create table decision_case (
     org_id uuid not null references org on delete cascade,
     id uuid not null,
     kind signal_kind not null check (kind in ('policy_decision', 'permission')),
     rung rung not null,
     agent_tool_id integer not null,
     mode_id integer,
     surface surface,
     repository_id integer,
     action text,
     effect policy_effect,
     because policy_because,
     rule text,
     layer policy_layer_kind,
     policy_version integer,
     outcome outcome,
     origin origin,
     primary key (org_id, id)
   )`,
  `comment on table decision_case is
     'What was decided on, in what circumstances, and how: by a policy (policy_decision), or by a person who was asked (permission)'`,
  ...secure("decision_case"),
  `grant select on decision_case to belay_app`,
  `grant select, insert on decision_case to belay_worker`,

  `create table decision_hour (
     org_id uuid not null,
     hour timestamptz not null,
     developer_id uuid not null,
     case_id uuid not null,
     signals integer not null,
     primary key (org_id, hour, developer_id, case_id)
   )`,
  `comment on table decision_hour is 'How often a person''s agents came upon a case in an hour: what decisions and dry runs are read from'`,
  `comment on column decision_hour.hour is 'of the organization''s time zone, so that days are whole hours'`,
  ...secure("decision_hour"),
  `grant select on decision_hour to belay_app`,
  `grant select, insert, update, delete on decision_hour to belay_worker`,
  // Prompts are in signals that were counted before.
  `update rollup_state set needs_rebuild = true`,

  `create table policy_suggestion_dismissal (
     org_id uuid not null references org on delete cascade,
     suggestion text not null check (char_length(suggestion) <= 200),
     dismissed_by uuid references account on delete set null,
     dismissed_at timestamptz not null,
     primary key (org_id, suggestion)
   )`,
  `comment on table policy_suggestion_dismissal is 'Suggested rules that somebody said no to'`,
  `comment on column policy_suggestion_dismissal.suggestion is 'the action, and the repository after a space where it is about one'`,
  ...secure("policy_suggestion_dismissal"),
  `grant select, insert, delete on policy_suggestion_dismissal to belay_app`,
]
