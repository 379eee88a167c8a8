import { sql } from "kysely"
import type { Counting } from "./counting.ts"

/**
 * Kinds of signals that tell of calls of a model, each call once: a source that has no signal for each call sums them in
 * its turn. A task or run that has tokens repeats those of its calls, and `context` an agent's own estimate of a turn.
 */
export const IS_CALL = sql<boolean>`kind in ('model_call', 'turn', 'suggestion')
  and (input_tokens is not null or output_tokens is not null or cost_usd is not null)`

const FIGURES = [
  "calls",
  "input_tokens",
  "output_tokens",
  "cost_usd",
  "open_calls",
  "open_input_tokens",
  "open_cached_tokens",
  "open_output_tokens",
].map((name) => sql.ref(name))

/** Of signals that are added, less those that are taken back. */
const SUMS = sql`
  sum(sign)::integer,
  coalesce(sum(sign * input_tokens), 0)::bigint,
  coalesce(sum(sign * output_tokens), 0)::bigint,
  coalesce(sum(sign * cost_usd), 0)::numeric(16, 6),
  coalesce(sum(sign) filter (where cost_usd is null), 0)::integer,
  coalesce(sum(sign * input_tokens) filter (where cost_usd is null), 0)::bigint,
  -- Not more than all of them, whatever the source says.
  coalesce(sum(sign * least(cached_tokens, coalesce(input_tokens, 0)))
    filter (where cost_usd is null and cached_tokens is not null), 0)::bigint,
  coalesce(sum(sign * output_tokens) filter (where cost_usd is null), 0)::bigint`

const ADDED = sql.join(FIGURES.map((figure) => sql`${figure} = r.${figure} + excluded.${figure}`))

/** In all time zones of today days begin with a quarter of an hour. */
export const SLOT_OF = sql`date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00:00+00')`

/** Adds the counted signals to `model_use`, whose days budgets take in whatever zone. */
export async function addModelUse({ tx, orgId }: Counting): Promise<void> {
  await sql`
    insert into model_use as r (org_id, slot, developer_id, model_id, provider_id, ${sql.join(FIGURES)})
    select ${orgId}::uuid, ${SLOT_OF}, developer_id, coalesce(model_id, 0), coalesce(provider_id, 0), ${SUMS}
    from counted_signal where ${IS_CALL}
    group by 2, 3, 4, 5 order by 2, 3, 4, 5
    on conflict (org_id, slot, developer_id, model_id, provider_id) do update set ${ADDED}`.execute(tx)
}

const DAY_KEY = ["day", "developer_id", "model_id", "provider_id", "utc_day"].map((name) => sql.ref(name))

/** Adds the counted signals to the days of `model_use_day`. Only steps do this: a rebuild makes them of all of `model_use`. */
export async function addModelUseDays({ tx, orgId, timeZone }: Counting): Promise<void> {
  await sql`
    insert into model_use_day as r (org_id, ${sql.join(DAY_KEY)}, ${sql.join(FIGURES)})
    select ${orgId}::uuid, (observed_at at time zone ${timeZone})::date, developer_id, coalesce(model_id, 0),
      coalesce(provider_id, 0), (observed_at at time zone 'UTC')::date, ${SUMS}
    from counted_signal where ${IS_CALL}
    group by 2, 3, 4, 5, 6 order by 2, 3, 4, 5, 6
    on conflict (org_id, ${sql.join(DAY_KEY)}) do update set ${ADDED}`.execute(tx)
  await sql`
    delete from model_use_day where org_id = ${orgId}::uuid and calls = 0
      and day in (select (observed_at at time zone ${timeZone})::date from counted_signal where sign < 0)`.execute(tx)
}

/** Makes all days anew, in the organization's time zone. */
export async function remakeModelUseDays({ tx, orgId, timeZone }: Omit<Counting, "daysFrom">): Promise<void> {
  await tx.deleteFrom("model_use_day").where("org_id", "=", orgId).execute()
  await sql`
    insert into model_use_day (org_id, ${sql.join(DAY_KEY)}, ${sql.join(FIGURES)})
    select org_id, (slot at time zone ${timeZone})::date, developer_id, model_id, provider_id,
      (slot at time zone 'UTC')::date, ${sql.join(FIGURES.map((figure) => sql`sum(${figure})`))}
    from model_use where org_id = ${orgId}::uuid group by 1, 2, 3, 4, 5, 6 order by 2, 3, 4, 5, 6`.execute(tx)
}

/** Rows of which everything was taken back, as counting anew would not make them. */
export async function removeEmptyModelUse({ tx, orgId }: Counting): Promise<void> {
  await sql`
    delete from model_use where org_id = ${orgId}::uuid and calls = 0
      and slot in (select ${SLOT_OF} from counted_signal where sign < 0)`.execute(tx)
}

/** A client's clock may be so much behind the server's. */
const SKEW = sql`interval '5 seconds'`

/**
 * Marks what was reserved for calls whose signals were just counted: of one operation the first call after the other.
 * The budget's next count lets go of them. Only steps do this: a rebuild counts what has come before.
 */
export async function settleReservations({ tx, orgId }: Counting): Promise<void> {
  await sql`
    with call as (
      select operation_id, observed_at, row_number() over (partition by operation_id order by observed_at) as place
      from counted_signal
      where ${IS_CALL} and sign > 0 and operation_id in (
        select operation_id from budget_reservation
        where org_id = ${orgId}::uuid and operation_id is not null and settled_at is null
      )
    ), reserved as (
      select id, operation_id, min(reserved_at) as reserved_at,
        row_number() over (partition by operation_id order by min(reserved_at), id) as place
      from budget_reservation
      where org_id = ${orgId}::uuid and settled_at is null and operation_id in (select operation_id from call)
      group by id, operation_id
    )
    update budget_reservation r set settled_at = now()
    from reserved join call on call.operation_id = reserved.operation_id and call.place = reserved.place
    where r.org_id = ${orgId}::uuid and r.id = reserved.id and r.settled_at is null
      and call.observed_at >= reserved.reserved_at - ${SKEW}`.execute(tx)
}
