import { readdirSync, readFileSync } from "node:fs"
import path from "node:path"
import { parse } from "yaml"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import type { AgentAction, PolicyContext } from "./action.ts"
import { compilePolicy } from "./compile.ts"
import { decide, explain } from "./decide.ts"
import { policyBundleSchema } from "./document.ts"
import { checkPolicy } from "./parse.ts"
import { RULE_ACTIONS } from "./vocabulary.ts"

/**
 * The cases in `conformance/*.yaml`, which every host of the engine has to decide alike. A case is an action (`shell`,
 * `edit`, …), what is wanted and why; `context` adds to the file's, and null takes away what the file says.
 */
const caseSchema = z.strictObject({
  shell: z.union([z.string(), z.array(z.string())]).optional(),
  cwd: z.string().optional(),
  edit: z.string().optional(),
  read: z.string().optional(),
  web: z.string().optional(),
  mcp: z
    .strictObject({
      server: z.string(),
      tool: z.string(),
      url: z.string().optional(),
      command: z.array(z.string()).optional(),
    })
    .optional(),
  subagent: z.string().optional(),
  model: z.string().optional(),
  provider: z.string().optional(),
  want: z.enum(["allow", "ask", "deny"]),
  rule: z.string().optional(),
  because: z.enum(["rule", "default", "unset", "unsure"]).optional(),
  layer: z.string().optional(),
  warns: z.array(z.string()).optional(),
  why: z.string().min(3),
  context: z.record(z.string(), z.unknown()).optional(),
})
const fileSchema = z.strictObject({
  about: z.string(),
  policy: z.unknown().optional(),
  layers: policyBundleSchema.shape.layers.optional(),
  exceptions: policyBundleSchema.shape.exceptions,
  context: z.record(z.string(), z.unknown()).default({}),
  /** Real paths, by the paths that are links. */
  links: z.record(z.string(), z.string()).optional(),
  cases: z.array(caseSchema).min(1),
})
type Case = z.infer<typeof caseSchema>

const NOW = "2026-11-26T12:00:00Z"
const folder = path.join(import.meta.dirname, "conformance")
const files = readdirSync(folder).map((name) => {
  const parsed = fileSchema.safeParse(parse(readFileSync(path.join(folder, name), "utf8")))
  if (!parsed.success) throw new Error(`${name}: ${z.prettifyError(parsed.error)}`)
  return { name: name.replace(".yaml", ""), ...parsed.data }
})

describe.each(files)("$name", ({ cases, context, links, ...file }) => {
  const layers = file.layers ?? [{ layer: "organization" as const, version: 1, document: requireDocument(file.policy) }]
  const policy = compilePolicy({ version: 1, layers, exceptions: file.exceptions })

  test.each(cases)("$want: $why", (one) => {
    const action = toAction(one)
    const circumstances = toContext({ ...context, ...one.context }, links)
    const decision = decide(policy, action, circumstances)
    const { want: effect, rule, because, layer, warns } = one
    expect({ ...decision, action }).toMatchObject({
      effect,
      ...(rule === undefined ? {} : { ruleId: rule }),
      ...(because === undefined ? {} : { because }),
      ...(layer === undefined ? {} : { layer }),
    })
    const warned = decision.warnings.map(({ ruleId }) => ruleId)
    expect(warned).toEqual(warns ?? warned)
    expect(explain(policy, action, circumstances).decision).toEqual(decision)
  })
})

test("has at least 400 cases, no two of which are the same", () => {
  const all = files.flatMap(({ name, cases }) =>
    cases.map((one) => `${name} ${JSON.stringify({ ...one, why: undefined })}`),
  )
  expect(all.length).toBeGreaterThanOrEqual(400)
  expect(all.filter((one, at) => all.indexOf(one) !== at)).toEqual([])
})

function requireDocument(value: unknown) {
  const parsed = checkPolicy(value)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems, null, 2))
  return parsed.document
}

function toAction({ shell, cwd, edit, read, web, mcp, subagent, model, provider }: Case): AgentAction {
  if (shell !== undefined) return { kind: "shell", command: shell, cwd }
  if (edit !== undefined) return { kind: "edit", path: edit }
  if (read !== undefined) return { kind: "read", path: read }
  if (web !== undefined) return { kind: "web", url: web }
  if (mcp !== undefined) return { kind: "mcp", ...mcp }
  if (subagent !== undefined) return { kind: "subagent", name: subagent }
  if (model !== undefined) return { kind: "model", model, provider }
  throw new Error(`a case has one of ${RULE_ACTIONS.join(", ")}`)
}

const contextSchema = z.strictObject({
  now: z.string().default(NOW),
  rung: z.enum(["autocomplete", "chat", "agent", "orchestration"]).optional(),
  agentTool: z.string().optional(),
  mode: z.string().optional(),
  isAutoApproving: z.boolean().optional(),
  surface: z.enum(["ide", "terminal", "chat-app", "cloud", "ci"]).optional(),
  repository: z.string().optional(),
  repositoryLabels: z.array(z.string()).optional(),
  isIsolated: z.boolean().optional(),
  dataPractice: z.enum(["zero_retention", "no_training", "may_train"]).optional(),
  personId: z.string().optional(),
  teamIds: z.array(z.string()).optional(),
  workspace: z.string().optional(),
  home: z.string().optional(),
  spent: z.record(z.string(), z.number()).optional(),
  change: z.strictObject({ lines: z.number(), files: z.number() }).optional(),
})

function toContext(values: Record<string, unknown>, links: Record<string, string> | undefined): PolicyContext {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
  const { now, spent, ...rest } = contextSchema.parse(given)
  return {
    ...rest,
    nowMs: Date.parse(now),
    spent: spent && new Map(Object.entries(spent)),
    resolveLinks: links && ((asked) => followAll(asked, links)),
  }
}

/** As a file system does: the longest part of the path that is a link is replaced, until none is. */
function followAll(asked: string, links: Record<string, string>): string {
  for (const [link, real] of Object.entries(links)) {
    if (asked === link || asked.startsWith(`${link}/`)) return followAll(real + asked.slice(link.length), links)
  }
  return asked
}
