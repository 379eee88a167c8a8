import { z } from "zod"
import { RUNGS, SURFACES } from "#sdk/ladder.ts"
import { NATIVE_TOOLS } from "#sdk/policy/native/compile-native.ts"
import { BUDGET_SCOPES, DATA_PRACTICES, EFFECTS, LAYERS, LIMIT_EFFECTS, RULE_ACTIONS } from "#sdk/policy/vocabulary.ts"

/** What clients send to the policy's endpoints; the OpenAPI description is made of the same. */

const name = z.string().min(1).max(60)
const path = z.string().min(1).max(4096)

export const statusReportSchema = z
  .strictObject({
    id: z.string().min(1).max(80).describe("Made once per installation, and kept."),
    agentTool: name.nullable().default(null).describe("The agent tool, such as claude-code."),
    agentVersion: name.nullable().default(null),
    belayVersion: name.nullable().default(null).describe("Of the SDK or the hook command."),
    state: z
      .enum(["in_force", "last_good", "none"])
      .describe("Whether it goes by what it was last sent, by an earlier bundle, or by none."),
    version: z.int().positive().nullable().default(null).describe("Of the bundle that it goes by."),
    refusal: z
      .string()
      .regex(/^[a-z_]{1,40}$/)
      .nullable()
      .default(null)
      .describe("Why it refused what it was sent: empty, not_an_envelope, wrong_signature, older, …"),
    canary: z
      .enum(EFFECTS)
      .nullable()
      .default(null)
      .describe("What came of an action that every policy denies; null when it was not tried."),
  })
  .describe("What a client goes by.")

const action = z.discriminatedUnion("kind", [
  z
    .strictObject({
      kind: z.literal("shell"),
      command: z.union([z.string().max(65_536), z.array(z.string().max(65_536)).min(1).max(1000)]),
      cwd: path.optional(),
    })
    .describe("To run a shell command: a script, or an argument vector that is run without a shell."),
  z.strictObject({ kind: z.literal("edit"), path }).describe("To create, change, move or delete a file."),
  z.strictObject({ kind: z.literal("read"), path }).describe("To read a file."),
  z
    .strictObject({ kind: z.literal("web"), url: z.string().min(1).max(4096) })
    .describe("To read something on the web."),
  z
    .strictObject({
      kind: z.literal("mcp"),
      server: z.string().min(1).max(200),
      tool: z.string().min(1).max(200),
      url: z.string().max(4096).optional(),
      command: z.array(z.string().max(4096)).max(100).optional(),
    })
    .describe("To call a tool of an MCP server."),
  z.strictObject({ kind: z.literal("subagent"), name: z.string().min(1).max(200) }).describe("To start another agent."),
  z
    .strictObject({
      kind: z.literal("model"),
      model: z.string().min(1).max(200),
      provider: z.string().min(1).max(200).optional(),
    })
    .describe("To call a model."),
])

const context = z
  .strictObject({
    rung: z.enum(RUNGS).optional(),
    agentTool: name.optional(),
    mode: name.optional(),
    isAutoApproving: z.boolean().optional(),
    surface: z.enum(SURFACES).optional(),
    repository: z.string().min(1).max(400).optional(),
    repositoryLabels: z.array(z.string().min(1).max(100)).max(100).optional(),
    isIsolated: z.boolean().optional(),
    dataPractice: z.enum(DATA_PRACTICES).optional(),
    workspace: path.optional(),
    home: path.optional(),
    change: z.strictObject({ lines: z.int().nonnegative(), files: z.int().nonnegative() }).optional(),
  })
  .describe("The circumstances. What is left out is not known, and never counts in the agent's favour.")

const call = z
  .strictObject({
    inputTokens: z.int().nonnegative().max(1e9).optional().describe("Tokens that the call sends."),
    maxOutputTokens: z.int().nonnegative().max(1e9).optional().describe("The most that it may answer with."),
    operationId: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe("As the call's signal will name its operation: once that is counted, the reservation is let go of."),
    seconds: z.int().min(1).max(3600).optional().describe("How long the reservation holds; 600 unless said otherwise."),
  })
  .describe(
    "Of an action of kind model, for what budgets reserve. Tokens that are not said are those of a mean call of the model in the last seven days, or else 10,000 in and 1,000 out.",
  )

