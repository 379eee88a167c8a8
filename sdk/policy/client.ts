/** The policy that is published in Belay, in an agent's process: fetched, pushed, checked, kept, reported. */
import { homedir } from "node:os"
import path from "node:path"
import type { Decision, PolicyAction, PolicyConnection, StartedPolicy, StartPolicy } from "../policy.ts"
import { createBackoff } from "../send.ts"
import { VERSION } from "../version.ts"
import type { PolicyContext } from "./action.ts"
import { hasBudgets, openBudgets } from "./budgets.ts"
import { CANARY } from "./canary.ts"
import { decide } from "./decide.ts"
import type { PolicyKey } from "./envelope.ts"
import { createEventReader } from "./event-stream.ts"
import { fetchPolicy, headersOf, sendStatus, type StatusReport } from "./exchange.ts"
import { installationId } from "./installation.ts"
import { openKeeper, signedContext, UNAVAILABLE_EFFECTS } from "./keeper.ts"
import { NO_KEY, parsePolicyKeys } from "./keys.ts"
import { resolveLinks } from "./links.ts"
import { policyFiles } from "./note.ts"
import { toAgentAction } from "./source.ts"
import { type Place, stream } from "./transport.ts"

export type { PolicyContext } from "./action.ts"
export type { PolicyKey } from "./envelope.ts"
export { resolveLinks } from "./links.ts"

/** What a client goes by. */
export interface PolicyState {
  /** `in_force`: what Belay has; `last_good`: an earlier policy, since Belay did not answer with a newer one; `none`. */
  readonly state: "in_force" | "last_good" | "none"
  /** Of the policy that is gone by; null for none. */
  readonly version: number | null
  /**
   * Why the last answer was not taken: `empty`, `not_an_envelope`, `other_format`, `unknown_key`, `wrong_signature`,
   * `other_organization`, `older`, `not_usable`, `not_keys`; with `stored_` before it when it is about what was on disk.
   * Null when it was taken.
   */
  readonly refusal: string | null
}

/** How the published policy is kept and asked. */
export interface PublishedPolicyOptions {
  /**
   * Where the last good policy is kept for the next start, for any number of processes: `policy` in `BELAY_HOME`, which is
   * `~/.belay` unless said otherwise. False keeps nothing on disk.
   */
  readonly folder?: string | false | undefined
  /**
   * The keys that the first policy may be signed with. Without them, and without `BELAY_POLICY_KEYS`, they are asked of
   * Belay and believed once. Later ones are announced by policies that were checked.
   */
  readonly keys?: readonly PolicyKey[] | undefined
  /** More of an action's circumstances: labels of the repository, isolation, spending. What is left out is not known. */
  readonly contextOf?: ((action: PolicyAction) => Partial<PolicyContext>) | undefined
  /** Is told when another policy is gone by, or one was refused. */
  readonly onChange?: ((state: PolicyState) => void) | undefined
}

/** A client waits at most so long before it looks for a server that went away. */
const RETRY_MS_MAX = 60_000
/** Belay says something every 15 seconds; after three such times of silence nobody is there. */
const SILENCE_MS_MAX = 45_000
/** A connection that held for so long was a good one. */
const STEADY_MS = 10_000
const REPORT_EVERY_MS = 24 * 3_600_000
const REPORT_AGAIN_MS = 60_000
/** So that one answer that does not come leaves what is known of budgets young enough. */
const BUDGETS_EVERY_MS = 240_000
/** All clients are told at once that a budget reached a threshold, and shall not ask at once. */
const BUDGETS_SPREAD_MS = 2000
const NAME_LENGTH_MAX = 60

/**
 * The policy that is published in Belay, for `startBelay({ policy: publishedPolicy() })`.
 *
 * What was kept on disk is in force at once, when its signature holds. Then Belay is asked, and pushes each new policy; a
 * server that is away, a cut network or a clock that is set back leave the last good one in force, as does whatever is
 * answered that is no newer policy of the organization. Nothing here throws, is waited for, or keeps the process alive.
 * Belay is told what is gone by: at the start, at every change and refusal, and daily with what became of an action that
 * every policy denies. A policy with budgets has it asked how they stand too, every few minutes and when Belay says that
 * one reached a threshold; after ten minutes without an answer the person is asked wherever a budget may ask or deny, and
 * one that was used up stays so until it starts anew.
 */
