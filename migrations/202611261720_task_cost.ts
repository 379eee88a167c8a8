import { type Kysely, sql } from "kysely"

/** What calls of models took for each operation, and with which model, so that changes can be said to have cost something. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = ["operation", "joined_operation"]
  .flatMap((table) => [
    `alter table ${table}
       add column calls integer not null default 0,
       add column cost_usd numeric(16, 6) not null default 0,
       add column open_input_tokens bigint not null default 0,
       add column open_cached_tokens bigint not null default 0,
       add column open_output_tokens bigint not null default 0,
       add column model_id integer,
       add column other_model_id integer,
       add column provider_id integer,
       add column other_provider_id integer`,
    `comment on column ${table}.calls is 'of models, each once; what they took is in the columns after it'`,
    `comment on column ${table}.open_input_tokens is 'of calls of which the source gives no cost, as in model_use'`,
    `comment on column ${table}.model_id is 'the one with the lowest id of its calls; 0 where a call names none'`,
    `comment on column ${table}.other_model_id is 'the one with the highest id: the same where only one was called'`,
  ])
  // Counted from signals that were counted before.
  .concat(`update rollup_state set needs_rebuild = true`)
