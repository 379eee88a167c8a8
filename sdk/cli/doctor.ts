import * as fs from "node:fs"
import path from "node:path"
import { OTLP_JSON, toOtlpJson } from "../signal.ts"
import { changesOf, connectionOf, planOf } from "./connect/connect.ts"
import { PLANS } from "./connect/plans.ts"
import { targetOf } from "./flush.ts"
import { type Host, readSettings } from "./home.ts"
import { readPolicyStatus } from "./policy-command.ts"
import { readStatus } from "./status.ts"
import { VERSION } from "../version.ts"

export interface Check {
  readonly name: string
  /** `off` is nothing wrong: a tool that is not there, or not connected. */
  readonly result: "ok" | "warning" | "error" | "off"
  readonly detail: string
}

/** A clock that is off by more makes times on pages strange; by more than a day, Belay takes no signals. */
const SKEW_MS_MAX = 5 * 60_000
/** What waits for longer has something in its way. */
const WAITING_MS_MAX = 24 * 3_600_000

/** What works and what does not, with what to do about it. Asks the endpoint once; changes nothing. Never rejects. */
export async function examine(host: Host, belay: string): Promise<readonly Check[]> {
  return [
    { name: "belay", result: "ok", detail: `${VERSION} on Node ${process.version}` },
    ...(await checkEndpoint(host)),
    ...checkSpool(host),
    checkPolicy(host),
    ...Object.keys(PLANS).map((tool) => checkTool(tool, host, belay)),
  ]
}

async function checkEndpoint(host: Host): Promise<readonly Check[]> {
  const settings = readSettings(host)
  const name = "endpoint"
  let target: ReturnType<typeof targetOf>
  try {
    target = targetOf(settings)
  } catch {
    return [{ name, result: "error", detail: `${settings.endpoint} is not an address; connect a tool again` }]
  }
  if (target === null) return [{ name, result: "error", detail: "none is set; belay connect <tool> --endpoint --key" }]
  try {
    const response = await fetch(target.url, {
      method: "POST",
      // A request of nothing: it shows whether the key is good and stores nothing.
      body: toOtlpJson({ serviceName: "belay-doctor", serviceVersion: VERSION }, []),
      headers: { ...target.headers, "content-type": OTLP_JSON },
      signal: AbortSignal.timeout(target.timeoutMs),
    })
    await response.arrayBuffer()
    const date = Date.parse(response.headers.get("date") ?? "")
    const reached: Check = { name, result: "ok", detail: `${target.url} answers` }
    return [reached, checkKey(response.status), ...(Number.isNaN(date) ? [] : [checkClock(host.now() - date)])]
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const reason = cause instanceof Error ? cause.message : String(cause)
    return [{ name, result: "error", detail: `${target.url} does not answer: ${reason}` }]
  }
}

function checkKey(status: number): Check {
  const name = "key"
  if (status === 200) return { name, result: "ok", detail: "accepted" }
  if (status === 401 || status === 403) {
    return {
      name,
      result: "error",
      detail: `refused (HTTP ${status}); make one on Belay's page Connect and connect again`,
    }
  }
  return { name, result: "warning", detail: `not known: the endpoint answers HTTP ${status}` }
}

function checkClock(skewMs: number): Check {
  const name = "clock"
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) <= SKEW_MS_MAX) return { name, result: "ok", detail: `within ${seconds} s of the endpoint's` }
  return {
    name,
    result: "warning",
    detail: `${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} the endpoint's; set it right`,
  }
}

