import { sql, type Transaction } from "kysely"
import type { DB, DimensionKind, Outcome, Rung } from "../db/types.ts"
import { RUNGS } from "#sdk/ladder.ts"
import { addHistogram, HISTOGRAM_AS_TEXT } from "../rollup/histogram.ts"
import type { Arrivals, Change, Delivery, OperationPart, Place, Presence, SuggestionCell } from "./contract.ts"

export const HOUR_MS = 3_600_000

/** What is taken: an hour, or with the first of a step also what came in late for those that were observed before. */
interface Taken {
  readonly orgId: string
  /** Null is whatever is there. Rows that the same step took before would be gone through again. */
  readonly from: number | null
  readonly until: number
}

/** Takes what arrived in an hour out of the queue. */
export async function takeArrivals(tx: Transaction<DB>, taken: Taken, names: Names): Promise<Arrivals> {
  const hour = startHour()
  for (const row of await takeSuggestions(tx, taken)) addSuggestion(hour, row, names)
  for (const row of await takeOperations(tx, taken)) {
    const known = hour.operations.get(row.operation)
    if (known === undefined) hour.operations.set(row.operation, [row])
    else known.push(row)
  }
  for (const row of await takePresence(tx, taken)) addPresence(hour, row, names)
  for (const { signals, late, duplicates } of await takeDelivery(tx, taken)) {
    hour.delivery.signals += signals
    hour.delivery.late += late
    hour.delivery.duplicates += duplicates
  }
  hour.changes.push(...(await takeChanges(tx, taken)))
  return finishHour(taken.until, hour, names)
}

interface Hour {
  readonly suggestions: Map<string, Sum>
  readonly operations: Map<string, OperationRow[]>
  readonly presence: Map<string, { developer: string; hour: number; activeMs: number | null }>
  readonly changes: Change[]
  readonly delivery: { -readonly [Name in keyof Delivery]: number }
}

interface Sum {
  readonly place: Place
  readonly hour: number
  units: number
  presented: number
  accepted: number
  errors: number
  readonly latency: Map<number, number>
}

function startHour(): Hour {
  return {
    suggestions: new Map(),
    operations: new Map(),
    presence: new Map(),
    changes: [],
    delivery: { signals: 0, late: 0, duplicates: 0 },
  }
}