export const decideRequestSchema = z
  .strictObject({
    action,
    context: context.default({}),
    call: call.default({}),
    record: z
      .boolean()
      .default(true)
      .describe("False for a client that sends its decisions as signals itself, which would be counted twice."),
  })
  .describe(
    "What an agent is about to do. It is decided on and forgotten: what is kept is the decision, of the action its name without arguments, paths or addresses, and what budgets reserve for a call.",
  )

const nullableText = z.string().nullable()

export const decisionSchema = z
  .object({
    effect: z.enum(EFFECTS),
    because: z.enum(["rule", "default", "unset", "unsure"]),
    ruleId: nullableText.describe("The rule that decided, or a section's bound, such as models.allowed."),
    reason: nullableText.describe("For the person who is asked or refused."),
    owner: nullableText.describe("Who answers for the rule."),
    layer: z.enum(["organization", "team", "developer"]).nullable(),
    version: z.int().describe("Of the bundle."),
    layerVersion: z.int().nullable(),
    warnings: z
      .array(z.object({ ruleId: z.string(), layer: z.string(), share: z.number(), reason: nullableText }))
      .describe("Limits that are near or passed and do not stop the action."),
  })
  .describe("What the policy decides.")

const nullableFigure = z.number().nonnegative().nullable()

const budgetState = z.object({
  id: z.string(),
  layer: z.enum(LAYERS),
  scope: z.enum(BUDGET_SCOPES),
  unit: z.enum(["usd", "tokens"]),
  spent: nullableFigure.describe("As last counted from signals; null when it is not told."),
  reserved: nullableFigure.describe("For calls that were let through and are not counted yet."),
  limit: z.number(),
  threshold: nullableFigure.describe("The highest share of the limit that was reached, reservations included."),
  effect: z.enum(["allow", ...LIMIT_EFFECTS]).describe("What the budget does to an action now."),
  state: z
    .enum(["counted", "withheld", "unknown", "no_price"])
    .describe(
      "withheld: its figures are of fewer people than may be told of. unknown: of whom is not known. no_price: what the call costs is not known, so that a person is asked.",
    ),
  resetsAt: z.iso.datetime(),
  timeZone: z.string().describe("In which its periods begin."),
})

export const decideResponseSchema = decisionSchema
  .extend({
    budgets: z.array(budgetState).describe("The budgets that bind the person, before this call's reservation."),
    reservation: z
      .object({ id: z.uuid(), expiresAt: z.iso.datetime() })
      .nullable()
      .describe("What the call was reserved under; null when nothing was."),
  })
  .describe("What the policy decides, and how budgets stand.")

export const budgetsSchema = z
  .object({
    asOf: z.iso.datetime(),
    budgets: z.array(
      budgetState.extend({
        used: nullableFigure.describe(
          "Spent and reserved: what a client decides by. The threshold that was reached, where figures are withheld.",
        ),
      }),
    ),
    envelope: z
      .string()
      .describe(
        "The same, signed as a policy is: JSON of format belay.budgets/1, keyId, payload and signature. The payload has organization, subject, version (the bundle's), asOf and budgets.",
      ),
  })
  .describe("How the budgets stand that bind a person.")

export const errorSchema = z
  .object({ error: z.string().describe("A word for programs."), message: z.string().describe("What to do next.") })
  .describe("Why a request is not answered.")

const nullablePath = z.string().nullable()

export const nativeSchema = z
  .object({
    tool: z.enum(NATIVE_TOOLS),
    version: z.int().describe("Of the policy that the files say."),
    files: z.array(
      z.object({
        name: z.string(),
        paths: z
          .object({ linux: nullablePath, macos: nullablePath, windows: nullablePath })
          .describe("Where it belongs; null where the tool reads no such file."),
        format: z.enum(["json", "toml", "starlark"]),
        contents: z.string(),
        delivery: z.string().describe("How it gets there and who may write it."),
      }),
    ),
    losses: z
      .array(
        z.object({
          ruleId: nullableText,
          layer: z.enum(["organization", "team", "developer"]).nullable(),
          action: z.enum(RULE_ACTIONS).nullable(),
          direction: z.enum(["looser", "stricter"]),
          effect: z.enum(EFFECTS),
          nativeEffect: z.enum(EFFECTS),
          what: z.string(),
          isCoveredByHook: z.boolean(),
        }),
      )
      .describe("Everything that the files do not say as the policy does."),
    notes: z.array(z.string()),
  })
  .describe("A policy in the form that one agent tool reads by itself.")
