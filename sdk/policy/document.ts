/**
 * What a policy document is: its types and its JSON Schema, both from the one schema here.
 *
 * Every section and every list may be absent, which means that it is unset: the wider layer holds. Saying "nothing" is
 * `{ "kind": "none" }`, and a list says in `future` what happens to what did not exist when it was written; an empty
 * list is refused, because half of all products take it for "all" and the other half for "none".
 *
 * The engine imports the types alone, so that deciding does not load zod.
 */
import { z } from "zod"
import { RUNGS, SURFACES } from "../ladder.ts"
import {
  AVAILABILITIES,
  BUDGET_PERIODS,
  BUDGET_SCOPES,
  DATA_PRACTICES,
  EFFECTS,
  LIMIT_EFFECTS,
  RULE_ACTIONS,
} from "./vocabulary.ts"

/** What the `schema` of every document of this form says. */
export const POLICY_SCHEMA = "belay.policy/1"
/** Where the JSON Schema says that it is. */
export const POLICY_SCHEMA_ID = "https://belay.dev/schema/policy-1.json"

const MAX_TEXT = 500
const MAX_PATTERN = 1000

const text = z
  .string()
  .max(MAX_TEXT)
  .regex(/^\S(?:[^]*\S)?$/, "Write some text here, without space around it.")
const reason = text.describe("Why, for the person who is asked or refused.")
const owner = text.describe("Who answers for it and may grant an exception: a team, an address or a handle.")
const pattern = z.string().min(1).max(MAX_PATTERN)
const moment = z.iso
  .datetime({ offset: true, error: "Write a date and time with its zone, for example 2027-01-31T00:00:00Z." })
  .describe("The moment from which it no longer counts, in ISO 8601 with a zone.")

const atLeastOne = { error: "An empty list says nothing. Name at least one item, or leave the key out." }

function listOf(items: string, future: string) {
  return z.discriminatedUnion(
    "kind",
    [
      z.strictObject({ kind: z.literal("none") }).describe("Nothing is allowed."),
      z
        .strictObject({
          kind: z.literal("list"),
          items: z
            .array(pattern)
            .min(1, {
              error:
                'An empty list does not say whether all or none is meant. Write { "kind": "none" } to allow nothing, or leave the key out to inherit.',
            })
            .describe(items),
          future: z.enum(["allow", "deny"]).describe(future),
        })
        .describe("What is named is allowed; what is known and not named is denied."),
    ],
    {
      error:
        'A list is { "kind": "none" } or { "kind": "list", "items": [...], "future": "allow" or "deny" }; leave the key out to inherit.',
    },
  )
}

const conditions = z
  .strictObject({
    rung: z.array(z.enum(RUNGS)).min(1, atLeastOne).describe("Rungs of the trust ladder.").optional(),
    agentTool: z.array(text).min(1, atLeastOne).describe("Agent tools by name, such as claude-code.").optional(),
    mode: z.array(text).min(1, atLeastOne).describe("Modes of the agent, such as architect or acceptEdits.").optional(),
    surface: z.array(z.enum(SURFACES)).min(1, atLeastOne).describe("Where the agent is used.").optional(),
    repository: z
      .array(pattern)
      .min(1, atLeastOne)
      .describe("Repositories by name, with * for any part of it, such as acme/*.")
      .optional(),
    repositoryLabel: z
      .array(text)
      .min(1, atLeastOne)
      .describe("Labels of repositories, such as production.")
      .optional(),
    isolated: z
      .boolean()
      .describe("Whether the agent runs in an isolated environment: a container or a machine of its own.")
      .optional(),
    dataPractice: z
      .array(z.enum(DATA_PRACTICES))
      .min(1, atLeastOne)
      .describe("What the model's provider may do with what it is sent.")
      .optional(),
  })
  .describe(
    "Where the rule counts: every condition has to hold, and one of the values of each. What is not known makes an allow not count, and a deny or ask count as ask.",
  )

const ruleId = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,79}$/,
    "An id is made of a-z, 0-9, - and _, starts with a letter or digit, and has at most 80.",
  )

const rule = z.strictObject({
  id: ruleId.describe("Names the rule in decisions, exceptions and telemetry; unique in the document."),
  effect: z.enum(EFFECTS).describe("Deny beats ask beats allow, whatever the order of the rules."),
  action: z.enum(RULE_ACTIONS).describe("What the rule is about."),
  pattern: pattern.describe(
    "What it matches; * alone is everything. shell: words as in `git push *` or `rm -rf *`. edit and read: a glob from the workspace's root, ** for folders, ~/ for the home folder. web: a host with an optional path, *.example.com. mcp: server/tool. subagent: a name. model: a canonical name, or provider/name.",
  ),
  when: conditions.optional(),
  reason: reason.optional(),
  owner: owner.optional(),
  expiresAt: moment.optional(),
  overridable: z
    .boolean()
    .describe("Whether a narrower layer's rules may allow what this rule denies or asks about.")
    .optional(),
})

