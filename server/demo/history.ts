import type { Outcome, Rung } from "#sdk/ladder.ts"
import { decide as decideBy } from "#sdk/policy/decide.ts"
import { toShellAction } from "#sdk/shell-action.ts"
import { type Signal, type SignalFields, toSignal } from "../ingest/signal.ts"
import { DEMO_COMMANDS, demoPolicyOf } from "./policies.ts"
import { createRandom, type Random } from "./random.ts"
import { type Climate, climateOf, type DemoTeam, versionOf } from "./stories.ts"

export interface DemoDeveloper {
  readonly email: string
  readonly team: DemoTeam
  readonly language: string
  readonly agentTool: "claude-code" | "codex"
}

const DAY_MS = 86_400_000
const AGENT_VERSIONS: Record<string, string> = {
  codex: "0.169.0",
  copilot: "0.42.0",
  kilo: "7.7.9",
}
const MODELS: Record<string, readonly [string, string]> = {
  "claude-code": ["anthropic", "claude-sonnet-4-5"],
  "claude-code, thorough": ["anthropic", "claude-opus-4-5"],
  codex: ["openai", "gpt-5-codex"],
  copilot: ["github", "gpt-5-mini"],
  kilo: ["anthropic", "claude-opus-4-5"],
}

/** What a call costs, to that of a middling model. */
const COST_FACTOR: Record<string, number> = { "claude-sonnet-4-5": 0.7, "claude-opus-4-5": 1.7 }

/** As tools name them; who is not here does not tell. */
const MODES: Record<string, readonly [string, ...string[]]> = {
  "claude-code": ["default", "default", "default", "acceptEdits", "acceptEdits", "plan"],
  kilo: ["orchestrator", "orchestrator", "code"],
}

/** Until a model begins to answer. */
const FIRST_TOKEN_MEDIAN_MS: Record<string, number> = {
  "claude-sonnet-4-5": 850,
  "claude-opus-4-5": 1500,
  "gpt-5-codex": 1150,
  "gpt-5-mini": 480,
}

/**
 * One developer's signals of one UTC day, in order, none later than `until`. The same developer and day give the same
 * signals, whatever `until` is.
 */
export function generateDay(developer: DemoDeveloper, day: Date, today: Date, until: Date): Signal[] {
  const key = `${developer.email} on ${day.toISOString().slice(0, 10)}`
  const random = createRandom(key)
  const daysAgo = Math.round((today.getTime() - day.getTime()) / DAY_MS)
  const isWeekend = day.getUTCDay() === 0 || day.getUTCDay() === 6
  if (!random.chance(isWeekend ? 0.08 : 0.93)) return []
  const writer = createWriter(developer, { key, daysAgo, random })
  const climate = climateOf(developer, daysAgo)
  const workDay = () => day.getTime() + 7 * 3_600_000 + Math.floor(random.next() * 10 * 3_600_000)
  for (let left = count(random, climate.suggestionsPerDay); left > 0; left--) writer.suggestion(workDay(), climate)
  for (let left = count(random, climate.turnsPerDay); left > 0; left--) writer.turn(workDay(), climate)
  for (let left = count(random, climate.tasksPerDay); left > 0; left--) writer.task(workDay(), climate)
  for (let left = count(random, climate.runsPerDay); left > 0; left--) writer.run(workDay(), climate)
  const untilNano = BigInt(until.getTime()) * 1_000_000n
  return writer.signals.filter((signal) => signal.observedUnixNano <= untilNano).map(toSignal)
}

/** One operation that ends at `now`, for the live trickle. */
export function generateNow(developer: DemoDeveloper, now: Date): Signal[] {
  const key = `${developer.email} live ${now.getTime()}`
  const random = createRandom(key)
  const writer = createWriter(developer, { key, daysAgo: 0, random })
  const climate = climateOf(developer, 0)
  const kind = random.next()
  if (kind < 0.7) writer.suggestion(now.getTime(), climate)
  else if (kind < 0.9) writer.turn(now.getTime(), climate)
  else writer.task(now.getTime(), climate)
  // A task takes minutes; here it has just ended.
  const last = writer.signals.reduce(
    (max, signal) => (signal.observedUnixNano > max ? signal.observedUnixNano : max),
    0n,
  )
  const shift = last - BigInt(now.getTime()) * 1_000_000n
  return writer.signals.map((signal) => toSignal({ ...signal, observedUnixNano: signal.observedUnixNano - shift }))
}

/** What people are asked about and look at, and what they say yes to each time. */
const WEIGHED = ["git push", "npm install", "docker compose", "kubectl apply", "gh pr"] as const
const WAVED_THROUGH = ["git status", "npm test"] as const

