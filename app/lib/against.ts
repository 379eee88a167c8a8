import type { LadderFigures } from "#server/rungs/queries.ts"

/** Whom a page's figures are compared with, in the same weeks; without one that is the period before. */
export interface Against {
  /** Null for the whole organization. */
  readonly teamId: string | null
  /** As it stands in a sentence: `Payments`, `all teams`. */
  readonly name: string
}

/** The whole organization, as the address has it. */
export const ALL_TEAMS = "all"

/** Says the same of a team that is not the reader's to read and of one that never was. */
export const NOT_COMPARABLE =
  "The page was to be compared with a team that is gone, or whose figures are not yours to read. Open it anew and choose there whom to compare with."

type State = LadderFigures["acceptanceState"]

const WHY_NONE: Record<State, string> = {
  // Of a whole that is shown, a part that rests on too few people.
  shown: "withheld",
  withheld: "withheld",
  no_data: "no data",
  not_decidable: "not decidable",
}

/** An answer with another's figures in place of those of the period before, where there is another's. */
export function putBeside<Answer extends { readonly previous: unknown }>(
  answer: Answer,
  other: { readonly rungs: Answer["previous"] } | null | undefined,
): Answer {
  return other == null ? answer : { ...answer, previous: other.rungs }
}

/**
 * The figure beside a page's own: `was 42 %`, or `against Payments: 42 %`. Where another team has none it says why; null
 * where nothing is to be said. `state` is that of the row that was to tell it.
 */
export function sayBeside(against: Against | null, told: string | null, state: State): string | null {
  if (against === null) return told === null ? null : `was ${told}`
  return `against ${against.name}: ${told ?? WHY_NONE[state]}`
}

/** As `sayBeside`, of a difference to that figure: `+5 pts`, or `+5 pts against Payments`. */
export function sayDifference(against: Against | null, told: string | null, state: State): string | null {
  if (against === null) return told
  return told === null ? sayBeside(against, null, state) : `${told} against ${against.name}`
}