const perAction = <Value extends z.ZodType>(value: Value) =>
  z.strictObject({
    shell: value.describe("Shell commands.").optional(),
    edit: value.describe("Writing files.").optional(),
    read: value.describe("Reading files.").optional(),
    web: value.describe("Reading the web.").optional(),
    mcp: value.describe("Tools of MCP servers.").optional(),
    subagent: value.describe("Starting other agents.").optional(),
    model: value.describe("Calling models.").optional(),
  })

const permissions = z
  .strictObject({
    defaults: perAction(z.enum(EFFECTS))
      .describe(
        "What holds where no rule matches, per action. What no layer says is left to the agent tool's own settings.",
      )
      .optional(),
    overridableDefaults: z
      .array(z.enum(RULE_ACTIONS))
      .min(1, atLeastOne)
      .describe("Actions whose default steps back where a rule of a narrower layer matches.")
      .optional(),
    unavailable: perAction(z.enum(AVAILABILITIES))
      .describe(
        "What clients do per action while they have no usable bundle: open allows, closed denies; ask where it is unset.",
      )
      .optional(),
    rules: z.array(rule).min(1, atLeastOne).describe("The rules; their order has no meaning.").optional(),
  })
  .describe("What the agent may do.")

const models = z
  .strictObject({
    allowed: listOf(
      "Models by canonical name, with * for any part of it, such as claude-opus-4-5 or gpt-5*.",
      "What happens to a model that is neither named nor known.",
    )
      .describe("The models that may be used.")
      .optional(),
    denied: z
      .array(pattern)
      .min(1, atLeastOne)
      .describe("Models that may not be used, whatever is allowed.")
      .optional(),
    providers: listOf(
      "Providers by name, such as anthropic or aws.bedrock.",
      "What happens to a provider that is neither named nor known.",
    )
      .describe("The providers that may be used.")
      .optional(),
    deniedProviders: z.array(pattern).min(1, atLeastOne).describe("Providers that may not be used.").optional(),
    aliases: z
      .record(text, text)
      .describe(
        "Names of models in this organization, each with the canonical name that it stands for. A name given here is a known model.",
      )
      .optional(),
    reason: reason.optional(),
    owner: owner.optional(),
  })
  .describe(
    "Which models and providers may be used, by canonical name: prefixes, dates and a cloud's own ids make no difference.",
  )

const autonomy = z
  .strictObject({
    highestRung: z.enum(RUNGS).describe("The highest rung on which an agent may act.").optional(),
    autoApproveModes: listOf(
      "Modes by the agent tool's own name, such as acceptEdits.",
      "What happens to a mode that is neither named nor known.",
    )
      .describe("The modes in which an agent may approve its own actions.")
      .optional(),
    isolation: z
      .strictObject({
        repositories: z
          .array(pattern)
          .min(1, atLeastOne)
          .describe("Repositories by name, with * for any part of it; every repository when labels are absent too.")
          .optional(),
        labels: z.array(text).min(1, atLeastOne).describe("Labels of repositories.").optional(),
      })
      .describe("Repositories in which an agent acts in an isolated environment only.")
      .optional(),
    effect: z
      .enum(["ask", "deny"])
      .describe("What happens outside these bounds; deny unless said otherwise.")
      .optional(),
    reason: reason.optional(),
    owner: owner.optional(),
  })
  .describe("How much is left to the agent.")

const budget = z.strictObject({
  id: ruleId.describe("Names the budget; unique among the document's budgets."),
  scope: z
    .enum(BUDGET_SCOPES)
    .describe(
      "Whose use is added up. team: of the team that the policy is for, in any other policy of each person's top-level team, with its sub-teams.",
    ),
  period: z.enum(BUDGET_PERIODS).describe("After what time it starts anew. A week starts on Monday."),
  limit: z
    .strictObject({
      unit: z.enum(["usd", "tokens"]).describe("US dollars, or input and output tokens together."),
      amount: z.number().positive().describe("The most that may be used in a period."),
    })
    .describe("How much may be used."),
  softThresholds: z
    .array(z.number().gt(0).lt(1))
    .min(1, atLeastOne)
    .describe("Shares of the limit at which to warn; 0.5, 0.75 and 0.9 unless said otherwise.")
    .optional(),
  hard: z.enum(LIMIT_EFFECTS).describe("What happens once the limit is reached."),
  timeZone: z
    .string()
    .min(1)
    .max(64)
    .describe("IANA time zone in which periods start; the organization's own unless said otherwise.")
    .optional(),
  reason: reason.optional(),
  owner: owner.optional(),
})

