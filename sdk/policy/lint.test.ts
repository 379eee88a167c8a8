import { expect, test } from "vitest"
import type { PolicyDocument, PolicyRule } from "./document.ts"
import { comparePolicies, policyFacts } from "./facts.ts"
import { lintPolicy } from "./lint.ts"

const NOW = Date.parse("2026-11-20T12:00:00Z")
const rule = (id: string, effect: PolicyRule["effect"], action: PolicyRule["action"], pattern: string, more = {}) => ({
  id,
  effect,
  action,
  pattern,
  reason: "because",
  ...more,
})
const withRules = (...rules: PolicyRule[]): PolicyDocument => ({ schema: "belay.policy/1", permissions: { rules } })
const codes = (document: PolicyDocument) =>
  lintPolicy(document, NOW).map(({ code, ruleId, otherRuleId }) => [code, ruleId, otherRuleId])

test.for<[what: string, rules: PolicyRule[], found: unknown[]]>([
  ["rules that do not meet", [rule("a", "allow", "shell", "git status"), rule("b", "deny", "shell", "git push *")], []],
  [
    "an allow that a broader deny hides",
    [rule("a", "allow", "shell", "git push origin"), rule("b", "deny", "shell", "git push *")],
    [["hidden_allow", "a", "b"]],
  ],
  [
    "an allow under a deny that holds elsewhere only",
    [
      rule("a", "allow", "shell", "git push origin"),
      rule("b", "deny", "shell", "git push *", { when: { rung: ["chat"] } }),
    ],
    [],
  ],
  [
    "the same denied and allowed",
    [rule("a", "allow", "mcp", "github/*"), rule("b", "deny", "mcp", "github/*")],
    [["contradiction", "a", "b"]],
  ],
  [
    "a deny that a broader one covers",
    [rule("a", "deny", "edit", "secrets/*.pem"), rule("b", "deny", "edit", "secrets/**")],
    [["shadowed", "a", "b"]],
  ],
  [
    "twice the same",
    [rule("a", "deny", "web", "*.example.com"), rule("b", "deny", "web", "*.example.com")],
    [["shadowed", "b", "a"]],
  ],
  ["a pattern of two commands", [rule("a", "deny", "shell", "cd x && rm *")], [["never_matches", "a", null]]],
  [
    "a rule of the past",
    [rule("a", "deny", "shell", "rm *", { expiresAt: "2026-11-20T12:00:00Z" })],
    [["expired", "a", null]],
  ],
  ["an allow of everything", [rule("a", "allow", "shell", "*")], [["allows_everything", "a", null]]],
  ["a model that is misspelt", [rule("a", "deny", "model", "cluade-opus-4-5")], [["unknown_model", "a", null]]],
  [
    "a deny without a reason",
    [{ id: "a", effect: "deny", action: "shell", pattern: "rm *" }],
    [["no_reason", "a", null]],
  ],
])("%s", ([, rules, found]) => {
  expect(codes(withRules(...rules))).toEqual(found)
})

test("a rule of a rung that no agent reaches", () => {
  const document = withRules(rule("a", "deny", "shell", "rm *", { when: { rung: ["orchestration"] } }))
  expect(codes({ ...document, autonomy: { highestRung: "agent" } })).toEqual([["above_highest_rung", "a", null]])
})

test("a policy is told in words, and two by what differs", () => {
  const before: PolicyDocument = {
    schema: "belay.policy/1",
    models: { allowed: { kind: "list", items: ["claude-opus-4-5", "gpt-5*"], future: "deny" } },
    budgets: [{ id: "team", scope: "team", period: "month", limit: { unit: "usd", amount: 5000 }, hard: "ask" }],
    review: { effect: "warn" },
  }
  expect(policyFacts(before).map(({ text }) => text)).toEqual([
    "Only claude-opus-4-5, gpt-5*, and none that is not known yet",
    "$5,000 a month for each team; a warning at 50 %, 75 %, 90 %, then ask",
    "A change that nobody has reviewed has at most 400 lines; past that, warn",
  ])
  const after: PolicyDocument = {
    ...withRules(
      rule("no-push", "deny", "shell", "git push *", { when: { rung: ["orchestration"] }, owner: "platform" }),
    ),
    models: { allowed: { kind: "none" } },
    review: { effect: "warn" },
  }
  expect(comparePolicies(before, after)).toEqual([
    {
      key: "models.allowed",
      section: "models",
      before: "Only claude-opus-4-5, gpt-5*, and none that is not known yet",
      after: "No model may be used",
    },
    {
      key: "permissions.rules.no-push",
      section: "permissions",
      before: null,
      after: "Deny the command git push * at orchestration, because: because (platform)",
    },
    {
      key: "budgets.team",
      section: "budgets",
      before: "$5,000 a month for each team; a warning at 50 %, 75 %, 90 %, then ask",
      after: null,
    },
  ])
  expect(comparePolicies(after, after)).toEqual([])
  expect(comparePolicies(null, after)).toHaveLength(3)
})