/** A whole number around a mean. */
function count(random: Random, mean: number): number {
  const wanted = mean * (0.6 + 0.8 * random.next())
  return Math.floor(wanted) + (random.chance(wanted % 1) ? 1 : 0)
}

function createWriter(
  developer: DemoDeveloper,
  { key, daysAgo, random }: { key: string; daysAgo: number; random: Random },
) {
  const signals: SignalFields[] = []
  let operations = 0
  // A day with one model or the other: what comes with a release of the agent can be told from what comes with a model.
  const claude = random.chance(0.4) ? "claude-code, thorough" : "claude-code"

  const modelOf = (agentTool: string) =>
    MODELS[agentTool === "claude-code" ? claude : agentTool] ?? (["unknown", "unknown"] as const)

  const emit = (
    atMs: number,
    rung: Rung,
    agentTool: string,
    fields: Partial<SignalFields> & Pick<SignalFields, "kind">,
  ) => {
    const [provider, model] = modelOf(agentTool)
    signals.push({
      observedUnixNano: BigInt(Math.round(atMs)) * 1_000_000n + BigInt(signals.length % 1000) * 1000n,
      sourceId: `demo ${key} ${signals.length}`,
      rung,
      agentTool,
      agentVersion: versionOf(agentTool, daysAgo) ?? AGENT_VERSIONS[agentTool] ?? null,
      surface: agentTool === "copilot" || agentTool === "kilo" ? "ide" : "terminal",
      identity: { kind: "email", value: developer.email },
      sessionId: `demo-${key.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 50)}`,
      language: developer.language,
      repository: `${developer.team.toLowerCase()}-service`,
      provider,
      model,
      ...fields,
    })
  }
  const nextOperation = (rung: Rung) =>
    `demo-${rung}-${key.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 40)}-${operations++}`

  // Chance of their own, so that the rest of the day is the same with them and without.
  const firstTokens = createRandom(`${key} first tokens`)
  const modelCall = (atMs: number, rung: Rung, tool: string, own: Partial<SignalFields>, size: number) =>
    emit(atMs, rung, tool, {
      kind: "model_call",
      ...own,
      inputTokens: Math.round(random.logNormal(6000 * size, 0.5)),
      outputTokens: Math.round(random.logNormal(350 * size, 0.5)),
      cachedTokens: Math.round(random.logNormal(2500 * size, 0.4)),
      costUsd: Number((0.012 * size * (COST_FACTOR[modelOf(tool)[1]] ?? 1) * (0.5 + random.next())).toFixed(6)),
      durationMs: random.logNormal(3500, 0.5),
      latencyMs: firstTokens.logNormal(FIRST_TOKEN_MEDIAN_MS[modelOf(tool)[1]] ?? 900, 0.45),
    })

  const decide = (acceptance: number): Outcome => {
    if (random.chance(acceptance)) return random.chance(0.15) ? "modified" : "accepted"
    return random.chance(0.3) ? "ignored" : "rejected"
  }

  const edit = (atMs: number, rung: Rung, tool: string, operationId: string, climate: Climate) =>
    emit(atMs, rung, tool, {
      kind: "edit",
      operationId,
      outcome: decide(climate.editAcceptance),
      origin: "human",
      filesChanged: 1,
      linesAdded: Math.round(random.logNormal(14, 0.8)),
      linesRemoved: Math.round(random.logNormal(5, 0.8)),
      pathScope: random.chance(climate.wrongPaths) ? "out_of_scope" : "in_scope",
      waitMs: random.logNormal(4000, 0.8),
    })

  const prompt = (atMs: number, rung: Rung, tool: string, operationId: string) => {
    const isTaken = random.chance(0.92)
    const waitMs = random.logNormal(7000, 0.9)
    const action = random.pick([...WEIGHED, ...WAVED_THROUGH])
    const outcome = isTaken || WAVED_THROUGH.some((name) => name === action) ? "accepted" : "rejected"
    emit(atMs, rung, tool, { kind: "permission", operationId, outcome, origin: "human", waitMs, action })
  }

  // Chance of their own here too.
  const modes = createRandom(`${key} modes`)
  const steps = createRandom(`${key} steps`)
  const modeOf = (tool: string) => {
    const known = MODES[tool]
    return known === undefined ? null : modes.pick(known)
  }
  const decisions = createRandom(`${key} decisions`)
  /** What a hook decides on a command. */
  const decision = (atMs: number, rung: Rung, tool: string, operationId: string) => {
    const command = decisions.pick(DEMO_COMMANDS)
    // Some clients listen late, and a few have no policy.
    const lateDays = decisions.chance(0.15) ? 3 : 0
    const known = decisions.chance(0.03) ? null : demoPolicyOf(developer.team, daysAgo + lateDays)
    const decided =
      known === null
        ? null
        : decideBy(known.policy, { kind: "shell", command }, { nowMs: atMs, rung, agentTool: tool, workspace: "/work" })
    emit(atMs, rung, tool, {
      kind: "policy_decision",
      operationId,
      origin: "rule",
      action: toShellAction(command),
      policyEffect: decided?.effect ?? "ask",
      policyBecause: decided?.because ?? "no_policy",
      policyRule: decided?.ruleId ?? null,
      policyLayer: decided?.layer ?? null,
      policyVersion: known?.release ?? null,
    })
  }

  return {
    signals,

    suggestion(atMs: number, climate: Climate) {
      const latencyMs = random.logNormal(climate.suggestionMedianMs, 0.3)
      emit(atMs, "autocomplete", "copilot", {
        kind: "suggestion",
        operationId: nextOperation("autocomplete"),
        outcome: decide(climate.suggestionAcceptance),
        origin: "human",
        latencyMs,
        durationMs: latencyMs,
        linesAdded: random.between(1, 4),
      })
    },

    turn(atMs: number, climate: Climate) {
      const operationId = nextOperation("chat")
      const first = random.logNormal(780, 0.4)
      const whole = first + random.logNormal(5200, 0.5)
      emit(atMs, "chat", "copilot", { kind: "start", operationId })
      modelCall(atMs + whole - 10, "chat", "copilot", { operationId }, 0.5)
      emit(atMs + whole, "chat", "copilot", {
        kind: "turn",
        operationId,
        outcome: decide(climate.turnAcceptance),
        origin: "human",
        latencyMs: first,
        durationMs: whole,
      })
    },

    task(atMs: number, climate: Climate) {
      const tool = developer.agentTool
      const operationId = nextOperation("agent")
      const own = { operationId, mode: modeOf(tool) }
      const whole = random.logNormal(150_000, 0.6)
      emit(atMs, "agent", tool, { kind: "start", ...own })
      for (let step = 1; step <= 3; step++) {
        const at = atMs + (whole * step) / 4
        modelCall(at, "agent", tool, own, 1)
        emit(at + 40, "agent", tool, {
          kind: "tool_call",
          ...own,
          action: random.pick(["Read", "Grep", "Bash", "Edit"]),
          durationMs: random.logNormal(300, 0.9),
        })
        decision(at + 20, "agent", tool, operationId)
      }
      edit(atMs + whole * 0.8, "agent", tool, operationId, climate)
      edit(atMs + whole * 0.9, "agent", tool, operationId, climate)
      if (random.chance(0.5)) prompt(atMs + whole * 0.5, "agent", tool, operationId)
      emit(atMs + whole, "agent", tool, {
        kind: "task",
        ...own,
        latencyMs: whole,
        durationMs: whole,
        toolCalls: 3,
        filesChanged: 2,
      })
    },

    run(atMs: number, climate: Climate) {
      const tool = random.chance(0.5) ? "kilo" : "claude-code"
      const operationId = nextOperation("orchestration")
      const mode = modeOf(tool)
      const prompts = count(random, climate.promptsPerRun)
      const whole = random.logNormal(1_100_000, 0.5) + prompts * 12_000
      emit(atMs, "orchestration", tool, { kind: "start", operationId, mode })
      for (let child = 1; child <= 3; child++) {
        const childId = nextOperation("orchestration")
        const own = { operationId: childId, parentOperationId: operationId, mode }
        modelCall(atMs + (whole * child) / 4, "orchestration", tool, { operationId: childId, mode }, 1.6)
        emit(atMs + (whole * child) / 4 + 50, "orchestration", tool, {
          kind: "task",
          ...own,
          latencyMs: whole / 4,
          durationMs: whole / 4,
          toolCalls: random.between(4, 14),
        })
        emit(atMs + (whole * child) / 5, "orchestration", tool, {
          ...own,
          kind: "tool_call",
          action: steps.pick(["Read", "Grep", "Bash", "Edit"]),
          durationMs: steps.logNormal(300, 0.9),
        })
        decision(atMs + (whole * child) / 4 + 20, "orchestration", tool, childId)
      }
      for (let asked = 1; asked <= prompts; asked++) {
        prompt(atMs + (whole * asked) / (prompts + 1), "orchestration", tool, operationId)
      }
      emit(atMs + whole, "orchestration", tool, {
        kind: "run",
        operationId,
        mode,
        outcome: decide(climate.runAcceptance),
        origin: "human",
        latencyMs: whole,
        durationMs: whole,
        toolCalls: random.between(12, 40),
        filesChanged: random.between(2, 9),
        linesAdded: Math.round(random.logNormal(160, 0.6)),
        linesRemoved: Math.round(random.logNormal(50, 0.7)),
        prompts,
      })
    },
  }
}
