import { z } from "zod"
import { RUNGS, SURFACES } from "#sdk/ladder.ts"
import { NATIVE_TOOLS } from "#sdk/policy/native/compile-native.ts"
import { DATA_PRACTICES, EFFECTS, RULE_ACTIONS } from "#sdk/policy/vocabulary.ts"

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

export const decideRequestSchema = z
  .strictObject({
    action,
    context: context.default({}),
    record: z
      .boolean()
      .default(true)
      .describe("False for a client that sends its decisions as signals itself, which would be counted twice."),
  })
  .describe(
    "What an agent is about to do. It is decided on and forgotten: what is recorded is the decision, and of the action its name without arguments, paths or addresses.",
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
