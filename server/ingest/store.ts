import { type RawBuilder, sql } from "kysely"
import type { CopyClient } from "../db/copy-client.ts"
import { asTenant, requireUuid, type TenantTx } from "../db/tenant.ts"
import { COPIED_COLUMNS, COPY_HEADER, COPY_TRAILER, type EncodedRows, encodeRows } from "./encode-rows.ts"
import type { Interner } from "./intern.ts"
import type { Unrecognized } from "./normalize.ts"
import { STANDS_ALONE } from "./operations.ts"
import {
  FILLABLE_COLUMNS,
  fillFrom,
  SIGNAL_COLUMNS,
  shortHash,
  signalIdOf,
  type SignalColumn,
  type SignalRow,
  toRow,
  toTimestamp,
} from "./rows.ts"
import type { Signal } from "./signal.ts"

export interface Batch {
  readonly signals: readonly Signal[]
  readonly unrecognized: readonly Unrecognized[]
}

/** A batch of one organization, ready to be stored together with others. */
export interface PreparedBatch {
  readonly orgId: string
  readonly rows: number
  /** Roughly what it takes in memory. */
  readonly bytes: number
  /** Most rows: nothing has to be asked of the database to store them. */
  readonly encoded: readonly EncodedRows[]
  readonly reports: readonly Report[]
  /** Rows whose operation may be in an earlier batch. */
  readonly unplaced: readonly SignalRow[]
  readonly unrecognized: readonly Unrecognized[]
}

/** Of a row that is not encoded yet. */
const ROW_BYTES = 1024

/** Interns the names of a batch and encodes its rows. */
export async function prepareBatch(interner: Interner, orgId: string, batch: Batch): Promise<PreparedBatch> {
  const namesOf = await interner.intern(orgId, batch.signals)
  const plain: SignalRow[] = []
  const unplaced: SignalRow[] = []
  const reports: Report[] = []
  for (const signal of batch.signals) {
    const row = toRow(signal, orgId, namesOf(signal))
    if (signal.occurrence !== null) {
      const { id, evidence } = signal.occurrence
      reports.push({ occurrenceId: shortHash(id), isPrimary: evidence === "primary", row })
    } else if (placeOf(row) === null) plain.push(row)
    else unplaced.push(row)
  }
  const encoded = encodeRows(plain)
  const asked = reports.length + unplaced.length
  return {
    orgId,
    rows: batch.signals.length,
    bytes: encoded.reduce((sum, { data }) => sum + data.length, 0) + ROW_BYTES * (asked + batch.unrecognized.length),
    encoded,
    reports,
    unplaced,
    unrecognized: batch.unrecognized,
  }
}

/**
 * Stores batches of one organization in one transaction; when it resolves, they are committed.
 *
 * A signal that is there already is left alone, so a re-sent batch changes nothing: with `mayRepeat`. Without it rows go
 * straight into the table, which takes half as long, and one that is there already is an error (SQLSTATE 23505).
 * Of an event that its source reports twice, the primary report is kept and takes from the secondary what only that one
 * knows, in whichever order they come.
 *
 * `batchId` marks the rows, and `signal_batch` says in the same transaction that they wait to be counted. It is unique in
 * the organization; one that is taken is an error too (23505).
 */
export async function storeBatches(
  client: CopyClient,
  orgId: string,
  batchId: number,
  batches: readonly PreparedBatch[],
  mayRepeat: boolean,
): Promise<{ stored: number }> {
  const encoded = batches.flatMap((batch) => batch.encoded)
  const reports = batches.flatMap((batch) => batch.reports)
  const unplaced = batches.flatMap((batch) => batch.unplaced)
  const unrecognized = mergeUnrecognized(batches.flatMap((batch) => batch.unrecognized))
  const copy = mayRepeat ? copyNew : copyAll
  if (!mayRepeat && reports.length + unplaced.length + unrecognized.length === 0) {
    const { statements, data } = copyStatements(encoded)
    const rows = countRows(encoded)
    const begin = `begin; set local belay.org_id = '${requireUuid(orgId)}'; ${markBatch(batchId)}`
    const announce = announceBatch(orgId, batchId, {
      rows,
      duplicates: 0,
      days: new Set(encoded.map((part) => part.day)),
    })
    const tags = await client.copy([begin, ...statements, announce, "commit"].join("; "), data)
    if (tags.at(-1) !== "COMMIT") throw new Error(`the database did not commit: ${tags.at(-1)}`)
    return { stored: countCopied(tags) }
  }
  return asTenant(client.kysely, orgId, async (tx) => {
    await sql.raw(markBatch(batchId)).execute(tx)
    const correct = createCorrection(tx, batchId)
    // Before the others look for the prompt that they belong to, which may be among these.
    const copied = await copy(client, tx, encoded)
    const settled = await settleReports(tx, orgId, mergeReports(reports), correct.retract)
    const placed = await placeInSessions(tx, [...unplaced, ...settled])
    const lateRows = encodeRows(placed)
    const late = await copy(client, tx, lateRows)
    const days = new Set([...[...encoded, ...lateRows].map((part) => part.day), ...correct.days])
    const rows = copied + late + correct.days.length
    const duplicates = mayRepeat ? countRows([...encoded, ...lateRows]) - copied - late : 0
    if (rows + duplicates > 0) await sql.raw(announceBatch(orgId, batchId, { rows, duplicates, days })).execute(tx)
    // Last, as everyone who sends the same names waits for these few rows.
    await recordUnrecognized(tx, orgId, unrecognized)
    return { stored: copied + late }
  })
}