const review = z
  .strictObject({
    changedLines: z
      .int()
      .positive()
      .describe("Changed lines that a person can review in one sitting; 400 unless said otherwise.")
      .optional(),
    files: z
      .int()
      .positive()
      .describe("Changed files that a person can review in one sitting; any number when absent.")
      .optional(),
    effect: z.enum(LIMIT_EFFECTS).describe("What happens to an edit that makes a change larger than that."),
    reason: reason.optional(),
    owner: owner.optional(),
  })
  .describe("How large a change may grow before a person has reviewed it.")

/** The schema of a policy document; `checkPolicy` adds what a schema cannot say. */
export const policyDocumentSchema = z
  .strictObject({
    schema: z
      .literal(POLICY_SCHEMA, { error: `Write "schema": "${POLICY_SCHEMA}", the form of this document.` })
      .describe("The form of this document."),
    description: z.string().min(1).max(2000).describe("What the policy is for, for people.").optional(),
    models: models.optional(),
    permissions: permissions.optional(),
    autonomy: autonomy.optional(),
    budgets: z.array(budget).min(1, atLeastOne).describe("How much may be used.").optional(),
    review: review.optional(),
  })
  .describe("A policy of Belay. A section that is absent is unset: the wider layer holds.")

/** One layer's policy, as it is written, stored and published. Immutable once published. */
export type PolicyDocument = z.infer<typeof policyDocumentSchema>
/** What the policy says of models and providers. */
export type ModelsSection = z.infer<typeof models>
/** What the policy says of what an agent may do. */
export type PermissionsSection = z.infer<typeof permissions>
/** One permission rule. */
export type PolicyRule = z.infer<typeof rule>
/** Where a rule or an exception counts. */
export type PolicyConditions = z.infer<typeof conditions>
/** How much is left to the agent. */
export type AutonomySection = z.infer<typeof autonomy>
/** One limit on use. */
export type PolicyBudget = z.infer<typeof budget>
/** How large a change may grow. */
export type ReviewSection = z.infer<typeof review>
/** `none`, or a list with what happens to what it could not know of; unset is the absent key. */
export type PolicyList = NonNullable<ModelsSection["allowed"]>

const exception = z
  .strictObject({
    id: ruleId.describe("Names the exception."),
    rule: z
      .string()
      .min(1)
      .max(120)
      .describe("The rule that it lifts: a permission rule's id, or a section's such as models.allowed."),
    layer: z
      .enum(["organization", "team", "developer"])
      .describe("The layer whose rule it lifts; of every layer when absent.")
      .optional(),
    scope: z
      .discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("organization") }).describe("Everyone."),
        z.strictObject({ kind: z.literal("team"), id: text.describe("The team's id.") }).describe("One team."),
        z.strictObject({ kind: z.literal("person"), id: text.describe("The person's id.") }).describe("One person."),
      ])
      .describe("Whom it is for."),
    when: conditions.optional(),
    reason,
    approver: text.describe("Who approved it."),
    expiresAt: moment,
  })
  .describe("Lifts one named rule for some, for a time.")

/** Lifts one named rule for some, for a time. Whatever else decides still does. */
export type PolicyException = z.infer<typeof exception>

const bundle = z
  .strictObject({
    version: z
      .int()
      .positive()
      .describe("The version that decisions and telemetry name; a newer bundle has a higher one."),
    layers: z
      .array(
        z.strictObject({
          layer: z.enum(["organization", "team", "developer"]).describe("Who wrote it."),
          version: z.int().positive().describe("The version of this layer's document."),
          document: policyDocumentSchema,
        }),
      )
      .describe("The documents that bind one developer; of two teams, the wider one's first."),
    exceptions: z.array(exception).describe("The exceptions that may concern this developer.").optional(),
  })
  .describe("All that binds one developer.")

/** The schema of what a client is sent and the engine compiles. */
export const policyBundleSchema = bundle
/** All that binds one developer: what a client is sent, and what `compilePolicy` takes. */
export type PolicyBundle = z.infer<typeof bundle>

/** The JSON Schema (draft 2020-12) of a policy document, with a description of every property. */
export function policyJsonSchema(): object {
  return {
    $id: POLICY_SCHEMA_ID,
    title: "Belay policy",
    ...z.toJSONSchema(policyDocumentSchema, { target: "draft-2020-12" }),
  }
}
