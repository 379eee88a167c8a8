import { parseArgs } from "node:util"
import { AbilityBuilder, createMongoAbility, type MongoAbility } from "@casl/ability"
import { preparsePolicySet, statefulIsAuthorized } from "@cedar-policy/cedar-wasm/nodejs"
import { newEnforcer, newModelFromString, type Enforcer } from "casbin"
import type { AgentAction } from "#sdk/policy/action.ts"
import { compilePolicy } from "#sdk/policy/compile.ts"
import { decide } from "#sdk/policy/decide.ts"
import { EFFECTS, type Effect } from "#sdk/policy/vocabulary.ts"

/**
 * `npm run bench:policy`: decisions per second and the 99th percentile at 10, 1,000 and 10,000 rules, beside casbin, Cedar
 * and CASL on the same rules and actions in the same run. Rules are on tools by server and name with `*`, which all four
 * can express. Each engine's decisions are compared with ours on every action before anything is measured. The peers
 * are asked three times where they only know allow and deny: whether it is denied, asked, allowed. Engines take turns in
 * every round; medians are printed. What parsing a shell command adds is measured for ours alone.
 */

const { values: flags } = parseArgs({ options: { quick: { type: "boolean", default: false } } })
const ROUNDS = flags.quick ? 3 : 5
const BUDGET_MS = flags.quick ? 150 : 600
const SIZES = [10, 1000, 10_000]
const ACTIONS = 512

interface Rule {
  readonly id: string
  readonly effect: Effect
  readonly server: string
  readonly tool: string
}
interface Asked {
  readonly server: string
  readonly tool: string
}
interface Engine {
  readonly name: string
  decide(asked: Asked): Effect
}
interface Measured {
  readonly perSecond: number
  readonly p99Us: number
}

const context = { nowMs: Date.parse("2026-11-26T00:00:00Z") }
const ratios: Record<string, number> = {}
const figures: Record<string, number> = {}

for (const size of SIZES) {
  const rules = makeRules(size)
  const actions = makeActions(rules)
  const engines = [ours(rules), casl(rules), cedar(rules, `rules-${size}`), await casbin(rules)]
  const [first, ...peers] = engines
  if (first === undefined) throw new Error("no engine")
  // The peers take a millisecond or more at many rules: as many actions as they get through in reasonable time.
  const compared = size > 1000 ? actions.slice(0, 64) : actions
  for (const peer of peers) {
    for (const asked of compared) {
      const [mine, theirs] = [first.decide(asked), peer.decide(asked)]
      if (mine !== theirs)
        throw new Error(`${peer.name} decides ${theirs} on ${asked.server}/${asked.tool}, not ${mine}`)
    }
  }
  const rounds = Array.from({ length: ROUNDS }, () =>
    engines.map((engine) => measure((at) => engine.decide(pick(actions, at)))),
  )
  const medians = engines.map((_, at) => {
    const sorted = rounds.flatMap((round) => round[at] ?? []).toSorted((a, b) => a.perSecond - b.perSecond)
    return pick(sorted, Math.floor(sorted.length / 2))
  })
  for (const [at, engine] of engines.entries()) {
    const { perSecond, p99Us } = pick(medians, at)
    console.log(
      `${String(size).padStart(6)} rules  ${engine.name.padEnd(8)} ${Math.round(perSecond).toLocaleString("en").padStart(12)} decisions/s  p99 ${p99Us.toFixed(1).padStart(9)} µs`,
    )
    figures[`${engine.name}_decisions_per_s_${size}`] = Math.round(perSecond)
    figures[`${engine.name}_p99_us_${size}`] = round(p99Us)
    if (at > 0) ratios[`decisions_vs_${engine.name}_${size}`] = round(pick(medians, 0).perSecond / perSecond)
  }
}

const shell = measureShell()
console.log(
  `  1000 rules  shell command with its parsing  ${Math.round(shell.perSecond).toLocaleString("en")} decisions/s  p99 ${shell.p99Us.toFixed(1)} µs`,
)
figures["shell_decisions_per_s_1000"] = Math.round(shell.perSecond)
figures["shell_p99_us_1000"] = round(shell.p99Us)
console.log(`\n${JSON.stringify({ bench: "policy", ratios, figures, run: { quick: flags.quick, rounds: ROUNDS } })}`)

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
  const servers = Math.max(4, Math.round(size / 25))
  return Array.from({ length: size }, (_, at) => ({
    id: `r${at}`,
    effect: pick(EFFECTS, Math.floor(random() * 3)),
    server: `server-${Math.floor(random() * servers)}`,
    tool: random() < 0.5 ? `tool-${Math.floor(random() * 40)}-*` : `tool-${Math.floor(random() * 40)}-a`,
  }))
}

function makeActions(rules: readonly Rule[]): readonly Asked[] {
  const random = randomFrom(11)
  return Array.from({ length: ACTIONS }, () => {
    const { server } = pick(rules, Math.floor(random() * rules.length))
    return { server, tool: `tool-${Math.floor(random() * 40)}-${random() < 0.5 ? "a" : "b"}` }
  })
}