/** Rows that the transaction writes from here on are of this batch, by their column's default. */
function markBatch(batchId: number): string {
  return `set local belay.batch_id = '${batchId}'`
}

/** `days`: UTC, `YYYYMMDD`. */
function announceBatch(
  orgId: string,
  batchId: number,
  { rows, duplicates, days }: { rows: number; duplicates: number; days: ReadonlySet<string> },
): string {
  const list = [...days].toSorted().join(",")
  return `insert into signal_batch (org_id, batch_id, rows, days, duplicates)
    values ('${requireUuid(orgId)}', ${batchId}, ${rows}, '{${list}}', ${duplicates})`
}

function countRows(encoded: readonly EncodedRows[]): number {
  return encoded.reduce((sum, part) => sum + part.rows, 0)
}

/** Keeps signals as they were, for whoever has counted them already. */
function createCorrection(tx: TenantTx, batchId: number) {
  /** Of the signals that were kept, `YYYYMMDD`. */
  const days: string[] = []
  return {
    days,
    /**
     * To be called before the signal that meets the condition is removed or changed; what is left of it has to be moved
     * to this batch.
     */
    retract: async (key: SignalKey, condition: RawBuilder<unknown>): Promise<void> => {
      const kept = await sql`
        insert into signal_retraction (${sql.raw(NAMES)}, org_id, received_at, batch_id, retracted_by)
        select ${sql.raw(NAMES)}, org_id, received_at, batch_id, ${batchId} from signal where ${condition}`.execute(tx)
      if (Number(kept.numAffectedRows ?? 0) > 0) days.push(key.observed_day)
    },
  }
}

type Retract = ReturnType<typeof createCorrection>["retract"]

const NAMES = COPIED_COLUMNS.map((column) => column.name).join(", ")

/** One COPY for each day, straight into its partition: the table itself has row-level security, and takes none. */
function copyStatements(encoded: readonly EncodedRows[]) {
  const days = [...Map.groupBy(encoded, (rows) => rows.day)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    statements: days.map(([day]) => `copy signal_${day} (${NAMES}) from stdin (format binary)`),
    data: days.map(([, parts]) => [COPY_HEADER, ...parts.map((part) => part.data), COPY_TRAILER]),
  }
}

type CopyRows = (client: CopyClient, tx: TenantTx, encoded: readonly EncodedRows[]) => Promise<number>

/** `tx` is the transaction that the client is in. */
const copyAll: CopyRows = async (client, _tx, encoded) => {
  if (encoded.length === 0) return 0
  const { statements, data } = copyStatements(encoded)
  return countCopied(await client.copy(statements.join("; "), data))
}

const copyNew: CopyRows = async (client, tx, encoded) => {
  if (encoded.length === 0) return 0
  await client.copy(
    `set local client_min_messages = warning;
     create temporary table if not exists staged_signal on commit delete rows as select ${NAMES} from signal with no data;
     truncate staged_signal; copy staged_signal (${NAMES}) from stdin (format binary)`,
    [[COPY_HEADER, ...encoded.map((part) => part.data), COPY_TRAILER]],
  )
  // In the order of the key, so that two transactions with the same rows wait for each other in one direction.
  const result = await sql`
    insert into signal (${sql.raw(NAMES)}) select ${sql.raw(NAMES)} from staged_signal
    order by observed_at, developer_id, signal_id on conflict do nothing`.execute(tx)
  return Number(result.numAffectedRows ?? 0)
}

