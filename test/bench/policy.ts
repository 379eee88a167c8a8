import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import { AbilityBuilder, createMongoAbility, type MongoAbility } from "@casl/ability"
import { preparsePolicySet, statefulIsAuthorized } from "@cedar-policy/cedar-wasm/nodejs"
import { newEnforcer, newModelFromString, type Enforcer } from "casbin"
import type { AgentAction } from "#sdk/policy/action.ts"
import { type CompiledPolicy, compilePolicy } from "#sdk/policy/compile.ts"
import { decide } from "#sdk/policy/decide.ts"
import { EFFECTS, type Effect } from "#sdk/policy/vocabulary.ts"

/**
 * `npm run bench:policy`: decisions per second and the 99th percentile at 10, 1,000 and 10,000 rules, beside casbin, Cedar
 * and CASL on the same rules and 4,096 actions in the same run.
 *
 * The mix: rules on commands, paths that are edited and read, tools of MCP servers and models, half of them with `*` at
 * the end, a third of them for one agent tool alone. All four engines can express them. Each engine's decisions are
 * compared with ours on every action before anything is measured. The peers are asked three times where they only know
 * allow and deny: whether it is denied, asked, allowed. Engines take turns in every round; medians are printed.
 *
 * Everything is **warm**, and the actions come again and again, as an agent's do, so that ours finds them among what it
 * remembers. What it takes on actions that it has never seen is printed beside it (`new`), as are the first decisions of
 * the process, before anything is compiled by V8 (`cold`): a hook is a process of its own and knows no other. What
 * shell commands take with their parsing is measured for ours alone, in all three ways.
 */

const { values: flags } = parseArgs({ options: { quick: { type: "boolean", default: false } } })
const ROUNDS = flags.quick ? 3 : 5
const BUDGET_MS = flags.quick ? 150 : 600
const SIZES = [10, 1000, 10_000]
const ACTIONS = 4096
/** Decisions between two looks at the clock. */
const BATCH = 16
/** So few that about three rules are on each part. */
const PARTS = 16
const COLD_COMMANDS = 100

const KINDS = ["shell", "edit", "read", "mcp", "model"] as const
const AGENTS = ["claude-code", "codex", "gemini-cli", "opencode"] as const

/** What is asked for, as the peers see it: a text. */
interface Asked {
  readonly kind: (typeof KINDS)[number]
  readonly agent: string
  readonly text: string
}
interface Rule extends Omit<Asked, "agent"> {
  readonly id: string
  readonly effect: Effect
  /** Null for any. */
  readonly agent: string | null
}
type Answer = Effect | "none"
interface Engine {
  readonly name: string
  decide(asked: Asked): Answer
}
interface Measured {
  readonly perSecond: number
  readonly p99Us: number
}

const NOW_MS = Date.parse("2026-11-26T00:00:00Z")
const WORKSPACE = "/work/app"
const contexts = new Map(
  AGENTS.map((agentTool) => [agentTool as string, { nowMs: NOW_MS, agentTool, workspace: WORKSPACE }]),
)
const anyone = { nowMs: NOW_MS, workspace: WORKSPACE }
const ratios: Record<string, number> = {}
const figures: Record<string, number> = {}

