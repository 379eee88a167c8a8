import { LATENCY_OBJECTIVES } from "#server/rungs/objectives.ts"
import type { Ladder, LadderFigures } from "#server/rungs/queries.ts"
import { formatDuration, formatRate, formatShare, plural } from "../../lib/format.ts"
import { acceptanceMoved, promptsSurged } from "./moves.ts"
import { OPERATION_WORDS, RUNG_LABELS } from "./rungs.ts"

const MOVES_TOLD = 2

/**
 * The page's answer in a sentence or two, made from the data: what moved between the previous period and this one, the
 * worst first and in the team where it moved most. Only shares whose 95 % intervals do not overlap, objectives newly
 * missed, and questions that doubled. `period` ends a sentence: "in the last 4 weeks".
 */
export function describeLadder(
  ladder: Pick<Ladder, "rungs" | "previous" | "teams" | "previousTeams">,
  teams: readonly { readonly id: string; readonly name: string }[],
  period: string,
): string {
  if (ladder.rungs.every((row) => row.volumeState === "no_data")) return `No operation ${period}.`
  const overall = ladder.rungs.flatMap((row) =>
    movesOf(
      row,
      ladder.previous.find((before) => before.rung === row.rung),
      null,
    ),
  )
  const inTeams = ladder.teams.flatMap((row) =>
    movesOf(
      row,
      ladder.previousTeams.find((before) => before.rung === row.rung && before.teamId === row.teamId),
      teams.find((team) => team.id === row.teamId)?.name ?? null,
    ),
  )
  const told = new Map<string, Move>()
  for (const move of [...inTeams, ...overall].toSorted((a, b) => b.weight - a.weight)) {
    // The same loss in a team and in the whole is one loss.
    if (!told.has(move.what)) told.set(move.what, move)
  }
  if (told.size > 0) {
    const sentences = [...told.values()].slice(0, MOVES_TOLD).map((move) => move.text)
    return `${sentences.join("; ")}.`
  }
  const people = Math.max(...ladder.rungs.map((row) => row.developers ?? 0))
  if (people === 0) return `What happened ${period} would tell about too few people to be shown.`
  return `No rung moved ${period}: acceptance, latency and questions held, from ${plural(people, "person", "people")}.`
}

interface Move {
  /** Rung and figure. */
  readonly what: string
  readonly text: string
  /** Loss of trust is told before gain. */
  readonly weight: number
}

function movesOf(row: LadderFigures, before: LadderFigures | undefined, team: string | null): Move[] {
  if (before === undefined) return []
  const who = team === null ? RUNG_LABELS[row.rung] : `${team}: ${RUNG_LABELS[row.rung].toLowerCase()}`
  return [latencyMove(row, before, who), promptsMove(row, before, who), acceptanceMove(row, before, who)].filter(
    (move) => move !== null,
  )
}

function acceptanceMove(row: LadderFigures, before: LadderFigures, who: string): Move | null {
  const move = acceptanceMoved(row, before)
  if (move === null || row.acceptance === null || before.acceptance === null) return null
  const points = Math.abs(Math.round((row.acceptance - before.acceptance) * 100))
  return {
    what: `${row.rung} acceptance`,
    text: `${who} acceptance ${move} ${plural(points, "point")} to ${formatShare(row.acceptance)}`,
    weight: points / 100 + (move === "fell" ? 1 : 0),
  }
}

function latencyMove(row: LadderFigures, before: LadderFigures, who: string): Move | null {
  if (row.latencyP95Ms === null || before.latencyP95Ms === null) return null
  const objective = LATENCY_OBJECTIVES[row.rung].p95Ms
  if (row.latencyP95Ms <= objective || before.latencyP95Ms > objective) return null
  const [from, to] = [formatDuration(before.latencyP95Ms), formatDuration(row.latencyP95Ms)]
  return {
    what: `${row.rung} latency`,
    text: `${who} p95 latency rose from ${from} to ${to}, past its objective of ${formatDuration(objective)}`,
    weight: 1.5 + row.latencyP95Ms / objective / 10,
  }
}

function promptsMove(row: LadderFigures, before: LadderFigures, who: string): Move | null {
  const [now, then] = [row.promptsPerOperation, before.promptsPerOperation]
  if (now === null || then === null || !promptsSurged(now, then)) return null
  return {
    what: `${row.rung} prompts`,
    text: `${who} asks ${formatRate(now)} questions per ${OPERATION_WORDS[row.rung]}, up from ${formatRate(then)}`,
    weight: 1.4 + now / 100,
  }
}
