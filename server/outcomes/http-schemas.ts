import { z } from "zod"
import { ORIGINS } from "#sdk/ladder.ts"
import { parseToken } from "#sdk/token.ts"

/** What any other system sends to `/v1/outcomes`; the OpenAPI description is made of the same. */

export const REPORTED_OUTCOMES = ["merged", "reverted", "abandoned"] as const

export const SURVIVAL_POINTS = ["merge", "1d", "7d", "14d", "30d"] as const
export type SurvivalPoint = (typeof SURVIVAL_POINTS)[number]

const LINES_MAX = 2_147_483_647

const said = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(200)
    .describe("The sender's own, of this outcome: what is sent again with the same id changes nothing."),
  operation: z
    .string()
    .max(256)
    .refine((token) => parseToken(token) !== undefined, { error: "not the token of an operation" })
    .describe("The operation's token, as the SDK gives it and a commit's trailer Belay-Operation has it."),
  at: z.iso.datetime({ offset: true }).describe("When it was so."),
})

const ended = said
  .extend({
    outcome: z.enum(REPORTED_OUTCOMES),
    origin: z.enum(ORIGINS).default("human").describe("Who decided."),
  })
  .describe("What became of an operation.")

const survived = said
  .extend({
    outcome: z.literal("survived"),
    survival: z
      .strictObject({
        after: z.enum(SURVIVAL_POINTS).describe("How long after the merge, whose time and that long is `at`."),
        commit: z
          .string()
          .regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/)
          .describe("The commit of the default branch that brought the lines."),
        lines: z.int().positive().max(LINES_MAX).describe("Lines that the operation brought."),
        standing: z.int().nonnegative().max(LINES_MAX).describe("Of these, those that were still there."),
        revertedAt: z.iso
          .datetime({ offset: true })
          .nullable()
          .describe("Since when all of it was taken back; null while it stood."),
      })
      .refine(({ lines, standing }) => standing <= lines, { error: "more lines are there than were brought" }),
  })
  .describe("How much of what an operation changed was still there after a while, as `belay survival` counts it.")

const outcome = z.discriminatedUnion("outcome", [ended, survived])

export const outcomesRequestSchema = z
  .strictObject({ outcomes: z.array(outcome).min(1).max(1000) })
  .describe("Outcomes of operations, in any order.")

export const outcomesResponseSchema = z
  .object({
    taken: z.int().describe("Outcomes that were new. They count once their operation is known."),
    known: z.int().describe("Outcomes whose id was known already."),
  })
  .describe("What was stored.")