// Before anything else, since the first is the only time that nothing is warm.
const cold = measureCold()
measureShell()
for (const size of SIZES) {
  const rules = makeRules(size)
  const actions = makeActions(rules)
  const engines = [ours(rules), casl(rules), cedar(rules, `rules-${size}`), await casbin(rules)]
  const [first, ...peers] = engines
  if (first === undefined) throw new Error("no engine")
  // The peers take a millisecond or more at many rules: as many actions as they get through in reasonable time.
  for (const peer of peers) {
    const compared = peer.name === "casl" ? actions : actions.slice(0, size > 1000 ? 64 : 512)
    for (const asked of compared) {
      const [mine, theirs] = [first.decide(asked), peer.decide(asked)]
      if (mine !== theirs) throw new Error(`${peer.name} decides ${theirs} on ${asked.kind} ${asked.text}, not ${mine}`)
    }
  }
  const answers = actions.map((asked) => first.decide(asked))
  const counted = ["none", ...EFFECTS].map((answer) => `${answers.filter((one) => one === answer).length} ${answer}`)
  console.log(`${size} rules, ${ACTIONS} actions: ${counted.join(", ")}`)
  const subjects = [
    ...engines.map(({ name, ...engine }) => ({ name, work: (at: number) => engine.decide(pick(actions, at)) })),
    { name: "belay, new", work: unseen(rules, actions) },
  ]
  const rounds = Array.from({ length: ROUNDS }, () => subjects.map(({ work }) => measure(work)))
  const medians = subjects.map((_, at) => medianOf(rounds.flatMap((round) => round[at] ?? [])))
  for (const [at, { name }] of subjects.entries()) {
    const measured = pick(medians, at)
    print(`${String(size).padStart(6)} rules  ${name}`, measured)
    const key = name.replace(", ", "_")
    figures[`${key}_decisions_per_s_${size}`] = Math.round(measured.perSecond)
    figures[`${key}_p99_us_${size}`] = round(measured.p99Us)
    if (at > 0 && at < engines.length) {
      ratios[`decisions_vs_${name}_${size}`] = round(pick(medians, 0).perSecond / measured.perSecond)
      ratios[`new_decisions_vs_${name}_${size}`] = round(pick(medians, engines.length).perSecond / measured.perSecond)
    }
  }
}
console.log(
  `first ${COLD_COMMANDS} commands of a process: median ${cold.medianUs.toFixed(0)} µs, p99 ${cold.p99Us.toFixed(0)} µs, the very first ${(cold.firstUs / 1000).toFixed(1)} ms`,
)
figures["shell_cold_median_us"] = round(cold.medianUs)
figures["shell_cold_p99_us"] = round(cold.p99Us)
figures["shell_cold_first_us"] = round(cold.firstUs)
figures["load_after"] = round(loadavg()[0] ?? NaN)
console.log(`\n${JSON.stringify({ bench: "policy", ratios, figures, run: { quick: flags.quick, rounds: ROUNDS } })}`)

function print(name: string, { perSecond, p99Us }: Measured): void {
  const decisions = Math.round(perSecond).toLocaleString("en")
  console.log(`${name.padEnd(32)} ${decisions.padStart(12)} decisions/s  p99 ${p99Us.toFixed(1).padStart(9)} µs`)
}

/** A generator that gives the same numbers in every run, 0..1. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function makeRules(size: number): readonly Rule[] {
  const random = randomFrom(7)
  const groups = Math.max(2, Math.round(size / 250))
  return Array.from({ length: size }, (_, at) => {
    const kind = pick(KINDS, Math.floor(random() * KINDS.length))
    const isOpen = random() < 0.5
    const [group, part] = [Math.floor(random() * groups), Math.floor(random() * PARTS)]
    return {
      id: `r${at}`,
      effect: pick(EFFECTS, Math.floor(random() * 3)),
      kind,
      agent: random() < 0.33 ? pick(AGENTS, Math.floor(random() * AGENTS.length)) : null,
      text: textOf(kind, group, part, isOpen ? "*" : "a"),
    }
  })
}

function textOf(kind: Asked["kind"], group: number, part: number, last: string): string {
  if (kind === "shell") return `program-${group} sub-${part} ${last}`
  if (kind === "edit" || kind === "read") return `area-${group}/part-${part}/${last}`
  return kind === "mcp" ? `server-${group}/tool-${part}-${last}` : `family-${group}-size-${part}-${last}`
}

function makeActions(rules: readonly Rule[]): readonly Asked[] {
  const random = randomFrom(11)
  return Array.from({ length: ACTIONS }, () => {
    const { kind, text } = pick(rules, Math.floor(random() * rules.length))
    // One in eight is about something else.
    const known = random() < 0.125 ? text.replace(/-\d+/, "-none") : text
    const agent = pick(AGENTS, Math.floor(random() * AGENTS.length))
    return { kind, agent, text: known.replace(/(?:\*|a)$/, random() < 0.5 ? "a" : "b") }
  })
}

function policyOf(rules: readonly Rule[]): CompiledPolicy {
  return compilePolicy({
    version: 1,
    layers: [
      {
        layer: "organization",
        version: 1,
        document: {
          schema: "belay.policy/1",
          permissions: {
            rules: rules.map(({ id, effect, kind, text, agent }) => ({
              id,
              effect,
              action: kind,
              pattern: text,
              ...(agent === null ? {} : { when: { agentTool: [agent] } }),
            })),
          },
        },
      },
    ],
  })
}

/** The action as a host tells of it. */
function toAction({ kind, text }: Asked): AgentAction {
  switch (kind) {
    case "shell":
      return { kind, command: text }
    case "edit":
    case "read":
      return { kind, path: text }
    case "mcp": {
      const at = text.indexOf("/")
      return { kind, server: text.slice(0, at), tool: text.slice(at + 1) }
    }
    case "model":
      return { kind, model: text }
  }
}

