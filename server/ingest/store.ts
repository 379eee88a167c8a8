import { type Kysely, sql } from "kysely"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import type { Interner } from "./intern.ts"
import type { Unrecognized } from "./normalize.ts"
import {
  FILLABLE_COLUMNS,
  fillFrom,
  SIGNAL_COLUMNS,
  shortHash,
  type SignalColumn,
  type SignalRow,
  toRow,
} from "./rows.ts"
import type { Signal } from "./signal.ts"

export interface Batch {
  readonly signals: readonly Signal[]
  readonly unrecognized: readonly Unrecognized[]
}

export interface Stored {
  readonly stored: number
  /** Signals that were there already, or that only added to one that was. */
  readonly known: number
}

/**
 * Stores one batch of an organization in one transaction; when it resolves, the batch is committed.
 *
 * A signal that is there already is left alone, so a re-sent batch changes nothing. Of an event that its source
 * reports twice, the primary report is kept and takes from the secondary what only that one knows, in whichever order
 * they come.
 */
export async function storeBatch(db: Kysely<DB>, interner: Interner, orgId: string, batch: Batch): Promise<Stored> {
  if (batch.signals.length === 0 && batch.unrecognized.length === 0) return { stored: 0, known: 0 }
  const namesOf = await interner.intern(orgId, batch.signals)
  const plain: SignalRow[] = []
  const reports: Report[] = []
  for (const signal of batch.signals) {
    const row = toRow(signal, orgId, namesOf(signal))
    if (signal.occurrence === null) plain.push(row)
    else {
      const { id, evidence } = signal.occurrence
      reports.push({ occurrenceId: shortHash(id), isPrimary: evidence === "primary", row })
    }
  }
  const stored = await asTenant(db, orgId, async (tx) => {
    await recordUnrecognized(tx, orgId, batch.unrecognized)
    const settled = await settleReports(tx, orgId, mergeReports(reports))
    return insertRows(tx, await placeInSessions(tx, [...plain, ...settled]))
  })
  return { stored, known: batch.signals.length - stored }
}

/** One of possibly two reports of one event. */
interface Report {
  readonly occurrenceId: string
  readonly isPrimary: boolean
  readonly row: SignalRow
}

/** At most one report per event, in an order that every process shares, so that row locks cannot cross. */
function mergeReports(reports: readonly Report[]): readonly Report[] {
  const merged = new Map<string, Report>()
  for (const report of reports) {
    const other = merged.get(report.occurrenceId)
    if (other === undefined) merged.set(report.occurrenceId, report)
    else {
      const [winner, loser] = report.isPrimary && !other.isPrimary ? [report, other] : [other, report]
      merged.set(report.occurrenceId, { ...winner, row: fillFrom(winner.row, loser.row) })
    }
  }
  return [...merged.values()].toSorted((a, b) => (a.occurrenceId < b.occurrenceId ? -1 : 1))
}

type KnownOccurrence = Pick<SignalRow, "observed_at" | "developer_id" | "signal_id"> & {
  readonly occurrence_id: string
  readonly is_primary: boolean
}

/**
 * Registers each report and returns the rows that have to be inserted.
 *
 * Booleans travel as text: the driver takes the type of an array from its first element, and a boolean's is no array.
 */
