import fc from "fast-check"
import { expect, test } from "vitest"
import type { AgentAction, PolicyContext } from "./action.ts"
import { compilePolicy } from "./compile.ts"
import { decide, explain, type ExplainedPart } from "./decide.ts"
import { POLICY_SCHEMA, type PolicyBundle, type PolicyDocument, type PolicyRule } from "./document.ts"
import { checkPolicy, parsePolicy, policyToJson, policyToYaml } from "./parse.ts"
import { type ActionParts, partsOf, toParts } from "./parts.ts"
import { STRICTNESS } from "./rule-set.ts"
import { EFFECTS, LAYERS, RULE_ACTIONS, type RuleAction } from "./vocabulary.ts"

/** Few words, so that patterns and actions meet. */
const PATTERNS: Readonly<Record<RuleAction, readonly string[]>> = {
  shell: [
    "*",
    "git",
    "git push",
    "git push *",
    "git *",
    "git push --force",
    "rm -rf *",
    "rm *",
    "* push",
    "g* push",
    "ls *",
    "cat .env",
    "./ls",
  ],
  edit: [
    "*",
    "../**",
    "src/**",
    "**/.env",
    "*.ts",
    "src/a.ts",
    "src/*/b.ts",
    "/etc/**",
    "~/x",
    "src",
    "**/a/**",
    "{src,lib}/*.ts",
  ],
  read: ["*", "../**", "src/**", "**/.env", "*.ts", ".env*", "/etc/passwd", "~/.ssh"],
  web: ["*", "a.example", "*.example", "a.example/x*", "a.example:8080"],
  mcp: ["*", "github", "github/get_*", "*/get_issue", "@x/y"],
  subagent: ["*", "helper", "help*"],
  model: ["*", "claude-opus-4-5", "claude-*", "anthropic/*", "gpt-5", "openai/gpt-5"],
}
const COMMANDS = [
  "git push",
  "git push --force origin",
  "git -C x push",
  "rm -rf a",
  "rm -r -f a",
  "rm a; git push",
  "ls -l | cat .env",
  "echo $(git push)",
  "$X push",
  "git $X",
  "cat *.ts",
  "cat $F",
  "echo x > src/a.ts",
  "sudo git push",
  "bash -c 'rm -rf x'",
  "cd /etc; cat passwd",
  "ls",
  "./ls",
  "find . -exec rm {} +",
]
const PATHS = [
  "src/a.ts",
  "src/x/b.ts",
  ".env",
  "src/.env",
  "lib/c.ts",
  "../out",
  "/etc/passwd",
  "~/.ssh/id",
  "SRC/A.TS",
  "a/b.ts",
  "x/a/y",
]

