import { type Kysely, sql } from "kysely"

/** What the page on outcomes is read from: tasks that ran, their tool calls, and whose work it is that became something. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `alter table operation add column tool_calls_seen integer not null default 0`,
  `alter table operation add column tool_calls_said integer`,
  `comment on column operation.tool_calls_seen is 'tool calls that have a signal of their own'`,
  `comment on column operation.tool_calls_said is 'tool calls as its end counts them; null where no signal does'`,
  `alter table developer_day add column ran integer`,
  `comment on column developer_day.ran is
     'operations of which more was seen than their start; null on days that were counted before this was'`,

  `create table joined_operation (
     org_id uuid not null references org on delete cascade,
     operation_id text not null,
     task_id text not null,
     developer_id uuid not null,
     agent_tool_id integer not null,
     rung rung not null,
     started_at timestamptz not null,
     tool_calls integer,
     signals integer not null,
     primary key (org_id, operation_id)
   )`,
  `comment on table joined_operation is
     'Operations of which something became known: a change has their work, or another system said what became of it. Kept when the operation itself no longer is, since what becomes of work is known later'`,
  `comment on column joined_operation.task_id is 'the operation that it is a part of, or it itself: person, rung, start and tool calls are that one''s'`,
  `comment on column joined_operation.tool_calls is 'of the task with its parts; null where no signal tells of any'`,
  `comment on column joined_operation.signals is 'of the task with its parts when this was written'`,
  `create index joined_operation_started on joined_operation (org_id, started_at)`,
  `create index joined_operation_task on joined_operation (org_id, task_id)`,
  `alter table joined_operation enable row level security`,
  `create policy tenant on joined_operation to belay_app
     using (org_id = current_setting('belay.org_id')::uuid)
     with check (org_id = current_setting('belay.org_id')::uuid)`,
  `create policy worker on joined_operation to belay_worker using (true) with check (true)`,
  `grant select, insert, update on joined_operation to belay_app`,
  `create index change_request_opened on change_request (org_id, opened_at)`,

  // Counted from signals that were counted before.
  `update rollup_state set needs_rebuild = true`,
]