async function settleReports(tx: TenantTx, orgId: string, reports: readonly Report[]): Promise<SignalRow[]> {
  if (reports.length === 0) return []
  const fresh = await sql<{ occurrence_id: string }>`
    insert into signal_occurrence (org_id, occurrence_id, is_primary, observed_at, developer_id, signal_id)
    select ${orgId}::uuid, occurrence_id::bytea, is_primary::bool, observed_at::timestamptz, developer_id, signal_id::bytea
    from unnest(
      ${reports.map((report) => report.occurrenceId)}::text[], ${reports.map((report) => String(report.isPrimary))}::text[],
      ${reports.map((report) => report.row.observed_at)}::text[],
      ${reports.map((report) => report.row.developer_id)}::uuid[],
      ${reports.map((report) => report.row.signal_id)}::text[]
    ) as report(occurrence_id, is_primary, observed_at, developer_id, signal_id)
    on conflict do nothing
    returning '\\x' || encode(occurrence_id, 'hex') as occurrence_id`.execute(tx)
  const freshIds = new Set(fresh.rows.map((row) => row.occurrence_id))
  const seenBefore = reports.filter((report) => !freshIds.has(report.occurrenceId))
  const rows = reports.filter((report) => freshIds.has(report.occurrenceId)).map((report) => report.row)
  if (seenBefore.length === 0) return rows

  const known = await sql<KnownOccurrence>`
    select '\\x' || encode(occurrence_id, 'hex') as occurrence_id, is_primary, observed_at::text as observed_at,
      developer_id, '\\x' || encode(signal_id, 'hex') as signal_id
    from signal_occurrence
    where org_id = ${orgId}::uuid
      and occurrence_id = any(array(select id::bytea from unnest(${seenBefore.map((r) => r.occurrenceId)}::text[]) id))
    order by occurrence_id
    for update`.execute(tx)
  const knownById = new Map(known.rows.map((row) => [row.occurrence_id, row]))
  for (const report of seenBefore) {
    const before = knownById.get(report.occurrenceId)
    // Gone between the two statements: retention removed it, so this report stands alone.
    if (before === undefined) rows.push(report.row)
    else if (before.signal_id === report.row.signal_id) continue
    else if (before.is_primary || !report.isPrimary) await fillKnown(tx, before, report.row)
    else rows.push(await replaceSecondary(tx, orgId, before, report))
  }
  return rows
}

/** Adds to the stored signal what it does not know. */
async function fillKnown(tx: TenantTx, before: KnownOccurrence, row: SignalRow): Promise<void> {
  const news = FILLABLE_COLUMNS.filter((column) => row[column] !== null)
  if (news.length === 0) return
  const types = new Map(SIGNAL_COLUMNS.map((column) => [column.name, column.cast ?? column.type]))
  const assignments = news.map(
    (column) =>
      sql`${sql.ref(column)} = coalesce(${sql.ref(column)}, ${row[column]}::${sql.raw(types.get(column) ?? "text")})`,
  )
  await sql`update signal set ${sql.join(assignments)} where ${isSignal(before)}`.execute(tx)
}

/** The primary report came second: it takes the place of the secondary one. */
async function replaceSecondary(
  tx: TenantTx,
  orgId: string,
  before: KnownOccurrence,
  report: Report,
): Promise<SignalRow> {
  const removed = await sql<Pick<SignalRow, (typeof FILLABLE_COLUMNS)[number]>>`
    delete from signal where ${isSignal(before)} returning ${sql.join(FILLABLE_COLUMNS.map(asSent))}`.execute(tx)
  await sql`
    update signal_occurrence
    set is_primary = true, observed_at = ${report.row.observed_at}::timestamptz,
      developer_id = ${report.row.developer_id}::uuid, signal_id = ${report.row.signal_id}::text::bytea
    where org_id = ${orgId}::uuid and occurrence_id = ${report.occurrenceId}::text::bytea`.execute(tx)
  const secondary = removed.rows[0]
  return secondary === undefined ? report.row : fillFrom(report.row, secondary)
}

/** A stored column in the form in which rows carry it: numeric as a number. */
function asSent(column: SignalColumn) {
  return column === "cost_usd" ? sql`cost_usd::float8 as cost_usd` : sql.ref(column)
}

function isSignal(key: Pick<SignalRow, "observed_at" | "developer_id" | "signal_id">) {
  return sql`observed_at = ${key.observed_at}::text::timestamptz and developer_id = ${key.developer_id}::uuid
    and signal_id = ${key.signal_id}::text::bytea`
}

/** An operation that began longer ago has ended. */
const OPERATION_MAX = "1 day"

/**
 * Gives a row that knows its session but no operation the operation of the session's latest prompt; a sub-agent's task
 * gets it as its parent. Exporters send every second or so, and some sources write the events of one turn outside its
 * trace, so the prompt is usually in an earlier batch.
 */