const conditions = fc.option(
  fc.record(
    { rung: fc.constant(["agent" as const]), isolated: fc.boolean(), repository: fc.constant(["acme/*"]) },
    { requiredKeys: [] },
  ),
  { nil: undefined },
)
const rule = fc
  .constantFrom(...RULE_ACTIONS)
  .chain((action) =>
    fc.record(
      {
        id: fc.constantFrom(...Array.from("abcdefghijkl")),
        effect: fc.constantFrom(...EFFECTS),
        action: fc.constant(action),
        pattern: fc.constantFrom(...PATTERNS[action]),
        when: conditions,
        expiresAt: fc.constantFrom(undefined, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        overridable: fc.constantFrom(undefined, true),
      },
      { requiredKeys: ["id", "effect", "action", "pattern"] },
    ),
  )
  .map((value): PolicyRule => JSON.parse(JSON.stringify(value)))
const effect = fc.constantFrom(...EFFECTS)
const document = fc
  .record(
    {
      defaults: fc.record(
        { shell: effect, edit: effect, read: effect, web: effect, mcp: effect, subagent: effect, model: effect },
        { requiredKeys: [] },
      ),
      overridableDefaults: fc.uniqueArray(fc.constantFrom(...RULE_ACTIONS), { minLength: 1 }),
      rules: fc.uniqueArray(rule, { minLength: 1, maxLength: 8, selector: ({ id }) => id }),
    },
    { requiredKeys: [] },
  )
  .map((permissions): PolicyDocument => ({ schema: POLICY_SCHEMA, permissions }))
const bundle = fc
  .uniqueArray(fc.record({ layer: fc.constantFrom(...LAYERS), version: fc.constant(1), document }), {
    maxLength: 3,
    selector: ({ layer }) => layer,
  })
  .map((layers): PolicyBundle => ({ version: 1, layers }))
const action: fc.Arbitrary<AgentAction> = fc.oneof(
  fc.constantFrom(...COMMANDS).map((command) => ({ kind: "shell" as const, command })),
  fc.constantFrom(...PATHS).map((path) => ({ kind: "edit" as const, path })),
  fc.constantFrom(...PATHS).map((path) => ({ kind: "read" as const, path })),
  fc
    .constantFrom("https://a.example/x", "https://b.example", "http://a.example:8080", "http://[")
    .map((url) => ({ kind: "web" as const, url })),
  fc.constantFrom("get_issue", "put").map((tool) => ({ kind: "mcp" as const, server: "github", tool })),
  fc.constantFrom("helper", "other").map((name) => ({ kind: "subagent" as const, name })),
  fc
    .constantFrom("claude-opus-4-5-20251101", "anthropic/claude-opus-4-5", "gpt-5", "x")
    .map((model) => ({ kind: "model" as const, model })),
)
const context: fc.Arbitrary<PolicyContext> = fc.record(
  {
    nowMs: fc.constant(Date.parse("2026-11-26T12:00:00Z")),
    rung: fc.constantFrom("agent" as const, "chat" as const),
    isIsolated: fc.boolean(),
    repository: fc.constantFrom("acme/app", "other/app"),
    workspace: fc.constant("/work/app"),
    home: fc.constant("/home/me"),
  },
  { requiredKeys: ["nowMs"] },
)

test("the index finds what trying every rule finds", () => {
  fc.assert(
    fc.property(bundle, action, context, (policies, act, given) => {
      const policy = compilePolicy(policies)
      const whole = explain(policy, act, given)
      expect(whole.decision).toEqual(decide(policy, act, given))
      const matching = explain(policy, act, given, "matching")
      expect({ ...matching, parts: matching.parts.map(withoutUnmatched) }).toEqual({
        ...whole,
        parts: whole.parts.map(withoutUnmatched),
      })
    }),
    { numRuns: 300 },
  )
})

function withoutUnmatched(part: ExplainedPart): ExplainedPart {
  return { ...part, rules: part.rules.filter(({ standing }) => standing !== "no_match") }
}

test("what is remembered of an action is what would be found out anew, wherever it is done", () => {
  const folder = fc.constantFrom(undefined, "/work/app", "/work", "/home/ada")
  const place = fc.record({
    workspace: folder,
    home: folder,
    cwd: folder,
    url: fc.constantFrom(undefined, "https://mcp.example"),
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(action, place), { minLength: 2, maxLength: 12 }), (asked) => {
      for (const [one, { cwd, url, ...folders }] of asked) {
        if (one.kind === "model") continue
        const placed = one.kind === "shell" ? { ...one, cwd } : one.kind === "mcp" ? { ...one, url } : one
        expect(written(partsOf(placed, folders))).toEqual(written(toParts(placed, folders)))
      }
    }),
  )
})

function written({ parts, doubts }: ActionParts): unknown {
  const shown = parts.map((part) =>
    "path" in part ? { ...part, path: part.path() } : { ...part, subject: part.subject() },
  )
  return { parts: shown, doubts }
}