function ours(rules: readonly Rule[]): Engine {
  const policy = policyOf(rules)
  const actions = new Map<Asked, AgentAction>()
  const actionOf = (asked: Asked): AgentAction => {
    const action = actions.get(asked) ?? toAction(asked)
    actions.set(asked, action)
    return action
  }
  return { name: "belay", decide: (asked) => answerTo(policy, actionOf(asked), asked.agent) }
}

function answerTo(policy: CompiledPolicy, action: AgentAction, agent: string): Answer {
  const { effect, because } = decide(policy, action, contexts.get(agent) ?? anyone)
  return because === "unset" ? "none" : effect
}

/** Decides on actions that differ from all before in their last part, by a policy of its own. */
function unseen(rules: readonly Rule[], actions: readonly Asked[]): (at: number) => Answer {
  const policy = policyOf(rules)
  let number = 0
  return (at) => {
    const asked = pick(actions, at)
    return answerTo(policy, toAction({ ...asked, text: `${asked.text}${number++}` }), asked.agent)
  }
}

function strictest(isMatched: (effect: Effect) => boolean): Answer {
  if (isMatched("deny")) return "deny"
  if (isMatched("ask")) return "ask"
  return isMatched("allow") ? "allow" : "none"
}

/** What CASL and casbin can look rules up by: the kind of action, and the server of an MCP tool. */
function subjectOf({ kind, text }: Pick<Asked, "kind" | "text">): string {
  return kind === "mcp" ? `mcp:${text.slice(0, text.indexOf("/"))}` : kind
}

function casl(rules: readonly Rule[]): Engine {
  const abilities = new Map<Effect, MongoAbility>()
  for (const effect of EFFECTS) {
    const { can, build } = new AbilityBuilder<MongoAbility>(createMongoAbility)
    for (const rule of rules) {
      // `manage` is CASL's word for any.
      if (rule.effect === effect) can(rule.agent ?? "manage", subjectOf(rule), { text: { $regex: toRegex(rule.text) } })
    }
    abilities.set(effect, build({ detectSubjectType: (subject) => String(subject["type"]) }))
  }
  return {
    name: "casl",
    decide(asked) {
      const subject = { type: subjectOf(asked), text: asked.text }
      return strictest((effect) => abilities.get(effect)?.can(asked.agent, subject) === true)
    },
  }
}

function cedar(rules: readonly Rule[], name: string): Engine {
  for (const effect of EFFECTS) {
    const text = rules
      .filter((rule) => rule.effect === effect)
      .map((rule) => {
        const principal = rule.agent === null ? "principal" : `principal == Agent::"${rule.agent}"`
        return `permit(${principal}, action == Action::"${rule.kind}", resource) when { context.text like "${rule.text}" };`
      })
      .join("\n")
    const parsed = preparsePolicySet(`${name}-${effect}`, { staticPolicies: text })
    if (parsed.type !== "success") throw new Error(JSON.stringify(parsed))
  }
  return {
    name: "cedar",
    decide: (asked) =>
      strictest((effect) => {
        const answer = statefulIsAuthorized({
          principal: { type: "Agent", id: asked.agent },
          action: { type: "Action", id: asked.kind },
          resource: { type: "Tool", id: "t" },
          context: { text: asked.text },
          preparsedPolicySetId: `${name}-${effect}`,
          entities: [],
        })
        return answer.type === "success" && answer.response.decision === "allow"
      }),
  }
}

async function casbin(rules: readonly Rule[]): Promise<Engine> {
  const enforcers = new Map<Effect, Enforcer>()
  for (const effect of EFFECTS) {
    const enforcer = await newEnforcer(
      newModelFromString(
        `[request_definition]\nr = agent, subject, text\n[policy_definition]\np = agent, subject, text\n[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.subject == p.subject && (p.agent == "any" || r.agent == p.agent) && regexMatch(r.text, p.text)`,
      ),
    )
    const unique = new Map(
      rules
        .filter((rule) => rule.effect === effect)
        .map((rule) => [
          `${rule.agent} ${rule.kind} ${rule.text}`,
          [rule.agent ?? "any", subjectOf(rule), toRegex(rule.text).source],
        ]),
    )
    await enforcer.addPolicies([...unique.values()])
    enforcers.set(effect, enforcer)
  }
  return {
    name: "casbin",
    decide: (asked) =>
      strictest((effect) => enforcers.get(effect)?.enforceSync(asked.agent, subjectOf(asked), asked.text) === true),
  }
}

