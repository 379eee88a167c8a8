import type { Work, WorkFigures } from "#server/usage/work-queries.ts"
import type { Term } from "../../lib/glossary.ts"

/** Operations of one kind. */
export interface WorkRow extends Work {
  readonly key: string
  /** Null where sources name none, and for a rung as a whole. */
  readonly name: string | null
  readonly hasSeveral: boolean
}

/** What operations are told by; `isFirst` is told without being asked for. */
export const WORK_CUTS = [
  { name: "rung", label: "Rung", term: "use_by_rung", isFirst: false },
  { name: "agent_tool", label: "Agent tool", term: "use_by_tool", isFirst: true },
  { name: "mode", label: "Mode", term: "use_by_mode", isFirst: false },
  { name: "language", label: "Language", term: "use_by_language", isFirst: false },
] as const satisfies readonly { name: string; label: string; term: Term; isFirst: boolean }[]
export type WorkCut = (typeof WORK_CUTS)[number]["name"]

/** What is told of one cut, the highest rung first; of rungs without any operation nothing. */
export function workRowsOf({ rungs, pieces }: WorkFigures, by: WorkCut): readonly WorkRow[] {
  if (by === "rung")
    return rungs
      .filter(({ state }) => state !== "no_data")
      .toReversed()
      .map((row) => ({ ...row, key: row.rung, name: null, hasSeveral: false }))
  return (pieces ?? [])
    .filter(({ cut }) => cut === by)
    .map((row, index) => ({ ...row, key: `${row.rung} ${row.name ?? index}` }))
}

export function nameOfWork({ name, hasSeveral }: Pick<WorkRow, "name" | "hasSeveral">): string {
  return hasSeveral ? "several" : (name ?? "not named")
}
