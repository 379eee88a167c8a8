import { hash } from "node:crypto"
import { type Kysely, sql } from "kysely"
import type { DB, Json } from "../db/types.ts"
import type { Signal } from "../ingest/signal.ts"
import type { DemoDeveloper } from "./history.ts"
import { createRandom, type Random } from "./random.ts"
import { aftermathOf } from "./stories.ts"

/** A pull request of the demo, as Belay folds one. */
export interface DemoChange {
  readonly repository: string
  readonly operationIds: readonly string[]
  readonly rung: "agent" | "orchestration"
  readonly openedAt: number
  readonly checkedAt: number | null
  readonly firstReviewAt: number | null
  readonly approvedAt: number | null
  readonly mergedAt: number | null
  readonly revertedAt: number | null
  readonly abandonedAt: number | null
  readonly rounds: number
  readonly linesAdded: number
  readonly linesRemoved: number
  readonly filesChanged: number
  readonly lockFiles: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Of the changes that people make themselves, each day. */
const BY_HAND = 0.3

/**
 * The changes that a developer's day led to, until now: of its tasks and runs, and some that were written by hand. The same
 * day gives the same changes.
 */
export function changesOf(
  developer: DemoDeveloper,
  { signals, day, today, now }: { signals: readonly Signal[]; day: Date; today: Date; now: Date },
): DemoChange[] {
  const random = createRandom(`${developer.email} changes of ${day.toISOString().slice(0, 10)}`)
  const daysAgo = Math.round((today.getTime() - day.getTime()) / DAY_MS)
  const changes: DemoChange[] = []
  for (const signal of signals) {
    const { kind, operationId, parentOperationId, observedUnixNano } = signal
    if (operationId === null || parentOperationId !== null || (kind !== "task" && kind !== "run")) continue
    const rung = kind === "task" ? "agent" : "orchestration"
    const aftermath = aftermathOf(developer.team, rung, daysAgo)
    if (!random.chance(aftermath.changed)) continue
    const doneAt = Number(observedUnixNano / 1_000_000n)
    changes.push(makeChange({ developer, operationIds: [operationId], rung, doneAt, aftermath, random, now }))
  }
  if (signals.length > 0 && random.chance(BY_HAND)) {
    const doneAt = day.getTime() + random.between(9, 16) * HOUR_MS
    const aftermath = aftermathOf(developer.team, "agent", daysAgo)
    changes.push(makeChange({ developer, operationIds: [], rung: "agent", doneAt, aftermath, random, now }))
  }
  return changes.filter(({ openedAt }) => openedAt <= now.getTime())
}

function makeChange(
  given: Pick<DemoChange, "operationIds" | "rung"> & {
    developer: DemoDeveloper
    doneAt: number
    aftermath: ReturnType<typeof aftermathOf>
    random: Random
    now: Date
  },
): DemoChange {
  const { aftermath, random, now } = given
  const until = (at: number, isSo: boolean) => (isSo && at <= now.getTime() ? at : null)
  const openedAt = given.doneAt + random.between(4, 40) * MINUTE_MS
  const lines = Math.max(2, Math.round(random.logNormal(aftermath.linesMedian, 0.6)))
  const removed = Math.round(lines * 0.3 * random.next())
  const checkedAt = until(openedAt + random.between(6, 20) * MINUTE_MS, random.chance(aftermath.checked))
  const reviewAt = atWork(openedAt + random.logNormal(aftermath.waitMinutesMedian, 0.7) * MINUTE_MS)
  const isReviewed = random.chance(aftermath.reviewed)
  const approvalAt = atWork(reviewAt + random.logNormal(aftermath.reviewMinutesMedian, 0.6) * MINUTE_MS)
  const isMerged = random.chance(aftermath.merged)
  const closeAt = isReviewed ? approvalAt + 12 * MINUTE_MS : atWork(openedAt + random.between(1, 5) * HOUR_MS)
  const mergedAt = until(closeAt, isMerged)
  const revertAt = atWork(closeAt + random.logNormal(3.5 * DAY_MS, 0.6))
  const isReverted = random.chance(aftermath.reverted)
  return {
    repository: `northwind/${given.developer.team.toLowerCase()}-service`,
    operationIds: given.operationIds,
    rung: given.rung,
    openedAt,
    checkedAt,
    firstReviewAt: until(reviewAt, isReviewed),
    approvedAt: until(approvalAt, isReviewed && isMerged),
    mergedAt,
    revertedAt: until(revertAt, isMerged && isReverted),
    abandonedAt: until(closeAt + DAY_MS, !isMerged),
    rounds: random.between(0, lines > 400 ? 3 : 2),
    linesAdded: lines - removed,
    linesRemoved: removed,
    filesChanged: Math.max(1, Math.round(lines / 45)),
    lockFiles: random.chance(0.08) ? 1 : 0,
  }
}

/** The same time, or the next morning of a working day. */
function atWork(at: number): number {
  let time = Math.round(at)
  for (;;) {
    const date = new Date(time)
    const isWeekend = date.getUTCDay() === 0 || date.getUTCDay() === 6
    if (!isWeekend && date.getUTCHours() >= 8 && date.getUTCHours() < 18) return time
    const midnight = time - (time % DAY_MS)
    const morning = midnight + 8 * HOUR_MS + (time % HOUR_MS)
    time = !isWeekend && date.getUTCHours() < 8 ? morning : morning + DAY_MS
  }
}

const AT_ONCE = 500

/** Stores what code hosts would have said by now, each change as it is folded; it is joined with the next look at them. */
export async function insertChanges(
  owner: Kysely<DB>,
  { orgId, changes, now }: { orgId: string; changes: readonly DemoChange[]; now: Date },
): Promise<void> {
  const at = (time: number | null) => (time === null ? null : new Date(time))
  const numbers = new Map<string, number>()
  const rows = changes
    .toSorted((a, b) => a.openedAt - b.openedAt)
    .map((change) => {
      const number = (numbers.get(change.repository) ?? 100) + 1
      numbers.set(change.repository, number)
      return { ...change, key: { org_id: orgId, provider: "github", repository: change.repository, number } }
    })
  for (let start = 0; start < rows.length; start += AT_ONCE) {
    const part = rows.slice(start, start + AT_ONCE)
    await owner
      .insertInto("change_request")
      .values(
        part.map((change) => ({
          ...change.key,
          branch: digestOf(change.key).slice(0, 32),
          commit_ids: sql<string[]>`${[digestOf(change.key).slice(0, 40)]}::text[]`,
          opened_at: new Date(change.openedAt),
          first_review_at: at(change.firstReviewAt),
          approved_at: at(change.approvedAt),
          reviews: change.firstReviewAt === null ? 0 : 1,
          rounds: change.rounds,
          checked_at: at(change.checkedAt),
          failed_checks: 0,
          closed_at: at(change.mergedAt ?? change.abandonedAt),
          merged_at: at(change.mergedAt),
          deployed_at: null,
          reverted_at: at(change.revertedAt),
          abandoned_at: at(change.abandonedAt),
          lines_added: change.linesAdded,
          lines_removed: change.linesRemoved,
          files_changed: change.filesChanged,
          file_kinds: sql<Json>`${JSON.stringify(kindsOf(change))}::text::jsonb`,
          updated_at: now,
        })),
      )
      .execute()
    const joins = part.flatMap(({ key, operationIds, rung }) =>
      operationIds.map((operation_id) => ({ ...key, operation_id, evidence: "trailer", rung, joined_at: now })),
    )
    if (joins.length > 0) await owner.insertInto("change_operation").values(joins).execute()
  }
}

function digestOf(key: object): string {
  return hash("sha256", JSON.stringify(key), "hex")
}

function kindsOf({ filesChanged, lockFiles }: DemoChange) {
  const test = Math.floor(filesChanged / 3)
  return { source: filesChanged - test, test, docs: 0, generated: 0, lock_file: lockFiles }
}