export function publishedPolicy(options: PublishedPolicyOptions = {}): StartPolicy {
  return (connection) => startClient(connection, options)
}

function startClient(connection: PolicyConnection, options: PublishedPolicyOptions): StartedPolicy {
  const { endpoint, ingestKey, user, agent, clock } = connection
  const folder = options.folder === false ? null : (options.folder ?? defaultFolder())
  const files = folder === null ? null : policyFiles(folder, { endpoint, key: ingestKey, enduser: user })
  const keeper = openKeeper({
    files,
    pinned: options.keys ?? pinnedByEnvironment(),
    report: connection.report,
  })
  const budgets = openBudgets(files, () => keeper.inForce(), connection.report)
  const place: Place = {
    endpoint,
    headers: headersOf(ingestKey, user),
    timeoutMs: connection.timeoutMs,
    isAwaited: false,
    now: () => clock.now(),
  }
  const ending = new AbortController()
  const id = installationId(folder, agent.name)
  let isConfirmed = false
  let refusal: string | null = keeper.problem === null ? null : `stored_${keeper.problem}`

  const stateOf = (): PolicyState => {
    const version = keeper.inForce()?.signed.bundle.version ?? null
    return { state: version === null ? "none" : isConfirmed ? "in_force" : "last_good", version, refusal }
  }

  const decideOn = (action: PolicyAction): Decision | null => {
    const inForce = keeper.inForce()
    const what = toAgentAction(action)
    if (inForce === null) {
      const unavailable = keeper.unavailable()
      if (unavailable === null) return null
      const effect = UNAVAILABLE_EFFECTS[unavailable[what.kind] ?? "ask"]
      return { effect, because: "no_policy", ruleId: null, reason: null, layer: null, version: null }
    }
    const context = signedContext(inForce, {
      agentTool: agent.name,
      surface: connection.surface,
      repository: connection.repository,
      home: homedir(),
      resolveLinks,
      ...(hasBudgets(inForce) && { spent: budgets.spent(clock.now()) }),
      ...options.contextOf?.(action),
      mode: action.mode,
      workspace: action.workspace,
      rung: action.rung,
      nowMs: clock.now(),
    })
    const { because, effect, ruleId, reason, layer, version } = decide(inForce.compiled, what, context)
    return { because, effect, ruleId, reason, layer, version }
  }

  /** Decided as every action is, and told to nobody but Belay. */
  const canary = (): StatusReport["canary"] => {
    try {
      const action = { action: `${CANARY.server}/${CANARY.tool}`, rung: "agent", what: CANARY } as const
      return decideOn(action)?.effect ?? connection.onPolicyUnavailable
    } catch {
      return connection.onPolicyUnavailable
    }
  }

  let told = ""
  let telling = Promise.resolve()
  let callOff = () => {}
  const tellNow = async (isDue: boolean): Promise<void> => {
    if (ending.signal.aborted) return
    const state = stateOf()
    const said = JSON.stringify(state)
    if (said === told && !isDue) return
    const report: StatusReport = {
      id,
      agentTool: agent.name.slice(0, NAME_LENGTH_MAX),
      agentVersion: agent.version?.slice(0, NAME_LENGTH_MAX) ?? null,
      belayVersion: VERSION,
      ...state,
      canary: canary(),
    }
    const isTaken = await sendStatus(place, report, ending.signal)
    if (ending.signal.aborted) return
    if (isTaken) told = said
    callOff()
    callOff = clock.schedule(() => tell(true), isTaken ? REPORT_EVERY_MS : REPORT_AGAIN_MS)
  }
  /** One report after the other, so that the last one that is taken is the latest. */
  const tell = (isDue: boolean) => {
    telling = telling.then(() => tellNow(isDue))
  }

  let callOffBudgets = () => {}
  const askBudgetsIn = (ms: number) => {
    callOffBudgets()
    callOffBudgets = clock.schedule(() => void askBudgets(), ms)
  }
  const askBudgets = async (): Promise<void> => {
    if (ending.signal.aborted || !hasBudgets(keeper.inForce())) return
    await budgets.ask(place, ending.signal)
    if (!ending.signal.aborted) askBudgetsIn(BUDGETS_EVERY_MS)
  }

  let known = JSON.stringify(stateOf())
  /** After every answer: remembers it, and says what changed. */
  const settle = (outcome: { readonly isConfirmed: boolean; readonly refusal: string | null }) => {
    isConfirmed = outcome.isConfirmed
    refusal = outcome.refusal
    keeper.note(clock.now(), refusal)
    const state = stateOf()
    if (known !== JSON.stringify(state)) {
      known = JSON.stringify(state)
      if (refusal !== null) connection.report(`a policy was not taken: ${refusal}`)
      try {
        options.onChange?.(state)
      } catch {
        connection.report("onChange threw")
      }
    }
    tell(false)
    if (isConfirmed) void askBudgets()
  }

  const check = async (): Promise<number | null> => {
    const fetched = await fetchPolicy(place, keeper, ending.signal)
    if (ending.signal.aborted) return null
    switch (fetched.result) {
      case "in_force":
        settle({ isConfirmed: true, refusal: null })
        return null
      case "no_policy":
        settle({ isConfirmed: false, refusal: null })
        return null
      case "refused":
        settle({ isConfirmed: false, refusal: fetched.reason })
        return null
      case "unanswered":
        connection.report(`the policy was not asked for: ${fetched.why}`)
        return fetched.retryAfterMs
    }
  }

  /** Until the stream ends or falls silent. Resolves to what the server asks for before the next. */
  const listen = async (): Promise<number | null> => {
    const silence = new AbortController()
    let stopWaiting = clock.schedule(() => silence.abort(), SILENCE_MS_MAX)
    const read = createEventReader(({ type, data, id: tag }) => {
      if (ending.signal.aborted) return
      if (type === "budgets") askBudgetsIn(clock.random() * BUDGETS_SPREAD_MS)
      if (type !== "policy") return
      const taken = keeper.take(data, tag)
      settle(taken.ok ? { isConfirmed: true, refusal: null } : { isConfirmed: false, refusal: taken.reason })
    })
    const etag = keeper.etag()
    const { retryAfterMs } = await stream(
      place,
      {
        method: "GET",
        path: "/v1/policy/events",
        headers: { accept: "text/event-stream", ...(etag !== null && { "last-event-id": etag }) },
        signal: AbortSignal.any([ending.signal, silence.signal]),
      },
      (text) => {
        stopWaiting()
        stopWaiting = clock.schedule(() => silence.abort(), SILENCE_MS_MAX)
        read(text)
      },
    )
    stopWaiting()
    return retryAfterMs
  }

  const backoff = createBackoff(() => clock.random(), RETRY_MS_MAX)
  const run = async () => {
    while (!ending.signal.aborted) {
      const retryAfterMs = await check()
      const since = clock.elapsed()
      // Nothing that is pushed could be checked without keys.
      const later = retryAfterMs ?? (ending.signal.aborted || keeper.needsKeys() ? null : await listen())
      if (clock.elapsed() - since > STEADY_MS) backoff.reset()
      if (!ending.signal.aborted) await pause(backoff.next(later))
    }
  }
  let wake = () => {}
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const stop = clock.schedule(resolve, ms)
      wake = () => {
        stop()
        resolve()
      }
    })

  if (refusal !== null) {
    connection.report(`the policy on disk was not taken: ${refusal}`)
    tell(false)
  }
  run().catch(() => connection.report("the policy is no longer kept up to date"))
  return {
    decide: decideOn,
    close() {
      ending.abort()
      callOff()
      callOffBudgets()
      wake()
    },
  }
}

function defaultFolder(): string {
  return path.join(process.env["BELAY_HOME"] ?? path.join(homedir(), ".belay"), "policy")
}

function pinnedByEnvironment(): readonly PolicyKey[] {
  const text = process.env["BELAY_POLICY_KEYS"]
  return text === undefined ? [] : (parsePolicyKeys(text) ?? NO_KEY)
}
