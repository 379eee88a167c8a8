import { OTLP_JSON, toOtlpJson, toRecord } from "../../signal.ts"
import type { AgentAction, EditAction, ReadAction } from "../../policy/action.ts"
import type { Unavailable } from "../../policy/note.ts"
import { RULE_ACTIONS } from "../../policy/vocabulary.ts"
import { openSpool } from "../../spool.ts"
import { toShellAction } from "../../shell-action.ts"
import { type Host, readSettings, spoolFolder } from "../home.ts"
import { countFailure, type FailureReason } from "../state.ts"
import { UNKNOWN_PATH } from "./actions.ts"
import { claudeCode } from "./claude-code.ts"
import { codex } from "./codex.ts"
import { cursor } from "./cursor.ts"
import { geminiCli } from "./gemini-cli.ts"
import {
  type Decide,
  type HookAction,
  type HookAnswer,
  type HookContext,
  type HookDecision,
  type HookProtocol,
  type HookSignal,
  type HookVerdict,
  NO_OPINION,
} from "./hook.ts"
import { judgePaths } from "./judge-paths.ts"
import { parsePayload, type Payload } from "./payload.ts"
import { noteUnderWay } from "./under-way.ts"

const PROTOCOLS: ReadonlyMap<string, HookProtocol> = new Map([
  ["claude-code", claudeCode],
  ["codex", codex],
  ["cursor", cursor],
  ["gemini-cli", geminiCli],
])

export interface HookRun {
  readonly tool: string
  /** What stands on stdin. */
  readonly read: () => string
  readonly decide: Decide
  /** What the last known policy says of actions that cannot be decided on; null when none is known. */
  readonly unavailable: () => Unavailable | null
  readonly host: Host
  readonly version: string
}

/**
 * One call of a hook: the tool's payload in, its answer out, the facts in the spool. `isKept` is whether there was something
 * to keep and it was kept.
 *
 * Never rejects and never stands in the tool's way: what it cannot read, does not know or cannot keep is counted beside
 * the spool, and the answer is no opinion, unless the last known policy says `closed` for what it may have been. What was
 * decided is answered whatever becomes of the facts.
 */
export async function runHook(run: HookRun): Promise<{ answer: HookAnswer; isKept: boolean }> {
  const { tool, read, decide, host } = run
  const protocol = PROTOCOLS.get(tool)
  if (protocol === undefined) return { answer: NO_OPINION, isKept: false }
  const fail = (reason: FailureReason) => countFailure(spoolFolder(host), tool, reason, host.now())
  let answer = protocol.noOpinion
  let action: HookAction | null = null
  let isDecided = false
  try {
    const text = read()
    const payload = parsePayload(text)
    if (payload === null) {
      fail(text === "" ? "no_input" : "bad_input")
      return { answer: answerFailure(run, null) ?? answer, isKept: false }
    }
    action = protocol.readAction(payload)
    const context = { ...protocol.context(payload), agentTool: tool, workspace: protocol.workspace(payload) }
    const decision = action === null || action.actions.length === 0 ? null : await decide(action, context)
    if (decision !== null && isVerdict(decision)) answer = protocol.answer(payload, decision)
    isDecided = true
    const facts = protocol.readSignals(payload)
    if (facts === null) fail("unknown_event")
    const signals = [...(facts ?? [])]
    signals.push(...(await noteUnderWay(protocol, payload, { action, facts: signals, now: host.now() })))
    if (action !== null && decision !== null) signals.push(toPolicySignal(action, decision, context))
    if (signals.length === 0) return { answer, isKept: false }
    const isKept = keep(run, protocol, payload, signals)
    if (!isKept) fail("spool")
    return { answer, isKept }
  } catch {
    fail("bug")
    return { answer: (isDecided ? null : answerFailure(run, action)) ?? answer, isKept: false }
  }
}

function isVerdict(decision: HookDecision): decision is HookVerdict {
  return decision.effect !== "allow"
}

/** How every tool is told to stop, by a hook that cannot say more; null when the action may go on. */
function answerFailure({ unavailable }: HookRun, action: HookAction | null): HookAnswer | null {
  const said = unavailable()
  const kinds = action === null ? RULE_ACTIONS : action.actions.map(({ kind }) => kind)
  if (!kinds.some((kind) => said?.[kind] === "closed")) return null
  const stderr = "Belay's hook failed, and the policy says that nothing is done then. Run: belay doctor\n"
  return { stdout: "", stderr, exitCode: 2 }
}

function keep(
  { host, version }: HookRun,
  protocol: HookProtocol,
  payload: Payload,
  signals: readonly HookSignal[],
): boolean {
  const person = protocol.enduserId(payload)
  const resource = {
    serviceName: "belay-hook",
    serviceVersion: version,
    enduserId: readSettings(host).enduserId ?? (person !== undefined && EMAIL.test(person) ? person : undefined),
  }
  const sender = { agentTool: protocol.agentTool, agentVersion: protocol.agentVersion(payload) }
  const workspace = protocol.workspace(payload)
  const records = signals.map(({ paths = [], ...signal }) => {
    const pathScope = judgePaths(paths, workspace)
    return toRecord({ ...signal, ...sender, pathScope }, host.now())
  })
  const spool = openSpool({ folder: spoolFolder(host), now: host.now })
  return spool.append(toOtlpJson(resource, records), { contentType: OTLP_JSON, items: records.length })
}

/** Of what the tool calls the person, nothing but an address is believed to be one. */
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/

function isFile(action: AgentAction): action is EditAction | ReadAction {
  return action.kind === "edit" || action.kind === "read"
}

function toPolicySignal({ tool, actions }: HookAction, decision: HookDecision, context: HookContext): HookSignal {
  const shell = actions.find((action) => action.kind === "shell")
  const command = typeof shell?.command === "string" ? shell.command : shell?.command.at(-1)
  return {
    kind: "policy_decision",
    rung: context.rung,
    surface: context.surface,
    mode: context.mode,
    sessionId: context.sessionId,
    model: context.model,
    action: toShellAction(command) ?? tool,
    paths: actions.flatMap((action) => (isFile(action) && action.path !== UNKNOWN_PATH ? [action.path] : [])),
    origin: "rule",
    policyEffect: decision.effect,
    policyBecause: decision.because,
    policyRuleId: decision.ruleId,
    policyLayer: decision.layer,
    policyVersion: decision.policyVersion,
  }
}
