import { z } from "zod"
import { RUNGS } from "#sdk/ladder.ts"

/**
 * What the analytics API says, row by row: the fields that leave Belay, under the names of the queries that they come from.
 * The OpenAPI description is made of the same. `of` says what a row is about.
 */

const state = z.enum(["shown", "withheld", "no_data"]).describe("Why a figure is there or null.")
const rung = z.enum(RUNGS)
const count = z.number().nullable()
const at = z.iso.datetime()
const weeks = z
  .object({ shown: z.number(), total: z.number() })
  .describe("Weeks with activity, and of those the ones that may be shown. Only these are summed.")
const interval = z.object({ low: z.number(), high: z.number() }).nullable().describe("95 % Wilson interval.")
const teamId = z.uuid()

const ladder = {
  rung,
  weeks: z.object({ volume: weeks, acceptance: weeks, latency: weeks }),
  developers: count,
  volumeState: state,
  operations: count,
  acceptance: count.describe("A ratio of summed counts, 0 to 1."),
  acceptanceState: z.enum(["shown", "withheld", "no_data", "not_decidable"]),
  interval,
  accepted: count,
  presented: count,
  presentedDevelopers: count,
  latencyP50Ms: count,
  latencyP95Ms: count,
  latencyState: state,
  latencyCount: count,
  promptsPerOperation: count,
}

const percentiles = { state, p50Ms: count, p95Ms: count, p99Ms: count, timed: count, people: count }
const latency = { rung, ...percentiles, weeks, lateShare: count }
const latencySplit = { rung, name: z.string().nullable(), ...percentiles, weeks }

const funnel = {
  rung,
  state,
  weeks,
  begun: count,
  people: count,
  planned: count,
  ran: count,
  joined: count,
  verified: count,
  reviewed: count,
  merged: count,
  abandoned: count,
  matured: count,
  alive: count,
}

const changes = {
  rung,
  state,
  weeks,
  changes: count,
  people: count,
  verified: count,
  abandoned: count,
  rounds: count,
  sized: count,
  within: count,
  unclear: count,
  medianLines: count,
  reviewed: count,
  medianWaitMinutes: count,
  approved: count,
  medianMinutesPer100Lines: count,
  merged: count,
  mergedUnreviewed: count,
  mergedUnverified: count,
  reverted: count,
  accepted: count,
  acceptedToolCalls: count,
}

const text = z.string().nullable()

const work = {
  rung,
  state,
  operations: count,
  people: count,
  spendState: state.describe("Of tokens and cost, which not every source tells."),
  tokens: count,
  usd: count,
  unpricedTokens: count,
}
const workPiece = {
  ...work,
  name: text,
  hasSeveral: z.boolean().describe("Operations whose signals name more than one."),
}

export const ROWS = {
  ladder: z.discriminatedUnion("of", [
    z.object({ of: z.literal("range"), ...ladder }),
    z.object({ of: z.literal("previous"), ...ladder }),
    z.object({ of: z.literal("bucket"), bucketStart: at, ...ladder }),
    z.object({ of: z.literal("team"), teamId, ...ladder }),
  ]),
  moves: z.discriminatedUnion("of", [
    z.object({
      of: z.literal("range"),
      class: z.string(),
      state,
      cells: weeks,
      moves: count,
      people: count,
      recoveredAfterDays: count,
    }),
    z.object({
      of: z.literal("week"),
      week: at,
      from: rung,
      to: rung,
      class: z.string(),
      moves: z.number(),
      people: z.number(),
    }),
  ]),
  usage: z.discriminatedUnion("of", [
    z.object({ of: z.literal("week"), week: at, state, active: count, unused: count }),
    z.object({ of: z.literal("rung"), ...work }),
    z.object({ of: z.literal("tool"), ...workPiece }),
    z.object({ of: z.literal("mode"), ...workPiece }),
    z.object({ of: z.literal("language"), ...workPiece }),
    z.object({
      of: z.literal("model"),
      name: text,
      state,
      calls: count,
      tokens: count,
      usd: count,
      unpricedTokens: count,
      people: count,
    }),
  ]),
  latency: z.discriminatedUnion("of", [
    z.object({ of: z.literal("range"), ...latency }),
    z.object({ of: z.literal("previous"), ...latency }),
    z.object({ of: z.literal("bucket"), bucketStart: at, ...latency }),
    z.object({ of: z.literal("team"), teamId, ...latency }),
    z.object({ of: z.literal("tool"), ...latencySplit }),
    z.object({ of: z.literal("model"), ...latencySplit }),
  ]),
  outcomes: z.discriminatedUnion("of", [
    z.object({ of: z.literal("tasks"), ...funnel }),
    z.object({ of: z.literal("tasks_previous"), ...funnel }),
    z.object({ of: z.literal("changes"), ...changes }),
    z.object({ of: z.literal("changes_previous"), ...changes }),
    z.object({ of: z.literal("changes_week"), week: at, ...changes }),
    z.object({ of: z.literal("changes_team"), teamId, ...changes }),
  ]),
  incidents: z.discriminatedUnion("of", [
    z.object({
      of: z.literal("incident"),
      id: z.uuid(),
      rung,
      openedAt: at,
      kind: z.string(),
      state: z.string(),
      startedAt: at,
      startedFrom: at,
      startedTo: at,
      closedAt: at.nullable(),
      teamId: teamId.nullable(),
      client: text,
      model: text,
      language: text,
      mode: text,
      cause: z.string(),
      leading: text.describe("The signal that it stands on."),
      people: z.number(),
      peopleAffected: count,
      confidence: z.number(),
    }),
    z.object({ of: z.literal("withheld"), id: z.uuid(), rung, openedAt: at, state: z.literal("withheld") }),
  ]),
} as const

export type ResourceName = keyof typeof ROWS

export const RESOURCE_NAMES = [
  "ladder",
  "moves",
  "usage",
  "latency",
  "outcomes",
  "incidents",
] as const satisfies readonly ResourceName[]

/** Which resources can be asked for one rung alone. */
export const BY_RUNG: readonly ResourceName[] = ["ladder", "latency", "outcomes", "incidents"]

/** What stands behind the rows. */
export const basisSchema = z.object({
  peopleAtLeast: count.describe("The most people behind one row; null when none may be told."),
  events: z.number().describe("Signals of the range in the organization, whoever they are from."),
  coverage: z
    .object({ state, eligibleDays: count, seenDays: count })
    .describe("Working days of people in a team, and of those the ones on which a signal came from the person."),
  lastObservedAt: at.nullable(),
  lastReceivedAt: at.nullable(),
  minGroupSize: z.number().describe("Groups of fewer people are withheld, and what would tell of such a group."),
  withheldRows: z.number().describe("Rows of which a figure is withheld."),
  isComplete: z.boolean().describe("False when there are more rows in the range than one answer has."),
})

export const problemSchema = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.number(),
    detail: z.string().describe("What is wrong, and what to do about it."),
    code: z.string().describe("The same for every problem of its kind."),
    requestId: z.string().describe("To quote to whoever runs Belay."),
  })
  .describe("Any answer that is not what was asked for (RFC 9457).")

export function answerSchema(name: ResourceName) {
  return z.object({
    range: z
      .object({ from: at, to: at, weeks: z.number(), timeZone: z.string() })
      .describe("Whole weeks, `[from, to)`."),
    team: z.object({ id: teamId, name: z.string() }).nullable().describe("Null for the whole organization."),
    basis: basisSchema,
    rows: z.array(ROWS[name]),
  })
}