test("a deny that is added never loosens anything, least of all a denial", () => {
  fc.assert(
    fc.property(bundle, rule, fc.constantFrom(...LAYERS), action, context, (policies, added, layer, act, given) => {
      const denial: PolicyRule = { ...added, id: "added", effect: "deny", overridable: undefined }
      const before = decide(compilePolicy(policies), act, given).effect
      const after = decide(compilePolicy(withRule(policies, layer, denial)), act, given).effect
      expect(STRICTNESS[after]).toBeGreaterThanOrEqual(STRICTNESS[before])
    }),
    { numRuns: 300 },
  )
})

test("a narrower layer never widens what is not overridable", () => {
  fc.assert(
    fc.property(document, document, action, context, (wide, narrow, act, given) => {
      const organization = { layer: "organization" as const, version: 1, document: wide }
      const team = { layer: "team" as const, version: 1, document: narrow }
      fc.pre(!isOverridable({ version: 1, layers: [organization] }))
      const before = decide(compilePolicy({ version: 1, layers: [organization] }), act, given).effect
      const after = decide(compilePolicy({ version: 1, layers: [organization, team] }), act, given).effect
      expect(STRICTNESS[after]).toBeGreaterThanOrEqual(STRICTNESS[before])
    }),
    { numRuns: 300 },
  )
})

test("the order of rules and layers makes no difference to the effect", () => {
  fc.assert(
    fc.property(bundle, action, context, (policies, act, given) => {
      const layers = policies.layers.toReversed().map((layer) => {
        const rules = layer.document.permissions?.rules?.toReversed()
        return { ...layer, document: { ...layer.document, permissions: { ...layer.document.permissions, rules } } }
      })
      expect(decide(compilePolicy({ version: 1, layers }), act, given).effect).toBe(
        decide(compilePolicy(policies), act, given).effect,
      )
    }),
    { numRuns: 300 },
  )
})

test("never throws, whatever a command is", () => {
  const policy = compilePolicy({
    version: 1,
    layers: [
      {
        layer: "organization",
        version: 1,
        document: {
          schema: POLICY_SCHEMA,
          permissions: {
            defaults: { shell: "allow" },
            rules: [{ id: "a", effect: "deny", action: "shell", pattern: "rm -rf *" }],
          },
        },
      },
    ],
  })
  const piece = fc.constantFrom(
    "rm",
    " -rf",
    " /",
    "'",
    '"',
    "$(",
    ")",
    "`",
    "|",
    ";",
    "&",
    "<<E\n",
    "\nE\n",
    "{",
    "}",
    ">",
    "<(",
    "\\",
    "$X",
    "#",
    "case",
    " in ",
    "esac",
    "\u0000",
    "é",
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      expect(EFFECTS).toContain(decide(policy, { kind: "shell", command: pieces.join("") }, { nowMs: 0 }).effect)
    }),
    { numRuns: 3000 },
  )
})

test("is the same document after YAML and after JSON", () => {
  fc.assert(
    fc.property(document, fc.string(), (written, text) => {
      const policy = { ...written, description: `x${text.slice(0, 100)}` }
      const checked = checkPolicy(JSON.parse(JSON.stringify(policy)))
      if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
      for (const source of [policyToYaml(checked.document), policyToJson(checked.document)]) {
        expect(parsePolicy(source)).toEqual(checked)
      }
    }),
    { numRuns: 100 },
  )
})

function withRule({ version, layers }: PolicyBundle, layer: (typeof LAYERS)[number], added: PolicyRule): PolicyBundle {
  const existing = layers.find((entry) => entry.layer === layer)
  const document: PolicyDocument = existing?.document ?? { schema: POLICY_SCHEMA }
  const permissions = { ...document.permissions, rules: [...(document.permissions?.rules ?? []), added] }
  const others = layers.filter((entry) => entry.layer !== layer)
  return { version, layers: [...others, { layer, version: 1, document: { ...document, permissions } }] }
}

function isOverridable({ layers }: PolicyBundle): boolean {
  return layers.some(
    ({ document: { permissions } }) =>
      permissions?.overridableDefaults !== undefined ||
      permissions?.rules?.some(({ overridable }) => overridable === true),
  )
}
