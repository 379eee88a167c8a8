import { OTLP_JSON, toOtlpJson, toRecord } from "../../signal.ts"
import { openSpool } from "../../spool.ts"
import { toShellAction } from "../../shell-action.ts"
import { type Host, readSettings, spoolFolder } from "../home.ts"
import { countFailure, type FailureReason } from "../state.ts"
import { claudeCode } from "./claude-code.ts"
import { codex } from "./codex.ts"
import { cursor } from "./cursor.ts"
import { geminiCli } from "./gemini-cli.ts"
import {
  type Decide,
  type HookAction,
  type HookAnswer,
  type HookDecision,
  type HookProtocol,
  type HookSignal,
  NO_OPINION,
} from "./hook.ts"
import { judgePaths } from "./judge-paths.ts"
import { parsePayload, type Payload } from "./payload.ts"

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
  readonly host: Host
  readonly version: string
}

/**
 * One call of a hook: the tool's payload in, its answer out, the facts in the spool, before it returns. `isKept` is whether there was
 * something to keep and it was kept.
 *
 * Never throws and never stands in the tool's way: what it cannot read, does not know or cannot keep is counted beside
 * the spool, and the answer is no opinion. What was decided is answered whatever becomes of the facts.
 */
export function runHook(run: HookRun): { answer: HookAnswer; isKept: boolean } {
  const { tool, read, decide, host } = run
  const protocol = PROTOCOLS.get(tool)
  if (protocol === undefined) return { answer: NO_OPINION, isKept: false }
  const fail = (reason: FailureReason) => countFailure(spoolFolder(host), tool, reason, host.now())
  let answer = protocol.noOpinion
  try {
    const text = read()
    const payload = parsePayload(text)
    if (payload === null) {
      fail(text === "" ? "no_input" : "bad_input")
      return { answer, isKept: false }
    }
    const action = protocol.readAction(payload)
    const decision = action === null ? null : decide(action)
    if (decision !== null) answer = protocol.answer(payload, decision)
    const facts = protocol.readSignals(payload)
    if (facts === null) fail("unknown_event")
    const signals = [...(facts ?? [])]
    if (action !== null && decision !== null) signals.push(toPolicySignal(action, decision))
    if (signals.length === 0) return { answer, isKept: false }
    const isKept = keep(run, protocol, payload, signals)
    if (!isKept) fail("spool")
    return { answer, isKept }
  } catch {
    fail("bug")
    return { answer, isKept: false }
  }
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

function toPolicySignal(action: HookAction, decision: HookDecision): HookSignal {
  return {
    kind: "policy_decision",
    rung: "agent",
    action: toShellAction(action.command) ?? action.tool,
    paths: action.paths,
    origin: "rule",
    policyEffect: decision.effect,
    policyBecause: decision.because,
    policyRuleId: decision.ruleId,
    policyLayer: decision.layer,
    policyVersion: decision.policyVersion,
  }
}
