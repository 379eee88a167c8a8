import type { Changes, RungChanges } from "#server/outcomes/review-queries.ts"
import type { TaskFunnels } from "#server/outcomes/task-queries.ts"
import { formatShare, plural } from "../../lib/format.ts"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { shareOf, sharesOf } from "./shares.server.ts"

/** From this share of merged changes without a review on, with the interval above it, it is the page's answer. */
const DEBT_TOLD = 0.1

/**
 * The page's answer in a sentence: where most is merged that nobody reviewed, or that what was merged stands. `period` ends
 * a sentence: "in the last 4 weeks".
 */
export function describeOutcomes(
  funnels: TaskFunnels,
  changes: Changes,
  teams: readonly { readonly id: string; readonly name: string }[],
  period: string,
): string {
  const all = [...funnels.rungs, ...changes.rungs]
  if (all.every(({ state }) => state === "no_data"))
    return `Of no task that began ${period} it is known what became of it.`
  if (all.every(({ state }) => state !== "shown"))
    return `What became of tasks ${period} would tell about too few people to be shown.`

  const debts = [
    ...changes.rungs.map((row) => ({ row, team: null, name: null })),
    ...changes.teams.map((row) => ({
      row,
      team: row.teamId,
      name: teams.find(({ id }) => id === row.teamId)?.name ?? null,
    })),
  ]
    .flatMap(({ row, team, name }) => {
      const debt = shareOf(row.mergedUnreviewed, row.merged)
      return debt === null || debt.interval.low < DEBT_TOLD || (team !== null && name === null)
        ? []
        : [{ row, name, debt }]
    })
    .toSorted((a, b) => b.debt.value - a.debt.value)
  const [worst] = debts
  if (worst !== undefined) return describeDebt(worst.row, worst.name, worst.debt.value, changes, period)

  const alive = sumOf(
    funnels.rungs,
    ({ matured }) => matured,
    ({ alive }) => alive,
  )
  if (alive !== null) {
    return `${formatShare(alive.value)} of ${plural(alive.whole, "task")} that began ${period} and were merged 14 days ago or earlier still stand.`
  }
  const reviewed = sumOf(
    changes.rungs,
    ({ merged }) => merged,
    ({ merged, mergedUnreviewed }) => (merged === null || mergedUnreviewed === null ? null : merged - mergedUnreviewed),
  )
  if (reviewed !== null) {
    return `${formatShare(reviewed.value)} of ${plural(reviewed.whole, "change")} that were opened ${period} and merged had been reviewed.`
  }
  return `What was made ${period} is still on its way: nothing of it that may be shown was merged.`
}

function describeDebt(row: RungChanges, team: string | null, share: number, changes: Changes, period: string): string {
  const where = team === null ? `${RUNG_LABELS[row.rung]}:` : `${team}, ${RUNG_LABELS[row.rung].toLowerCase()}:`
  const debt = `${formatShare(share)} of what was opened ${period} and merged had no review`
  const ofRung = (rows: readonly RungChanges[]) => rows.find(({ rung }) => rung === row.rung)
  const before = team === null ? ofRung(changes.previous) : ofRung(changes.rungs)
  const other = shareOf(before?.mergedUnreviewed ?? null, before?.merged ?? null)
  const beside =
    other === null
      ? ""
      : team === null
        ? `, from ${formatShare(other.value)} the period before`
        : `, against ${formatShare(other.value)} of all teams`
  const { over } = sharesOf(row)

  const large =
    over === null || over.value < 0.2 ? "" : `; ${formatShare(over.value)} of it is larger than one sitting's review`
  return `${where} ${debt}${beside}${large}.`
}

function sumOf<T>(rows: readonly T[], wholeOf: (row: T) => number | null, partOf: (row: T) => number | null) {
  const known = rows.flatMap((row) => {
    const [whole, part] = [wholeOf(row), partOf(row)]
    return whole === null || part === null ? [] : [{ whole, part }]
  })
  return shareOf(
    known.reduce((sum, { part }) => sum + part, 0),
    known.reduce((sum, { whole }) => sum + whole, 0),
  )
}
