import type { Latency, LatencyFigures } from "#server/latency/queries.ts"
import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import { formatDuration, formatRate, plural } from "../../lib/format.ts"
import { RUNG_LABELS } from "../ladder/rungs.ts"

/** From this many times the objective on, how many times is said. */
const TIMES_TOLD = 1.5

/**
 * The page's answer in a sentence: where latency is furthest past its objective, in the team where it is most, and what it
 * was before. `period` ends a sentence: "in the last 4 weeks".
 */
export function describeLatency(
  latency: Pick<Latency, "rungs" | "previous" | "teams" | "previousTeams">,
  teams: readonly { readonly id: string; readonly name: string }[],
  period: string,
): string {
  const { rungs } = latency
  if (rungs.every(({ state }) => state === "no_data")) return `No operation was timed ${period}.`
  const late = [
    ...rungs.map((row) => ({ row, team: null, before: latency.previous.find(({ rung }) => rung === row.rung) })),
    ...latency.teams.map((row) => ({
      row,
      team: teams.find(({ id }) => id === row.teamId)?.name ?? null,
      before: latency.previousTeams.find(({ rung, teamId }) => rung === row.rung && teamId === row.teamId),
    })),
  ]
    .filter(({ row }) => timesOf(row) > 1)
    .toSorted((a, b) => timesOf(b.row) - timesOf(a.row))
  const [worst] = late
  if (worst?.row.p95Ms != null) {
    const { row, team, before } = worst
    const where = team === null ? RUNG_LABELS[row.rung] : `${team}: ${RUNG_LABELS[row.rung].toLowerCase()}`
    const objective = `its objective of ${formatDuration(LATENCY_OBJECTIVES[row.rung].p95Ms)}`
    const times = timesOf(row)
    const past = times < TIMES_TOLD ? `past ${objective}` : `${formatRate(times)} times ${objective}`
    const was = before?.p95Ms == null ? "" : `, from ${formatDuration(before.p95Ms)} the period before`
    return `${where} p95 latency is ${formatDuration(worst.row.p95Ms)} ${period}, ${past}${was}.`
  }
  const shown = rungs.filter(({ state }) => state === "shown")
  if (shown.length === 0) return `What was timed ${period} would tell about too few people to be shown.`
  const people = Math.max(...shown.map((row) => row.people ?? 0))
  const whole = shown.length === 1 ? `${RUNG_LABELS[shown[0]?.rung ?? "chat"]} is` : "Every rung is"
  return `${whole} within its latency objective ${period}, from ${plural(people, "person", "people")}.`
}

function timesOf(row: LatencyFigures): number {
  return row.p95Ms === null ? 0 : row.p95Ms / LATENCY_OBJECTIVES[row.rung].p95Ms
}