function toRegex(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll("*", ".*")}$`)
}

function shellPolicy(): CompiledPolicy {
  const rules = Array.from({ length: 1000 }, (_, at) => ({
    id: `s${at}`,
    effect: pick(EFFECTS, at % 3),
    action: "shell" as const,
    pattern: at % 2 === 0 ? `program-${at} run *` : `git sub-${at} --flag-${at} *`,
  }))
  const document = { schema: "belay.policy/1", permissions: { defaults: { shell: "ask" }, rules } } as const
  return compilePolicy({ version: 1, layers: [{ layer: "organization", version: 1, document }] })
}

/** Commands as agents run them, no two with the same number alike. */
function commandOf(number: number): string {
  const commands = [
    `git status src/part-${number}`,
    `program-10 run x-${number} && git sub-31 --flag-31`,
    `npm test -- --watch=false --shard=${number} | tee out.log`,
    `cd app && git -C x push origin branch-${number}`,
    `bash -c 'ls -la; cat README-${number}.md'`,
  ]
  return pick(commands, number)
}

function measureCold(): { medianUs: number; p99Us: number; firstUs: number } {
  const policy = shellPolicy()
  const took = Array.from({ length: COLD_COMMANDS }, (_, at) => {
    const before = process.hrtime.bigint()
    decide(policy, { kind: "shell", command: commandOf(at) }, anyone)
    return Number(process.hrtime.bigint() - before) / 1000
  })
  const sorted = took.toSorted((a, b) => a - b)
  return {
    medianUs: pick(sorted, COLD_COMMANDS / 2),
    p99Us: pick(sorted, Math.floor(COLD_COMMANDS * 0.99)),
    firstUs: pick(took, 0),
  }
}

function measureShell(): void {
  const policy = shellPolicy()
  const known = Array.from({ length: 200 }, (_, at): AgentAction => ({ kind: "shell", command: commandOf(at) }))
  let number = 0
  const subjects = [
    { name: "shell, new", work: () => decide(policy, { kind: "shell", command: commandOf(number++) }, anyone).effect },
    { name: "shell, seen", work: (at: number) => decide(policy, pick(known, at), anyone).effect },
  ]
  for (const { name, work } of subjects) {
    const measured = medianOf(Array.from({ length: ROUNDS }, () => measure(work)))
    print(`  1000 rules  ${name}`, measured)
    const key = name.replace(", ", "_")
    figures[`${key}_decisions_per_s_1000`] = Math.round(measured.perSecond)
    figures[`${key}_p99_us_1000`] = round(measured.p99Us)
  }
}

/** Once in batches for how many there are in a second, without the clock's own time, and once one by one for the percentile. */
function measure(work: (at: number) => unknown): Measured {
  for (const startedAt = performance.now(); performance.now() - startedAt < BUDGET_MS / 4;) work(0)
  let done = 0
  const startedAt = performance.now()
  while (performance.now() - startedAt < BUDGET_MS / 2) {
    for (let at = 0; at < BATCH; at++) work(done++)
  }
  const perSecond = (done / (performance.now() - startedAt)) * 1000
  const took: number[] = []
  for (const from = performance.now(); performance.now() - from < BUDGET_MS / 2;) {
    const before = process.hrtime.bigint()
    work(took.length)
    took.push(Number(process.hrtime.bigint() - before) / 1000)
  }
  took.sort((a, b) => a - b)
  return { perSecond, p99Us: pick(took, Math.floor(took.length * 0.99)) }
}

function medianOf(measured: readonly Measured[]): Measured {
  const sorted = measured.toSorted((a, b) => a.perSecond - b.perSecond)
  return pick(sorted, Math.floor(sorted.length / 2))
}

function pick<Item>(items: readonly Item[], at: number): Item {
  const item = items[at % items.length]
  if (item === undefined) throw new Error("nothing to pick from")
  return item
}

function round(figure: number): number {
  return Math.round(figure * 100) / 100
}
