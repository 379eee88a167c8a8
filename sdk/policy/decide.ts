/** The decision: one pure function for the SDK, the hooks, the server, the dry run and the tester. */
import type { AgentAction, PolicyContext } from "./action.ts"
import type { CompiledPolicy, Probes } from "./compile.ts"
import type { PolicyDecision, PolicyWarning } from "./decision.ts"
import { toPathProbes } from "./paths.ts"
import { isLifted, judge, type Standing, stricter, type Trace } from "./rule-set.ts"
import { type Doubt, DOUBTS, readScript, type ScriptPart } from "./script.ts"
import { toShellCommand } from "./shell-pattern.ts"
import { toAgentNames, toMcpNames, toModelNames, toWebProbe } from "./targets.ts"
import { type Effect, type Layer, LAYERS, type RuleAction } from "./vocabulary.ts"
import { isPartlyUnknown, NO, YES } from "./wildcard.ts"

/** What was considered on the way to a decision. Quotes the action, so it is for whoever may see that. */
export interface Explanation {
  readonly decision: PolicyDecision
  /** Every part of the action that was judged, in order, with what came of it. */
  readonly parts: readonly ExplainedPart[]
  /** What about a shell command cannot be seen. */
  readonly doubts: readonly Doubt[]
  /** Every bound of a section that was considered. */
  readonly bounds: readonly ConsideredRule[]
}

/** A part of an action: a simple command, a file that it names, or the action itself. */
export interface ExplainedPart {
  readonly action: RuleAction
  /** What it is: the command's words, the path as resolved, the address or name. */
  readonly subject: string
  /** What was decided on it; null when nothing is said of it and nothing needs to be. */
  readonly decision: PolicyDecision | null
  /** Every rule on that kind of action. */
  readonly rules: readonly ConsideredRule[]
}

/** A rule that was considered, and what became of it. */
export interface ConsideredRule {
  readonly ruleId: string
  readonly layer: Layer
  readonly effect: Effect | "warn"
  readonly standing: Standing
}

interface Listener {
  part(action: RuleAction, subject: string): { trace: Trace; done(decision: PolicyDecision | null): void }
  bound(bound: ConsideredRule): void
  doubt(doubt: Doubt): void
}

/**
 * Decides one action of an agent.
 *
 * Deny beats ask beats allow, across all layers, whatever the order of rules. Every part of an action has to pass: each
 * simple command of a script and the files it names, each form of a path, the bounds of the sections. Of equally strict
 * reasons the first is named. Where no layer says anything the effect is `allow` and `because` is `unset`: the agent
 * tool's own settings hold, so that a hook has nothing to say.
 *
 * What is not known never counts in the agent's favour: an allow whose conditions or pattern cannot be evaluated does
 * not count; a deny or ask that cannot be counts as ask. A script that cannot be read, or contains what cannot be seen,
 * is never better than ask.
 *
 * Pure and total: no clock, no I/O, never throws. `context.resolveLinks` is called for paths, and what it throws counts
 * as not known.
 *
 * @see XACML 3.0 core, appendix C.2, for deny-overrides, and C.1 for what an undecidable deny does.
 */
export function decide(policy: CompiledPolicy, action: AgentAction, context: PolicyContext): PolicyDecision {
  return decideWith(policy, action, context)
}

/** Decides as `decide` does, by trying every rule, and tells what became of each. */
export function explain(policy: CompiledPolicy, action: AgentAction, context: PolicyContext): Explanation {
  const parts: ExplainedPart[] = []
  const doubts: Doubt[] = []
  const bounds: ConsideredRule[] = []
  const decision = decideWith(policy, action, context, {
    part(kind, subject) {
      const rules: ConsideredRule[] = []
      return {
        trace: ({ id, layer, effect }, standing) => {
          const name = LAYERS[layer]
          if (name !== undefined) rules.push({ ruleId: id, layer: name, effect, standing })
        },
        done: (decided) => parts.push({ action: kind, subject, decision: decided, rules }),
      }
    },
    bound: (bound) => bounds.push(bound),
    doubt: (doubt) => doubts.push(doubt),
  })
  return { decision, parts, doubts, bounds }
}

function decideWith(
  policy: CompiledPolicy,
  action: AgentAction,
  context: PolicyContext,
  listener?: Listener,
): PolicyDecision {
  let decision = judgeAction(policy, action, context, listener)
  let warnings: PolicyWarning[] | null = null
  for (const bound of policy.bounds) {
    const passed = bound.isPassed(action, context)
    const isFree = passed !== NO && isLifted(bound.exceptions, context)
    if (listener) {
      const layer = LAYERS[bound.layer]
      const standing = passed === NO ? "no_match" : isFree ? "lifted" : passed === YES ? "matches" : "may_match"
      if (layer !== undefined) listener.bound({ ruleId: bound.id, layer, effect: bound.effect, standing })
    }
    if (passed !== NO && !isFree && bound.effect !== "warn") {
      decision = stricter(decision, passed === YES ? bound.decision : bound.doubt)
    }
    const warning = bound.warning?.(context) ?? null
    if (warning !== null) (warnings ??= []).push(warning)
  }
  return warnings === null ? decision : { ...decision, warnings }
}

const WHOLE = { needsAllow: true, isDoubtful: false, isWide: false }