function ours(rules: readonly Rule[]): Engine {
  const policy = compilePolicy({
    version: 1,
    layers: [
      {
        layer: "organization",
        version: 1,
        document: {
          schema: "belay.policy/1",
          permissions: {
            defaults: { mcp: "ask" },
            rules: rules.map(({ id, effect, server, tool }) => ({
              id,
              effect,
              action: "mcp",
              pattern: `${server}/${tool}`,
            })),
          },
        },
      },
    ],
  })
  return { name: "belay", decide: ({ server, tool }) => decide(policy, { kind: "mcp", server, tool }, context).effect }
}

function strictest(isMatched: (effect: Effect) => boolean): Effect {
  if (isMatched("deny")) return "deny"
  if (isMatched("ask")) return "ask"
  return isMatched("allow") ? "allow" : "ask"
}

function casl(rules: readonly Rule[]): Engine {
  const abilities = new Map<Effect, MongoAbility>()
  for (const effect of EFFECTS) {
    const { can, build } = new AbilityBuilder<MongoAbility>(createMongoAbility)
    for (const rule of rules) {
      if (rule.effect === effect) can("call", rule.server, { tool: { $regex: toRegex(rule.tool) } })
    }
    abilities.set(effect, build({ detectSubjectType: (subject) => String(subject["server"]) }))
  }
  return {
    name: "casl",
    decide: (asked) => strictest((effect) => abilities.get(effect)?.can("call", { ...asked }) === true),
  }
}

function cedar(rules: readonly Rule[], name: string): Engine {
  for (const effect of EFFECTS) {
    const text = rules
      .filter((rule) => rule.effect === effect)
      .map(
        ({ server, tool }) =>
          `permit(principal, action, resource) when { context.server == "${server}" && context.tool like "${tool}" };`,
      )
      .join("\n")
    const parsed = preparsePolicySet(`${name}-${effect}`, { staticPolicies: text })
    if (parsed.type !== "success") throw new Error(JSON.stringify(parsed))
  }
  return {
    name: "cedar",
    decide: (asked) =>
      strictest((effect) => {
        const answer = statefulIsAuthorized({
          principal: { type: "Agent", id: "a" },
          action: { type: "Action", id: "call" },
          resource: { type: "Tool", id: "t" },
          context: { server: asked.server, tool: asked.tool },
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
        `[request_definition]\nr = server, tool\n[policy_definition]\np = server, tool\n[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.server == p.server && regexMatch(r.tool, p.tool)`,
      ),
    )
    const unique = new Map(
      rules
        .filter((rule) => rule.effect === effect)
        .map(({ server, tool }) => [`${server}/${tool}`, [server, toRegex(tool).source]]),
    )
    await enforcer.addPolicies([...unique.values()])
    enforcers.set(effect, enforcer)
  }
  return {
    name: "casbin",
    decide: ({ server, tool }) => strictest((effect) => enforcers.get(effect)?.enforceSync(server, tool) === true),
  }
}

function toRegex(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll("*", ".*")}$`)
}

function measureShell(): Measured {
  const rules = Array.from({ length: 1000 }, (_, at) => ({
    id: `s${at}`,
    effect: pick(EFFECTS, at % 3),
    action: "shell" as const,
    pattern: at % 2 === 0 ? `program-${at} run *` : `git sub-${at} --flag-${at} *`,
  }))
  const policy = compilePolicy({
    version: 1,
    layers: [
      {
        layer: "organization",
        version: 1,
        document: { schema: "belay.policy/1", permissions: { defaults: { shell: "ask" }, rules } },
      },
    ],
  })
  const commands = [
    "git status",
    "program-10 run x && git sub-31 --flag-31",
    "npm test -- --watch=false | tee out.log",
    "cd app && git -C x push origin main",
    "bash -c 'ls -la; cat README.md'",
  ]
  const actions = commands.map((command): AgentAction => ({ kind: "shell", command }))
  return measure((at) => decide(policy, pick(actions, at), { ...context, workspace: "/work/app" }).effect)
}

function measure(work: (at: number) => unknown): Measured {
  const [startedAt, took] = [performance.now(), new Array<number>()]
  for (let at = 0; performance.now() - startedAt < BUDGET_MS; at++) {
    const before = process.hrtime.bigint()
    work(at)
    took.push(Number(process.hrtime.bigint() - before) / 1000)
  }
  took.sort((a, b) => a - b)
  // The clock's own time is a part of each, of all engines alike.
  const total = took.reduce((sum, us) => sum + us, 0)
  return { perSecond: (took.length / total) * 1e6, p99Us: pick(took, Math.floor(took.length * 0.99)) }
}

function pick<Item>(items: readonly Item[], at: number): Item {
  const item = items[at % items.length]
  if (item === undefined) throw new Error("nothing to pick from")
  return item
}

function round(figure: number): number {
  return Math.round(figure * 100) / 100
}