function checkSpool(host: Host): readonly Check[] {
  const { folder, items, bytes, oldestAt, dropped, flushed, failures } = readStatus(host)
  const checks: Check[] = []
  const name = "spool"
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    const probe = path.join(folder, `probe-${process.pid}`)
    fs.writeFileSync(probe, "")
    fs.rmSync(probe)
    const isOld = oldestAt !== null && host.now() - oldestAt > WAITING_MS_MAX
    const why = flushed.error === null ? "" : `, the last try: ${flushed.error}`
    const waiting = `${items} signals wait in ${bytes} bytes`
    checks.push({
      name,
      result: isOld ? "warning" : "ok",
      detail: isOld ? `${waiting}, some for more than a day${why}; belay flush` : waiting,
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    checks.push({ name, result: "error", detail: `cannot be written, so hooks keep nothing: ${reason}` })
  }
  if (dropped.full + dropped.corrupt > 0) {
    const detail = `${dropped.full} signals for want of room, ${dropped.corrupt} unreadable requests`
    checks.push({ name: "dropped", result: "warning", detail })
  }
  if (failures.count > 0) {
    const reasons = Object.entries(failures.reasons).map(([reason, count]) => `${reason} ${count}`)
    checks.push({ name: "hooks", result: "warning", detail: `failed ${failures.count} times: ${reasons.join(", ")}` })
  }
  return checks
}

/** What is asked for by hooks; after that long nobody answered. */
const POLICY_MS_MAX = 24 * 3_600_000

function checkPolicy(host: Host): Check {
  const name = "policy"
  const { isDeciding, version, problem, refusal, checkedAt } = readPolicyStatus(host)
  if (problem !== null) return { name, result: "error", detail: `on disk is not taken: ${problem}; belay policy pull` }
  if (version === null) {
    if (!isDeciding) return { name, result: "off", detail: "hooks do not decide; belay connect <tool> --policy" }
    const why = refusal === null ? "" : `, and what was answered was refused: ${refusal}`
    return { name, result: "warning", detail: `none is in force${why}; belay policy pull` }
  }
  const inForce = `version ${version} is in force`
  if (refusal !== null) return { name, result: "warning", detail: `${inForce}; a later answer was refused: ${refusal}` }
  const isOld = isDeciding && host.now() - (checkedAt ?? 0) > POLICY_MS_MAX
  if (isOld) return { name, result: "warning", detail: `${inForce}, not asked for since a day; belay policy pull` }
  return { name, result: "ok", detail: inForce }
}

function checkTool(tool: string, host: Host, belay: string): Check {
  try {
    // What the settings should be is told by the same plan that connect carries out.
    const settings = readSettings(host)
    const plan = planOf(
      tool,
      connectionOf({ endpoint: "http://none", key: "none", ...definedOf(settings) }, belay),
      host,
    )
    if (!fs.existsSync(plan.folder)) return { name: tool, result: "off", detail: "not found" }
    if (plan.changes.length === 0) return { name: tool, result: "off", detail: "set up by its environment alone" }
    const isConnected = plan.changes.some(({ file }) => fs.existsSync(file) && isNamed(file, settings.endpoint))
    const changes = changesOf(plan)
    if (changes.length === 0) return { name: tool, result: "ok", detail: "connected" }
    if (!isConnected) return { name: tool, result: "off", detail: `not connected; belay connect ${tool}` }
    const files = changes.map(({ file }) => file).join(", ")
    return {
      name: tool,
      result: "warning",
      detail: `settings differ in ${files}; belay connect ${tool} --dry-run shows how`,
    }
  } catch (error) {
    return { name: tool, result: "error", detail: error instanceof Error ? error.message : String(error) }
  }
}

function definedOf<Fields extends object>(fields: Fields): Partial<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Fields>
}

/** Whether a file speaks of Belay: of the endpoint, or of its hook. */
function isNamed(file: string, endpoint: string | undefined): boolean {
  const text = fs.readFileSync(file, "utf8")
  return /belay[^\n]* hook /.test(text) || (endpoint !== undefined && text.includes(endpoint))
}

const MARKS = { ok: "ok", warning: "warn", error: "FAIL", off: "-" } as const

export function checkLines(checks: readonly Check[]): readonly string[] {
  return checks.map(({ name, result, detail }) => `${MARKS[result].padEnd(5)} ${name.padEnd(15)} ${detail}`)
}
