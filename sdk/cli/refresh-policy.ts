import { existsSync, readFileSync } from "node:fs"
import path from "node:path"
import { hasBudgets, openBudgets } from "../policy/budgets.ts"
import { CANARY } from "../policy/canary.ts"
import { type Fetched, fetchPolicy, headersOf, sendStatus, type StatusReport } from "../policy/exchange.ts"
import { installationId } from "../policy/installation.ts"
import type { Keeper } from "../policy/keeper.ts"
import { readNote, replaceFile } from "../policy/note.ts"
import type { Place } from "../policy/transport.ts"
import { VERSION } from "../version.ts"
import { type Host, policyFilesOf, policyFolder, policyOwner, readSettings } from "./home.ts"
import { decideHook, openStoredPolicy } from "./hook/decide.ts"
import { POLICY_MS_MAX } from "./hook/kept-policy.ts"

const TIMEOUT_MS = 10_000
const REPORT_EVERY_MS = 24 * 3_600_000

/** What came of asking, and what is gone by since. */
export interface Refreshed {
  readonly fetched: Fetched
  readonly keeper: Keeper
}

/** Asks for the policy, and how its budgets stand, and keeps both; null when the settings name nobody. Rejects only for an endpoint that is none. */
export async function pullPolicy(host: Host): Promise<Refreshed | null> {
  const settings = readSettings(host)
  const files = policyFilesOf(host, settings)
  const keeper = openStoredPolicy(host, settings)
  const place = placeOf(host)
  if (files === null || keeper === null || place === null) return null
  const fetched = await fetchPolicy(place, keeper)
  const before = readNote(files)
  // Also when nobody answers, so that hooks do not have it tried again at once.
  if (fetched.result === "unanswered") keeper.note(before.checkedAt, before.refusal)
  else keeper.note(host.now(), fetched.result === "refused" ? fetched.reason : null)
  if (fetched.result !== "unanswered" && hasBudgets(keeper.inForce()))
    await openBudgets(
      files,
      () => keeper.inForce(),
      () => {},
    ).ask(place)
  return { fetched, keeper }
}

/**
 * For a hook of `tool`: asks for the policy when that was long ago, and tells Belay what the tool's hook goes by when that
 * has changed or was told long ago. Never rejects.
 */
export async function refreshPolicy(host: Host, tool: string): Promise<void> {
  const settings = readSettings(host)
  const files = policyFilesOf(host, settings)
  const place = placeOf(host)
  if (files === null || place === null || !(settings.isDeciding === true || existsSync(files.note))) return
  if (Math.abs(host.now() - readNote(files).checkedAt) <= POLICY_MS_MAX) return
  const pulled = await pullPolicy(host)
  if (pulled === null || pulled.fetched.result === "unanswered") return
  const { fetched, keeper } = pulled
  const version = keeper.inForce()?.signed.bundle.version ?? null
  const state = version === null ? "none" : fetched.result === "in_force" ? "in_force" : "last_good"
  const stored = keeper.problem === null ? null : `stored_${keeper.problem}`
  const refusal = fetched.result === "refused" ? fetched.reason : stored
  const report: StatusReport = {
    id: installationId(policyFolder(host), tool),
    agentTool: tool,
    agentVersion: null,
    belayVersion: VERSION,
    state,
    version,
    refusal,
    canary: decideCanary(host, tool),
  }
  const said = JSON.stringify(report)
  const told = readTold(host)
  const last = told[tool]
  if (last?.said === said && Math.abs(host.now() - last.at) < REPORT_EVERY_MS) return
  if (!(await sendStatus(place, report))) return
  replaceFile(toldFile(host), `${JSON.stringify({ ...told, [tool]: { said, at: host.now() } })}\n`)
}

/** As a hook decides; no opinion lets the tool go on. */
function decideCanary(host: Host, tool: string): StatusReport["canary"] {
  const action = { tool: `mcp__${CANARY.server}__${CANARY.tool}`, actions: [CANARY] }
  const context = { agentTool: tool, rung: "agent", workspace: undefined, cwd: undefined, model: undefined } as const
  try {
    return decideHook(host, action, context)?.effect ?? "allow"
  } catch {
    return "allow"
  }
}

function placeOf(host: Host): Place | null {
  const owner = policyOwner(readSettings(host))
  if (owner === null) return null
  const headers = headersOf(owner.key, owner.enduser)
  return { endpoint: owner.endpoint, headers, timeoutMs: TIMEOUT_MS, isAwaited: true, now: host.now }
}

/** What was told of each tool's hook, and when. */
type Told = Readonly<Record<string, { readonly said: string; readonly at: number } | undefined>>

function toldFile(host: Host): string {
  return path.join(policyFolder(host), "told.json")
}

function readTold(host: Host): Told {
  try {
    return JSON.parse(readFileSync(toldFile(host), "utf8")) as Told
  } catch {
    return {}
  }
}