/** In an order that does not depend on the one in which rows came: sums of fractions do. */
function finishHour(until: number, hour: Hour, names: Names): Arrivals {
  return {
    until,
    suggestions: sorted(hour.suggestions).map(toSuggestionCell).filter(isSomething),
    operations: sorted(hour.operations).map((rows) => toOperationPart(rows, names)),
    presence: sorted(hour.presence).map(({ developer, hour: at, activeMs }): Presence => ({
      developer,
      hour: at,
      activeMinutes: activeMs === null ? null : activeMs / 60_000,
    })),
    changes: hour.changes.toSorted((a, b) => a.at - b.at || compare(a.kind, b.kind) || compare(a.subject, b.subject)),
    delivery: hour.delivery,
    accepted: [],
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function sorted<T>(map: ReadonlyMap<string, T>): T[] {
  return [...map].toSorted(([a], [b]) => compare(a, b)).map(([, value]) => value)
}

/** What the numbers and identities of an organization's rows stand for. */
export interface Names {
  readonly values: ReadonlyMap<number, string>
  /** The person that an identity turned out to be. */
  personOf(developerId: string): string
  readonly unattributed: string | null
}

const PLACE_KINDS: readonly DimensionKind[] = ["agent_tool", "agent_version", "model", "language", "mode"]

export async function readNames(tx: Transaction<DB>, orgId: string): Promise<Names> {
  const dimensions = await tx
    .selectFrom("dimension")
    .select(["id", "value"])
    .where("org_id", "=", orgId)
    .where("kind", "in", PLACE_KINDS)
    .execute()
  const merged = await tx
    .selectFrom("developer")
    .select(["id", "merged_into_id as personId", "is_unattributed as isUnattributed"])
    .where("org_id", "=", orgId)
    .where((eb) => eb.or([eb("merged_into_id", "is not", null), eb("is_unattributed", "=", true)]))
    .execute()
  const persons = new Map(merged.map((row) => [row.id, row.personId ?? row.id]))
  return {
    values: new Map(dimensions.map((row) => [row.id, row.value])),
    personOf: (developerId) => persons.get(developerId) ?? developerId,
    unattributed: merged.find((row) => row.isUnattributed)?.id ?? null,
  }
}

interface PlaceRow {
  readonly developer: string
  readonly tool: number
  readonly version: number | null
  readonly model: number | null
  readonly language: number | null
  readonly mode: number | null
}

const PLACE = sql`
  developer_id as developer, agent_tool_id as tool, agent_version_id as version, model_id as model,
  language_id as language, mode_id as mode`

const toMs = (column: string) => sql`(extract(epoch from ${sql.ref(column)}) * 1000)::float8`
const isTaken = ({ orgId, from, until }: Taken) =>
  sql`org_id = ${orgId}::uuid and arrived_hour < to_timestamp(${until}::float8 / 1000)
    and arrived_hour >= ${from === null ? sql`'-infinity'` : sql`to_timestamp(${from}::float8 / 1000)`}`

function nameOf(id: number | null, names: Names): string | null {
  return id === null ? null : (names.values.get(id) ?? null)
}

function clientOf(row: Pick<PlaceRow, "tool" | "version">, names: Names): string {
  const tool = nameOf(row.tool, names) ?? ""
  const version = nameOf(row.version, names)
  return version === null ? tool : `${tool}@${version}`
}

interface SuggestionRow extends PlaceRow {
  readonly hour: number
  readonly units: number
  readonly presented: number
  readonly accepted: number
  readonly errors: number
  readonly buckets: string
  readonly counts: string
}

async function takeSuggestions(tx: Transaction<DB>, taken: Taken): Promise<readonly SuggestionRow[]> {
  const deleted = await sql<SuggestionRow>`
    delete from arrived_suggestion where ${isTaken(taken)}
    returning ${toMs("hour")} as hour, ${PLACE}, units, presented, accepted, errors,
      ${HISTOGRAM_AS_TEXT}`.execute(tx)
  return deleted.rows
}

function addSuggestion({ suggestions }: Hour, row: SuggestionRow, names: Names): void {
  const place: Place = {
    developer: names.personOf(row.developer),
    client: clientOf(row, names),
    model: nameOf(row.model, names),
    language: nameOf(row.language, names),
    mode: nameOf(row.mode, names),
  }
  const key = [row.hour, ...Object.values(place)].join("\u0000")
  let sum = suggestions.get(key)
  if (sum === undefined) {
    sum = { place, hour: row.hour, units: 0, presented: 0, accepted: 0, errors: 0, latency: new Map() }
    suggestions.set(key, sum)
  }
  sum.units += row.units
  sum.presented += row.presented
  sum.accepted += row.accepted
  sum.errors += row.errors
  addHistogram(sum.latency, row)
}

function toSuggestionCell({ place, hour, units, presented, accepted, errors, latency }: Sum): SuggestionCell {
  const filled = [...latency].filter(([, count]) => count !== 0).toSorted(([a], [b]) => a - b)
  return {
    ...place,
    hour,
    units,
    presented,
    accepted,
    errors,
    latencyBuckets: filled.map(([bucket]) => bucket),
    latencyCounts: filled.map(([, count]) => count),
  }
}

/** Nothing is left of a cell when all of it was taken back. */
function isSomething({ units, presented, accepted, errors, latencyBuckets }: SuggestionCell): boolean {
  return [units, presented, accepted, errors, latencyBuckets.length].some((count) => count !== 0)
}

interface OperationRow extends PlaceRow {
  readonly operation: string
  readonly isRetracted: boolean
  readonly signals: number
  readonly rung: Rung
  readonly parent: string | null
  readonly firstAt: number | null
  readonly lastAt: number | null
  readonly hasEnded: boolean
  readonly presented: number
  readonly accepted: number
  readonly prompts: number
  readonly denied: number
  readonly errors: number
  readonly edits: number
  readonly outOfScope: number
  readonly toolCalls: number
  readonly toolCallsTold: number
  readonly compactions: number
  readonly contextFiles: number | null
  readonly latencyMs: number | null
  readonly durationMs: number | null
  readonly isInterrupted: boolean
  readonly outcome: Outcome | null
  readonly outcomeAt: number | null
  readonly outOfScopeActions: readonly string[] | null
  readonly errorActions: readonly string[] | null
}

async function takeOperations(tx: Transaction<DB>, taken: Taken): Promise<readonly OperationRow[]> {
  const deleted = await sql<OperationRow>`
    delete from arrived_operation where ${isTaken(taken)}
    returning operation_id as operation, is_retracted as "isRetracted", ${PLACE},
      signals, rung, parent_operation_id as parent, ${toMs("first_at")} as "firstAt", ${toMs("last_at")} as "lastAt",
      has_ended as "hasEnded", presented, accepted, prompts, denied, errors, edits, out_of_scope as "outOfScope",
      tool_calls as "toolCalls", tool_calls_told as "toolCallsTold", compactions, context_files as "contextFiles",
      latency_ms::float8 as "latencyMs", duration_ms::float8 as "durationMs", is_interrupted as "isInterrupted", outcome,
      ${toMs("outcome_at")} as "outcomeAt", out_of_scope_actions as "outOfScopeActions",
      error_actions as "errorActions"`.execute(tx)
  return deleted.rows
}

const ACTIONS_MAX = 20

/** What all rows of one operation and hour say. Sums may be negative: what was told in an earlier hour is taken back. */
function toOperationPart(rows: readonly OperationRow[], names: Names): OperationPart {
  const current = rows.filter((row) => !row.isRetracted)
  const sum = (of: (row: OperationRow) => number) =>
    rows.reduce((total, row) => total + (row.isRetracted ? -of(row) : of(row)), 0)
  const largest = (of: (row: OperationRow) => number | null) =>
    current.reduce<number | null>((most, row) => greater(most, of(row)), null)
  const heights = (current.length > 0 ? current : rows).map((row) => RUNGS.indexOf(row.rung))
  const earliest = largest((row) => (row.firstAt === null ? null : -row.firstAt))
  return {
    ...placeOf(rows, names),
    operation: rows[0]?.operation ?? "",
    parent: current.reduce<string | null>((last, { parent }) => ((parent ?? "") > (last ?? "") ? parent : last), null),
    rung: RUNGS[Math.max(...heights)] ?? "chat",
    firstAt: earliest === null ? null : -earliest,
    lastAt: largest((row) => row.lastAt),
    hasEnded: current.some((row) => row.hasEnded),
    presented: sum((row) => row.presented),
    accepted: sum((row) => row.accepted),
    prompts: sum((row) => row.prompts),
    denied: sum((row) => row.denied),
    errors: sum((row) => row.errors),
    edits: sum((row) => row.edits),
    outOfScope: sum((row) => row.outOfScope),
    // Some sources send a signal for each call, some only their number at the end, and some both.
    toolCalls: Math.max(
      sum((row) => row.toolCalls),
      sum((row) => row.toolCallsTold),
    ),
    compactions: sum((row) => row.compactions),
    contextFiles: largest((row) => row.contextFiles),
    latencyMs: largest((row) => row.latencyMs),
    durationMs: largest((row) => row.durationMs),
    isInterrupted: current.some((row) => row.isInterrupted),
    outcome: lastOutcome(current),
    outOfScopeActions: actionsOf(rows, (row) => row.outOfScopeActions),
    errorActions: actionsOf(rows, (row) => row.errorActions),
  }
}

function greater(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b)
}

function isLateOutcome(outcome: Outcome | null): outcome is "merged" | "abandoned" | "reverted" {
  return outcome === "merged" || outcome === "abandoned" || outcome === "reverted"
}

function lastOutcome(rows: readonly OperationRow[]): OperationPart["outcome"] {
  let last: OperationPart["outcome"] = null
  let lastAt = -Infinity
  for (const { outcome, outcomeAt } of rows) {
    if (!isLateOutcome(outcome) || outcomeAt === null) continue
    if (outcomeAt > lastAt || (outcomeAt === lastAt && outcome > (last ?? ""))) [last, lastAt] = [outcome, outcomeAt]
  }
  return last
}

function actionsOf(
  rows: readonly OperationRow[],
  of: (row: OperationRow) => readonly string[] | null,
): readonly string[] {
  const counts = new Map<string, number>()
  for (const row of rows) {
    for (const action of of(row) ?? []) counts.set(action, (counts.get(action) ?? 0) + (row.isRetracted ? -1 : 1))
  }
  return [...counts]
    .toSorted(([a], [b]) => compare(a, b))
    .flatMap(([action, count]) => Array.from({ length: Math.max(0, count) }, () => action))
    .slice(0, ACTIONS_MAX)
}

/** Most signals decide where it was; whoever is named anywhere did the whole. */
function placeOf(rows: readonly OperationRow[], names: Names): Place {
  const most = (of: (row: OperationRow) => string | null): string | null => {
    const [first] = rows
    if (first === undefined || rows.length === 1) return first === undefined ? null : of(first)
    const votes = new Map<string, number>()
    for (const row of rows) {
      const value = of(row)
      if (value !== null) votes.set(value, (votes.get(value) ?? 0) + (row.isRetracted ? -row.signals : row.signals))
    }
    let winner: string | null = null
    for (const [value, count] of votes) {
      const best = winner === null ? -Infinity : (votes.get(winner) ?? 0)
      if (count > best || (count === best && value > (winner ?? ""))) winner = value
    }
    return winner
  }
  const versioned = most((row) => (row.version === null ? null : clientOf(row, names)))
  const current = rows.filter((row) => !row.isRetracted)
  const people = (current.length > 0 ? current : rows).map((row) => names.personOf(row.developer))
  const named = people.filter((id) => id !== names.unattributed)
  return {
    developer: named.toSorted(compare).at(-1) ?? names.unattributed ?? "",
    client: versioned ?? most((row) => clientOf(row, names)) ?? "",
    model: most((row) => nameOf(row.model, names)),
    language: most((row) => nameOf(row.language, names)),
    mode: most((row) => nameOf(row.mode, names)),
  }
}

interface PresenceRow {
  readonly hour: number
  readonly developer: string
  readonly activeMs: number | null
}

async function takePresence(tx: Transaction<DB>, taken: Taken): Promise<readonly PresenceRow[]> {
  const deleted = await sql<PresenceRow>`
    delete from arrived_presence where ${isTaken(taken)}
    returning ${toMs("hour")} as hour, developer_id as developer,
      active_ms as "activeMs"`.execute(tx)
  return deleted.rows
}

function addPresence({ presence }: Hour, row: PresenceRow, names: Names): void {
  const developer = names.personOf(row.developer)
  const key = `${row.hour} ${developer}`
  const known = presence.get(key)
  if (known === undefined) presence.set(key, { developer, hour: row.hour, activeMs: row.activeMs })
  else if (row.activeMs !== null) known.activeMs = (known.activeMs ?? 0) + row.activeMs
}

async function takeDelivery(tx: Transaction<DB>, taken: Taken): Promise<readonly Delivery[]> {
  const deleted = await sql<Delivery>`
    delete from arrived_delivery where ${isTaken(taken)}
    returning signals, late, duplicates`.execute(tx)
  return deleted.rows
}

async function takeChanges(tx: Transaction<DB>, { orgId, until }: Taken): Promise<readonly Change[]> {
  const changed = await sql<Change>`
    update change set observed_in = to_timestamp(${until}::float8 / 1000)
    where org_id = ${orgId}::uuid and observed_in is null and recorded_at < to_timestamp(${until}::float8 / 1000)
    returning kind, subject, ${toMs("occurred_at")} as at`.execute(tx)
  return changed.rows
}
