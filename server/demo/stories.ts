/** What the demo organization lives through. Times are whole days before today. */

export const DEMO_TEAMS = ["Checkout", "Mobile", "Payments", "Platform", "Search"] as const
export type DemoTeam = (typeof DEMO_TEAMS)[number]

/**
 * A top-level team of two of them. So few people of Mobile orchestrate that they are withheld, and Search with them,
 * for the difference to the whole would be Mobile's: that is to be seen in the demo, and to cost no story.
 */
export const DEMO_PARENT = { name: "Storefront", parts: ["Mobile", "Search"] } as const satisfies {
  name: string
  parts: readonly DemoTeam[]
}

/** How work at each rung goes for one team on one day. */
export interface Climate {
  /** Median and spread of the time until a suggestion is shown; p95 is about 1.6 times the median. */
  readonly suggestionMedianMs: number
  readonly suggestionAcceptance: number
  readonly suggestionsPerDay: number
  readonly turnsPerDay: number
  readonly turnAcceptance: number
  readonly tasksPerDay: number
  readonly editAcceptance: number
  readonly runsPerDay: number
  readonly runAcceptance: number
  /** Questions a human has to answer in one run. */
  readonly promptsPerRun: number
}

const CALM: Climate = {
  suggestionMedianMs: 95,
  suggestionAcceptance: 0.31,
  suggestionsPerDay: 20,
  turnsPerDay: 4,
  turnAcceptance: 0.62,
  tasksPerDay: 2.4,
  editAcceptance: 0.78,
  runsPerDay: 0.9,
  runAcceptance: 0.72,
  promptsPerRun: 2,
}

/** A model server was moved: suggestions come late, then are taken less, then are asked for less. */
const SLOW_SINCE_DAYS = 17
/** A permission change makes every orchestrated run ask for everything; people go back to single agents. */
const STORM_SINCE_DAYS = 11

export function climateOf(team: DemoTeam, daysAgo: number): Climate {
  switch (team) {
    case "Checkout": {
      if (daysAgo > SLOW_SINCE_DAYS) return CALM
      const worn = Math.min(1, (SLOW_SINCE_DAYS - daysAgo) / 8)
      return {
        ...CALM,
        suggestionMedianMs: 265,
        suggestionAcceptance: 0.31 - 0.13 * Math.min(1, worn * 2),
        suggestionsPerDay: 20 - 13 * worn,
      }
    }
    case "Platform": {
      const busy = { ...CALM, runsPerDay: 1.8, tasksPerDay: 2 }
      if (daysAgo > STORM_SINCE_DAYS) return busy
      const worn = Math.min(1, (STORM_SINCE_DAYS - daysAgo) / 6)
      return {
        ...busy,
        promptsPerRun: 13,
        runAcceptance: 0.72 - 0.34 * worn,
        runsPerDay: 1.8 - 1.1 * worn,
        tasksPerDay: 2 + 1.6 * worn,
      }
    }
    case "Payments": {
      const grown = 1 - Math.min(1, daysAgo / 56)
      return {
        ...CALM,
        tasksPerDay: 2.2 + grown,
        runsPerDay: 0.5 + 0.9 * grown,
        editAcceptance: 0.78 + 0.05 * grown,
        runAcceptance: 0.7 + 0.08 * grown,
      }
    }
    case "Mobile":
      return { ...CALM, runsPerDay: 0.1, turnsPerDay: 5, tasksPerDay: 1.6 }
    case "Search":
      return CALM
  }
}
