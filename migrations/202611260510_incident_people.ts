import { type Kysely, sql } from "kysely"

/** Which signal an incident stands on, that it is proposed as the new normal, and how many people its figures rest on. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `alter table incident
     add column leading_signal text,
     add column proposed_at timestamptz,
     add column proposed_ratio double precision,
     add column proposed_people integer,
     add column declined_at timestamptz,
     add column declined_by uuid references account on delete set null`,
  `comment on column incident.leading_signal is 'the signal of evidence that names the cause; null where nothing was measured'`,
  `comment on column incident.proposed_at is 'since when its level is proposed as the new normal'`,
  `comment on column incident.proposed_ratio is 'that level: observed / expected of the leading signal'`,
  `comment on column incident.declined_at is
     'when somebody last said that this is not the new normal; it is proposed again some weeks later at the earliest'`,
  `grant update (proposed_at, proposed_ratio, proposed_people, declined_at, declined_by) on incident to belay_app`,

  // What was found before: the signal that pages have shown as the leading one.
  `update incident set leading_signal = coalesce(
     (select item ->> 'watched' from jsonb_array_elements(evidence) with ordinality as signal(item, place)
       where case item ->> 'watched'
         when 'acceptance' then 'quality' when 'outcome' then 'quality' when 'slow' then 'latency'
         when 'prompts' then 'permission' when 'context' then 'context_loss' when 'use' then 'unknown'
         else item ->> 'watched' end = cause
       order by place limit 1),
     evidence -> 0 ->> 'watched')`,
  // Nobody counted whom those figures rest on. What rests on nobody is not shown; the telemetry's is of no people.
  `update incident set checks = (
     select coalesce(jsonb_agg(
       item || jsonb_build_object('people',
         case when item ->> 'check' not in ('telemetry_stopped', 'telemetry_late', 'duplicates') then 0 end)
       order by place), '[]')
     from jsonb_array_elements(checks) with ordinality as found(item, place))`,
  `comment on column incident.evidence is
     'how each signal stands, with how many people that rests on, at least; what is shown of it is decided when it is read'`,

  `alter table incident_event drop constraint incident_event_kind_check`,
  `alter table incident_event add constraint incident_event_kind_check check (kind in ('opened', 'widened', 'narrowed',
     'moved', 'cause_changed', 'recovering', 'recovered', 'reopened', 'new_normal_proposed', 'new_normal_accepted',
     'new_normal_declined', 'acknowledged', 'labelled', 'note'))`,
]
