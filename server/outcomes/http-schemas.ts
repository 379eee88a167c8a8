import { z } from "zod"
import { ORIGINS } from "#sdk/ladder.ts"
import { parseToken } from "#sdk/token.ts"

/** What any other system sends to `/v1/outcomes`; the OpenAPI description is made of the same. */

export const REPORTED_OUTCOMES = ["merged", "reverted", "abandoned"] as const

const outcome = z
  .strictObject({
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
    outcome: z.enum(REPORTED_OUTCOMES),
    at: z.iso.datetime({ offset: true }).describe("When it was so."),
    origin: z.enum(ORIGINS).default("human").describe("Who decided."),
  })
  .describe("What became of an operation.")

export const outcomesRequestSchema = z
  .strictObject({ outcomes: z.array(outcome).min(1).max(1000) })
  .describe("Outcomes of operations, in any order.")

export const outcomesResponseSchema = z
  .object({
    taken: z.int().describe("Outcomes that were new. They count once their operation is known."),
    known: z.int().describe("Outcomes whose id was known already."),
  })
  .describe("What was stored.")
