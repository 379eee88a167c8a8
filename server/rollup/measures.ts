import { type RawBuilder, sql } from "kysely"

/**
 * What is counted of signals, in one place: the SQL of every measure, over the columns of `signal`.
 */

/** Kinds of signals on which a human decides. */
const DECIDED_KINDS = sql`kind in ('suggestion', 'turn', 'task', 'run', 'edit')`

/** A human took what the agent offered. */
export const IS_ACCEPTED = sql<boolean>`${DECIDED_KINDS} and outcome in ('accepted', 'modified') and origin = 'human'`

/** A human was shown something and took it, changed it, refused it or let it pass. */
export const IS_PRESENTED = sql<boolean>`${DECIDED_KINDS}
  and (outcome in ('accepted', 'modified', 'rejected') and origin = 'human'
    or outcome = 'ignored' and origin in ('human', 'dismissed', 'timeout'))`

/** A human had to answer a question of the agent's. */
export const IS_PROMPT = sql<boolean>`kind = 'permission' and origin in ('human', 'dismissed', 'timeout')`

/** A rule, a hook or a mode decided in the human's place. */
const IS_DECIDED_BY_MACHINE = sql<boolean>`
  outcome in ('accepted', 'modified', 'rejected') and origin in ('rule', 'hook', 'mode')`

/**
 * What is timed of a signal, in milliseconds: until it was shown or began to answer (suggestion, turn, model call), until
 * it was done (task, run, tool call), how long a human was waited for (permission).
 */
export const TIMED_MS = sql<number | null>`
  case
    when kind in ('suggestion', 'turn', 'model_call') then latency_ms
    when kind in ('task', 'run', 'tool_call') then duration_ms
    when kind = 'permission' then wait_ms
  end`

export interface Measure {
  readonly name: string
  readonly type: "integer" | "bigint" | "numeric(16, 6)"
  /** What one signal adds. */
  readonly of: RawBuilder<unknown>
}

const count = (name: string, condition: RawBuilder<boolean>): Measure => ({
  name,
  type: "integer",
  of: sql`case when ${condition} then 1 end`,
})

export const MEASURES: readonly Measure[] = [
  { name: "signals", type: "integer", of: sql`1` },
  count("errors", sql`error is not null`),
  count("accepted", IS_ACCEPTED),
  count("presented", IS_PRESENTED),
  count("decided_by_machine", IS_DECIDED_BY_MACHINE),
  count("prompts", IS_PROMPT),
  // Rounded for each signal: sums of fractions depend on their order.
  { name: "wait_ms", type: "bigint", of: sql`round(wait_ms)::bigint` },
  { name: "duration_ms", type: "bigint", of: sql`round(duration_ms)::bigint` },
  { name: "input_tokens", type: "bigint", of: sql`input_tokens` },
  { name: "output_tokens", type: "bigint", of: sql`output_tokens` },
  { name: "cached_tokens", type: "bigint", of: sql`cached_tokens` },
  { name: "cost_usd", type: "numeric(16, 6)", of: sql`cost_usd` },
  { name: "lines_added", type: "bigint", of: sql`lines_added` },
  { name: "lines_removed", type: "bigint", of: sql`lines_removed` },
  count("out_of_scope", sql`path_scope = 'out_of_scope'`),
]