async function placeInSessions(tx: TenantTx, rows: readonly SignalRow[]): Promise<readonly SignalRow[]> {
  const places = rows.map(placeOf)
  const unplaced = rows.flatMap((row, index) => (places[index] === null ? [] : [{ row, index }]))
  if (unplaced.length === 0) return rows
  const found = await sql<{ index: number; operation_id: string }>`
    select unplaced.index, latest.operation_id
    from unnest(
      ${unplaced.map(({ index }) => index)}::int4[], ${unplaced.map(({ row }) => row.session_id)}::text[],
      ${unplaced.map(({ row }) => row.observed_at)}::text[]
    ) as unplaced(index, session_id, observed_at)
    cross join lateral (
      select s.operation_id from signal s
      where s.kind = 'start' and s.session_id = unplaced.session_id and s.operation_id is not null
        and s.observed_at <= unplaced.observed_at::timestamptz
        and s.observed_at > unplaced.observed_at::timestamptz - ${OPERATION_MAX}::interval
      order by s.observed_at desc limit 1
    ) latest`.execute(tx)
  const operations = new Map(found.rows.map((row) => [row.index, row.operation_id]))
  return rows.map((row, index) => {
    const [place, operationId] = [places[index], operations.get(index)]
    return place == null || operationId === undefined || operationId === row.operation_id
      ? row
      : { ...row, [place]: operationId }
  })
}

/** The column in which a row lacks its operation; null when it is placed, or stands for more than one operation. */
function placeOf(row: SignalRow): "operation_id" | "parent_operation_id" | null {
  if (row.session_id === null || row.kind === "session" || row.kind === "presence" || row.kind === "start") return null
  if (row.operation_id === null) return row.kind === "task" ? null : "operation_id"
  // Below orchestration a task is what was asked for, not what an agent handed on.
  const isHandedOn = row.kind === "task" && row.rung === "orchestration" && row.parent_operation_id === null
  return isHandedOn ? "parent_operation_id" : null
}

/** Inserts the rows that are not there yet and returns how many that were. */
async function insertRows(tx: TenantTx, rows: readonly SignalRow[]): Promise<number> {
  if (rows.length === 0) return 0
  const names = sql.join(SIGNAL_COLUMNS.map((column) => sql.ref(column.name)))
  const arrays = SIGNAL_COLUMNS.map((column) => sql`${rows.map((row) => row[column.name])}::${sql.raw(column.type)}[]`)
  const values = SIGNAL_COLUMNS.map((column) =>
    column.cast === undefined ? sql.ref(column.name) : sql`${sql.ref(column.name)}::${sql.raw(column.cast)}`,
  )
  const result = await sql`
    insert into signal (${names}) select ${sql.join(values)} from unnest(${sql.join(arrays)}) as signals(${names})
    on conflict do nothing`.execute(tx)
  return Number(result.numAffectedRows ?? 0)
}

/** Names kept per organization; past it, new ones are counted together. */
const UNRECOGNIZED_NAMES_MAX = 1000

async function recordUnrecognized(tx: TenantTx, orgId: string, items: readonly Unrecognized[]): Promise<void> {
  if (items.length === 0) return
  const sorted = items.toSorted((a, b) => (unrecognizedKey(a) < unrecognizedKey(b) ? -1 : 1))
  await sql`
    with seen as (
      select dialect, otlp_signal, name, count
      from unnest(
        ${sorted.map((item) => item.dialect)}::text[], ${sorted.map((item) => item.signal)}::text[],
        ${sorted.map((item) => item.name)}::text[], ${sorted.map((item) => item.count)}::int8[]
      ) as seen(dialect, otlp_signal, name, count)
    ), room as (
      select count(*) < ${UNRECOGNIZED_NAMES_MAX} as is_left from unrecognized_item where org_id = ${orgId}::uuid
    ), named as (
      select s.dialect, s.otlp_signal, s.count,
        case when room.is_left or exists (
          select from unrecognized_item u
          where u.org_id = ${orgId}::uuid and (u.dialect, u.otlp_signal, u.name) = (s.dialect, s.otlp_signal, s.name)
        ) then s.name else '(other)' end as name
      from seen s, room
    )
    insert into unrecognized_item as item (org_id, dialect, otlp_signal, name, count)
    select ${orgId}::uuid, dialect, otlp_signal, name, sum(count) from named group by dialect, otlp_signal, name
    order by dialect, otlp_signal, name
    on conflict (org_id, dialect, otlp_signal, name)
    do update set count = item.count + excluded.count, last_seen_at = now()`.execute(tx)
}

function unrecognizedKey(item: Unrecognized): string {
  return `${item.dialect}\u0000${item.signal}\u0000${item.name}`
}