function countCopied(tags: readonly string[]): number {
  return tags.reduce((sum, tag) => sum + Number(/^COPY (\d+)$/.exec(tag)?.[1] ?? 0), 0)
}

/** At most one item per name: an upsert may not meet a row twice. */
function mergeUnrecognized(items: readonly Unrecognized[]): readonly Unrecognized[] {
  const merged = new Map<string, Unrecognized>()
  for (const item of items) {
    const key = unrecognizedKey(item)
    merged.set(key, { ...item, count: item.count + (merged.get(key)?.count ?? 0) })
  }
  return [...merged.values()]
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

type SignalKey = Pick<SignalRow, "developer_id"> & {
  readonly observed_at: string
  /** UTC, `YYYYMMDD`. */
  readonly observed_day: string
  readonly signal_id: string
}

type KnownOccurrence = SignalKey & {
  readonly occurrence_id: string
  readonly is_primary: boolean
}

/** Registers each report and returns the rows that have to be inserted. */
async function settleReports(
  tx: TenantTx,
  orgId: string,
  reports: readonly Report[],
  retract: Retract,
): Promise<SignalRow[]> {
  if (reports.length === 0) return []
  const fresh = await sql<{ occurrence_id: string }>`
    insert into signal_occurrence (org_id, occurrence_id, is_primary, observed_at, developer_id, signal_id)
    select ${orgId}::uuid, occurrence_id::bytea, is_primary, observed_at::timestamptz, developer_id, signal_id::uuid
    from unnest(
      ${reports.map((report) => report.occurrenceId)}::text[], ${reports.map((report) => report.isPrimary)}::bool[],
      ${reports.map((report) => toTimestamp(report.row.observed_micros))}::text[],
      ${reports.map((report) => report.row.developer_id)}::uuid[],
      ${reports.map((report) => signalIdOf(report.row))}::text[]
    ) as report(occurrence_id, is_primary, observed_at, developer_id, signal_id)
    on conflict do nothing
    returning '\\x' || encode(occurrence_id, 'hex') as occurrence_id`.execute(tx)
  const freshIds = new Set(fresh.rows.map((row) => row.occurrence_id))
  const seenBefore = reports.filter((report) => !freshIds.has(report.occurrenceId))
  const rows = reports.filter((report) => freshIds.has(report.occurrenceId)).map((report) => report.row)
  if (seenBefore.length === 0) return rows

  const known = await sql<KnownOccurrence>`
    select '\\x' || encode(occurrence_id, 'hex') as occurrence_id, is_primary, observed_at::text as observed_at,
      to_char(observed_at at time zone 'UTC', 'YYYYMMDD') as observed_day, developer_id, signal_id::text as signal_id
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
    else if (before.signal_id === signalIdOf(report.row)) continue
    else if (before.is_primary || !report.isPrimary) await fillKnown(tx, before, report.row, retract)
    else rows.push(await replaceSecondary(tx, orgId, before, report, retract))
  }
  return rows
}

/** Adds to the stored signal what it does not know. */
async function fillKnown(tx: TenantTx, before: KnownOccurrence, row: SignalRow, retract: Retract): Promise<void> {
  const news = FILLABLE_COLUMNS.filter((column) => row[column] !== null)
  if (news.length === 0) return
  const isNews = sql.join(
    news.map((column) => sql`${sql.ref(column)} is null`),
    sql` or `,
  )
  const condition = sql`${isSignal(before)} and (${isNews})`
  await retract(before, condition)
  const types = new Map<SignalColumn, string>(SIGNAL_COLUMNS.map((column) => [column.name, column.type]))
  const assignments = news.map(
    (column) =>
      sql`${sql.ref(column)} = coalesce(${sql.ref(column)}, ${row[column]}::${sql.raw(types.get(column) ?? "text")})`,
  )
  await sql`
    update signal set ${sql.join(assignments)}, batch_id = current_setting('belay.batch_id')::bigint
    where ${condition}`.execute(tx)
}

/** The primary report came second: it takes the place of the secondary one. */
async function replaceSecondary(
  tx: TenantTx,
  orgId: string,
  before: KnownOccurrence,
  report: Report,
  retract: Retract,
): Promise<SignalRow> {
  await retract(before, isSignal(before))
  const removed = await sql<Pick<SignalRow, (typeof FILLABLE_COLUMNS)[number]>>`
    delete from signal where ${isSignal(before)} returning ${sql.join(FILLABLE_COLUMNS.map(asSent))}`.execute(tx)
  await sql`
    update signal_occurrence
    set is_primary = true, observed_at = ${toTimestamp(report.row.observed_micros)}::timestamptz,
      developer_id = ${report.row.developer_id}::uuid, signal_id = ${signalIdOf(report.row)}::uuid
    where org_id = ${orgId}::uuid and occurrence_id = ${report.occurrenceId}::text::bytea`.execute(tx)
  const secondary = removed.rows[0]
  return secondary === undefined ? report.row : fillFrom(report.row, secondary)
}

/** A stored column in the form in which rows carry it: numeric as a number. */
function asSent(column: SignalColumn) {
  return column === "cost_usd" ? sql`cost_usd::float8 as cost_usd` : sql.ref(column)
}

function isSignal(key: SignalKey) {
  return sql`observed_at = ${key.observed_at}::text::timestamptz and developer_id = ${key.developer_id}::uuid
    and signal_id = ${key.signal_id}::uuid`
}

/** An operation that began longer ago has ended. */
const OPERATION_MAX_MICROS = 86_400_000_000
/** Prompts that one look-up reads: whoever starts more in a day than anybody can is not waited for. */
const STARTS_READ_MAX = 50_000

/**
 * Gives a row that knows its session but no operation the operation of the session's latest prompt; a sub-agent's task
 * gets it as its parent. Exporters send every second or so, and some sources write the events of one turn outside its
 * trace, so the prompt is usually in an earlier batch.
 *
 * The latest is chosen here: a session has few prompts beside its records, and a query for each record's latest is one
 * that cannot be asked of several machines at once.
 */
async function placeInSessions(tx: TenantTx, rows: readonly SignalRow[]): Promise<readonly SignalRow[]> {
  const places = rows.map(placeOf)
  const unplaced = rows.filter((_row, index) => places[index] !== null)
  if (unplaced.length === 0) return rows
  let [earliest, latest] = [Infinity, -Infinity]
  for (const { observed_micros } of unplaced) {
    earliest = Math.min(earliest, observed_micros)
    latest = Math.max(latest, observed_micros)
  }
  const found = await sql<Start>`
    select s.session_id, (extract(epoch from s.observed_at) * 1000000)::int8 as observed_micros, s.operation_id
    from signal s
    where s.kind = 'start' and s.session_id = any(${[...new Set(unplaced.map((row) => row.session_id))]}::text[])
      and s.operation_id is not null and s.observed_at <= ${toTimestamp(latest)}::text::timestamptz
      and s.observed_at > ${toTimestamp(earliest - OPERATION_MAX_MICROS)}::text::timestamptz
    order by s.observed_at desc limit ${STARTS_READ_MAX}`.execute(tx)
  const starts = Map.groupBy(found.rows, (start) => start.session_id)
  return rows.map((row, index) => {
    const place = places[index]
    if (place == null) return row
    const start = latestStart(starts.get(row.session_id ?? "") ?? [], row.observed_micros)
    const isOver = start === undefined || Number(start.observed_micros) <= row.observed_micros - OPERATION_MAX_MICROS
    return isOver || start.operation_id === row.operation_id ? row : { ...row, [place]: start.operation_id }
  })
}

interface Start {
  readonly session_id: string
  /** An int8, which not every driver reads as a number. */
  readonly observed_micros: number | string
  readonly operation_id: string
}

/** The first of `starts`, which are latest first, at or before `micros`: by halving, as there may be thousands. */
function latestStart(starts: readonly Start[], micros: number): Start | undefined {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Number(starts[middle]?.observed_micros) <= micros) high = middle
    else low = middle + 1
  }
  return starts[low]
}

/** The column in which a row lacks its operation; null when it is placed, or stands for more than one operation. */
function placeOf(row: SignalRow): "operation_id" | "parent_operation_id" | null {
  if (row.session_id === null || row.kind === "start" || STANDS_ALONE.has(row.kind)) return null
  if (row.operation_id === null) return row.kind === "task" ? null : "operation_id"
  // Below orchestration a task is what was asked for, not what an agent handed on.
  const isHandedOn = row.kind === "task" && row.rung === "orchestration" && row.parent_operation_id === null
  return isHandedOn ? "parent_operation_id" : null
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
