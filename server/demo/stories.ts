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

/** How work at each rung goes for one developer on one day. */
export interface Climate {
  /** Median and spread of the time until a suggestion is shown; p95 is about 1.6 times the median. */
  readonly suggestionMedianMs: number
  readonly suggestionAcceptance: number
  readonly suggestionsPerDay: number
  readonly turnsPerDay: number
  readonly turnAcceptance: number
  readonly tasksPerDay: number
  readonly editAcceptance: number
  /** Share of a task's edits outside of where it was to work. */
  readonly wrongPaths: number
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
  wrongPaths: 0.02,
  runsPerDay: 0.9,
  runAcceptance: 0.72,
  promptsPerRun: 2,
}

/** A model server is moved: suggestions come late, then are taken less, then are asked for less. */
const SLOW_SINCE_DAYS = 17
/** A permission change makes every orchestrated run ask for everything; people go back to single agents until it is undone. */
export const STORM_SINCE_DAYS = 34
export const STORM_OVER_DAYS = 21
/** A release of an agent edits in the wrong places; people give it less to do. */
const WRONG_SINCE_DAYS = 8

/** One team's runs outgrow its reviewers: changes get larger than a person can review, and are merged all the same. */
const OUTRUN_SINCE_DAYS = 26

const VERSION_BEFORE = "2.1.239"
const VERSION_WRONG = "2.1.240"

/**
 * What changed, when, and so may be the cause. A new version is told by the signals too, but only once: not when the
 * history of another day takes the place of one with the same version.
 */
export const DEMO_CHANGES = [
  { kind: "policy", subject: "Platform: ask before every command", daysAgo: STORM_SINCE_DAYS },
  { kind: "policy", subject: "Platform: ask before commands that leave the workspace", daysAgo: STORM_OVER_DAYS },
  { kind: "model_server", subject: "gpt-5-mini moved to another region", daysAgo: SLOW_SINCE_DAYS },
  { kind: "agent_version", subject: `claude-code ${VERSION_WRONG}`, daysAgo: WRONG_SINCE_DAYS },
] as const

/** The version of an agent tool on a day; null for one that stays the same. */
export function versionOf(agentTool: string, daysAgo: number): string | null {
  if (agentTool !== "claude-code") return null
  return daysAgo > WRONG_SINCE_DAYS ? VERSION_BEFORE : VERSION_WRONG
}

/** The day of a developer: what their team lives through, and what their agent tool does. */
export function climateOf(developer: { team: DemoTeam; agentTool: string }, daysAgo: number): Climate {
  const climate = climateOfTeam(developer.team, daysAgo)
  if (developer.agentTool !== "claude-code" || daysAgo > WRONG_SINCE_DAYS) return climate
  const worn = Math.min(1, (WRONG_SINCE_DAYS - daysAgo) / 4)
  return {
    ...climate,
    wrongPaths: 0.3,
    editAcceptance: climate.editAcceptance - 0.3,
    tasksPerDay: climate.tasksPerDay * (1 - 0.4 * worn),
  }
}

function climateOfTeam(team: DemoTeam, daysAgo: number): Climate {
  switch (team) {
    case "Checkout": {
      if (daysAgo > SLOW_SINCE_DAYS) return CALM
      const worn = Math.min(1, (SLOW_SINCE_DAYS - daysAgo) / 5)
      return {
        ...CALM,
        suggestionMedianMs: 265,
        suggestionAcceptance: 0.31 - 0.08 - 0.08 * worn,
        suggestionsPerDay: 20 - 13 * worn,
      }
    }
    case "Platform": {
      const busy = { ...CALM, runsPerDay: 1.8, tasksPerDay: 2 }
      if (daysAgo > STORM_SINCE_DAYS) return busy
      const isOver = daysAgo <= STORM_OVER_DAYS
      const worn = isOver
        ? Math.max(0, 1 - (STORM_OVER_DAYS - daysAgo) / 4)
        : Math.min(1, (STORM_SINCE_DAYS - daysAgo) / 4)
      return {
        ...busy,
        promptsPerRun: isOver ? 2 : 13,
        runAcceptance: isOver ? 0.72 : 0.72 - 0.34 * worn,
        runsPerDay: 1.8 - 1.4 * worn,
        tasksPerDay: 2 + 3 * worn,
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

/** What becomes of the changes that a team's agents make. */
export interface Aftermath {
  /** Of tasks those whose work goes into a change. */
  readonly changed: number
  readonly linesMedian: number
  readonly checked: number
  readonly reviewed: number
  readonly waitMinutesMedian: number
  readonly reviewMinutesMedian: number
  readonly merged: number
  readonly reverted: number
}

const AFTER_TASK: Aftermath = {
  changed: 0.75,
  linesMedian: 130,
  checked: 0.95,
  reviewed: 0.97,
  waitMinutesMedian: 150,
  reviewMinutesMedian: 24,
  merged: 0.9,
  reverted: 0.04,
}
const AFTER_RUN: Aftermath = {
  ...AFTER_TASK,
  changed: 0.9,
  linesMedian: 240,
  waitMinutesMedian: 260,
  reviewMinutesMedian: 48,
  merged: 0.86,
  reverted: 0.05,
}

/** What becomes of the changes of a team's tasks or runs that it makes on a day. */
export function aftermathOf(team: DemoTeam, rung: "agent" | "orchestration", daysAgo: number): Aftermath {
  if (rung === "agent") return AFTER_TASK
  if (team !== "Payments" || daysAgo > OUTRUN_SINCE_DAYS) return AFTER_RUN
  const grown = Math.min(1, (OUTRUN_SINCE_DAYS - daysAgo) / 10)
  return {
    ...AFTER_RUN,
    linesMedian: 240 + 520 * grown,
    reviewed: 0.97 - 0.47 * grown,
    waitMinutesMedian: 260 + 500 * grown,
    reviewMinutesMedian: 48 - 24 * grown,
    merged: 0.92,
    reverted: 0.05 + 0.14 * grown,
  }
}
