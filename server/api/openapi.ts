import { z } from "zod"
import { RUNGS } from "#sdk/ladder.ts"
import { answerSchema, BY_RUNG, problemSchema, RESOURCE_NAMES, type ResourceName, ROWS } from "./rows.ts"

const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { target: "draft-2020-12", io: "output" })

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: schemaOf(problemSchema) } },
})

const PARAMETERS = [
  {
    name: "range",
    in: "query",
    description: "Whole weeks up to now, the one in progress among them: 4w when nothing is said.",
    schema: { enum: ["1w", "4w", "8w", "13w"] },
  },
  {
    name: "from",
    in: "query",
    description: "First day, with `to` and instead of `range`; widened to the Monday on or before it.",
    schema: { type: "string", format: "date" },
  },
  {
    name: "to",
    in: "query",
    description: "Last day, inclusive; widened to the Sunday on or after it.",
    schema: { type: "string", format: "date" },
  },
  {
    name: "team",
    in: "query",
    description: "A team with its sub-teams. Without it the whole organization.",
    schema: { type: "string", format: "uuid" },
  },
]

const RUNG = { name: "rung", in: "query", description: "One rung alone.", schema: { enum: RUNGS } }

const SUMMARIES: Record<ResourceName, string> = {
  ladder: "Use, acceptance and latency of each rung: of the range, the one before, by day or week, and by team",
  moves: "Moves of people between rungs, by class and week",
  usage: "Active people and unused seats by week; of the organization also operations by tool, and spend by model",
  latency: "Latency of each rung against its objective; of the organization also by tool and model, of one rung",
  outcomes: "How far tasks came, and what became of the changes that they are in",
  incidents: "Losses of trust that were opened in the range, the newest first; 5,000 at most",
}

/** The paths of the read-only analytics, for the OpenAPI description. */
export const ANALYTICS_PATHS = Object.fromEntries(
  RESOURCE_NAMES.map((name) => [
    `/api/v1/${name}`,
    {
      get: {
        summary: SUMMARIES[name],
        description:
          "The figures of the pages, with the same privacy: groups of too few people are withheld; kept for ten minutes at most, incidents excepted. The key needs the scope analytics:read. CSV and NDJSON have the rows; what stands behind them is in the headers belay-people-at-least, belay-events, belay-coverage, belay-last-observed-at, belay-withheld-rows and belay-complete.",
        parameters: BY_RUNG.includes(name) ? [...PARAMETERS, RUNG] : PARAMETERS,
        responses: {
          "200": {
            description: "The rows, and what stands behind them.",
            content: {
              "application/json": { schema: schemaOf(answerSchema(name)) },
              "application/x-ndjson": { schema: schemaOf(ROWS[name]) },
              "text/csv": { schema: { type: "string" } },
            },
          },
          "400": problem("A parameter that is none, or a value that is none of it."),
          "401": problem("No key, or one that does not work."),
          "403": problem("The key may not read analytics: it needs the scope analytics:read."),
          "404": problem("No such team."),
          "406": problem("Accept names no format that there is."),
          "429": problem("Too many requests in a minute; Retry-After says how long to wait."),
          "503": problem("Belay cannot answer now; Retry-After says when to ask again."),
        },
      },
    },
  ]),
)