function judgeAction(
  policy: CompiledPolicy,
  action: AgentAction,
  context: PolicyContext,
  listener: Listener | undefined,
): PolicyDecision {
  switch (action.kind) {
    case "shell":
      return judgeScript(policy, action.command, action.cwd, context, listener)
    case "edit":
    case "read":
      return judgePath(policy, action.kind, action.path, context, listener) ?? policy.unset
    case "web":
      return judgeWeb(policy, action.url, context, true, listener) ?? policy.unset
    case "mcp":
      return (
        judgeProbe(
          policy,
          "mcp",
          { names: toMcpNames(action) },
          `${action.server}/${action.tool}`,
          context,
          WHOLE,
          listener,
        ) ?? policy.unset
      )
    case "subagent":
      return (
        judgeProbe(policy, "subagent", { names: toAgentNames(action.name) }, action.name, context, WHOLE, listener) ??
        policy.unset
      )
    case "model":
      return (
        judgeProbe(
          policy,
          "model",
          { names: toModelNames(action, policy.catalog) },
          action.model,
          context,
          WHOLE,
          listener,
        ) ?? policy.unset
      )
  }
}

function judgeProbe<Kind extends RuleAction>(
  policy: CompiledPolicy,
  kind: Kind,
  probe: Probes[Kind],
  subject: string,
  context: PolicyContext,
  judging: Parameters<typeof judge>[3],
  listener: Listener | undefined,
): PolicyDecision | null {
  const set = policy.sets[kind]
  const part = listener?.part(kind, subject)
  const decision = judge(set, probe, context, judging, part?.trace)
  part?.done(decision)
  return decision
}

function judgePath(
  policy: CompiledPolicy,
  kind: "edit" | "read",
  path: string,
  context: PolicyContext,
  listener: Listener | undefined,
  { folder, needsAllow = true, isDoubtful = false, isTree = false }: PathJudging = {},
): PolicyDecision | null {
  const { rules, defaults } = policy.sets[kind]
  if (rules.length === 0 && (!needsAllow || defaults.length === 0)) return null
  let decision: PolicyDecision | null = null
  for (const probe of toPathProbes(path, context, folder, isTree)) {
    const judging = { needsAllow, isDoubtful, isWide: probe.isUnknown || isTree }
    decision = stricterOf(decision, judgeProbe(policy, kind, probe, probe.absolute, context, judging, listener))
  }
  return decision
}

interface PathJudging {
  readonly folder?: string | undefined
  readonly needsAllow?: boolean
  readonly isDoubtful?: boolean
  readonly isTree?: boolean
}

function judgeWeb(
  policy: CompiledPolicy,
  url: string,
  context: PolicyContext,
  needsAllow: boolean,
  listener: Listener | undefined,
): PolicyDecision | null {
  // A file by another name.
  if (/^file:/i.test(url)) {
    const path = URL.canParse(url) ? decodedPath(new URL(url).pathname) : null
    return judgePath(policy, "read", path ?? "/", context, listener, { needsAllow })
  }
  const { rules, defaults } = policy.sets.web
  if (rules.length === 0 && (!needsAllow || defaults.length === 0)) return null
  const probe = toWebProbe(url)
  return judgeProbe(
    policy,
    "web",
    probe,
    url,
    context,
    { needsAllow, isDoubtful: false, isWide: probe.host === null },
    listener,
  )
}

function decodedPath(path: string): string | null {
  try {
    return decodeURIComponent(path)
  } catch {
    return null
  }
}

function judgeScript(
  policy: CompiledPolicy,
  command: string | readonly string[],
  cwd: string | undefined,
  context: PolicyContext,
  listener: Listener | undefined,
): PolicyDecision {
  if (!policy.speaksOfShell) return policy.unset
  const script = readScript(command, { home: context.home, cwd: cwd ?? context.workspace })
  let decision: PolicyDecision | null = null
  for (const part of script.parts) decision = stricterOf(decision, judgePart(policy, part, cwd, context, listener))
  const settled = decision ?? policy.unset
  for (const doubt of script.doubts) listener?.doubt(doubt)
  const [doubt] = script.doubts
  if (doubt === undefined || settled.effect !== "allow") return settled
  return { ...policy.unset, effect: "ask", because: "unsure", reason: DOUBTS[doubt] }
}

function judgePart(
  policy: CompiledPolicy,
  part: ScriptPart,
  cwd: string | undefined,
  context: PolicyContext,
  listener: Listener | undefined,
): PolicyDecision | null {
  switch (part.kind) {
    case "command": {
      const command = toShellCommand(part.words)
      const subject = part.words.map(({ text }) => (isPartlyUnknown(text) ? "…" : text)).join(" ")
      const judging = { needsAllow: part.needsAllow, isDoubtful: false, isWide: command.isUnknown }
      return judgeProbe(policy, "shell", command, subject, context, judging, listener)
    }
    case "web":
      return judgeWeb(policy, part.url, context, false, listener)
    case "file": {
      const { access, path, folders, needsAllow, isDoubtful, isTree } = part
      let decision: PolicyDecision | null = null
      for (const folder of folders) {
        const judging = { folder: folderOf(folder, cwd, context), needsAllow, isDoubtful, isTree }
        decision = stricterOf(decision, judgePath(policy, access, path, context, listener, judging))
      }
      return decision
    }
  }
}

/** The folder that a path in a script is relative to; undefined for the workspace. */
function folderOf(
  folder: string | undefined,
  cwd: string | undefined,
  { workspace }: PolicyContext,
): string | undefined {
  if (folder === undefined) return cwd
  if (/^[./]\//.test(folder) && folder.startsWith(".")) return `${cwd ?? workspace ?? ""}/${folder}`
  return folder
}

function stricterOf(a: PolicyDecision | null, b: PolicyDecision | null): PolicyDecision | null {
  if (a === null || b === null) return a ?? b
  return stricter(a, b)
}
