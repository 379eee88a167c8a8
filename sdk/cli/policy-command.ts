import { parseArgs } from "node:util"
import type { PolicyKey } from "../policy/envelope.ts"
import { headersOf } from "../policy/exchange.ts"
import { parsePolicyKeys } from "../policy/keys.ts"
import { forgetPolicy, readNote, type Unavailable } from "../policy/note.ts"
import { ask } from "../policy/transport.ts"
import { type Host, policyFilesOf, readSettings } from "./home.ts"
import { explainCommand, openStoredPolicy } from "./hook/decide.ts"
import { print } from "./print.ts"
import { pullPolicy, type Refreshed } from "./refresh-policy.ts"

/** `belay policy status|pull|test`. Resolves to the exit code; rejects with what went wrong in words for the person. */
export async function runPolicy(args: readonly string[], host: Host): Promise<number> {
  const [what = "", ...rest] = args
  switch (what) {
    case "status": {
      const { values } = parseArgs({ args: rest, options: { json: { type: "boolean" } } })
      const status = readPolicyStatus(host)
      print(values.json === true ? [JSON.stringify(status)] : policyLines(status))
      return status.problem === null ? 0 : 1
    }
    case "pull": {
      const { values } = parseArgs({ args: rest, options: { "trust-anew": { type: "boolean" } } })
      const files = policyFilesOf(host, readSettings(host))
      if (values["trust-anew"] === true && files !== null) forgetPolicy(files)
      const pulled = await pullPolicy(host)
      if (pulled === null) throw new Error("no endpoint or key is set; belay connect <tool> --endpoint --key")
      print([pulledLine(pulled)])
      return pulled.fetched.result === "in_force" ? 0 : 1
    }
    case "test":
      return testCommand(rest, host)
    default:
      throw new Error("belay policy status, belay policy pull or belay policy test <command>")
  }
}

/** What came of asking, in words for the person. */
export function pulledLine({ fetched, keeper }: Refreshed): string {
  const version = keeper.inForce()?.signed.bundle.version
  const stays = version === undefined ? "none is in force" : `version ${version} stays in force`
  switch (fetched.result) {
    case "in_force":
      return `version ${version} is in force`
    case "no_policy":
      return `nothing is published that binds this person; ${stays}`
    case "refused":
      return `what was answered is not taken (${fetched.reason}); ${stays}`
    case "unanswered":
      return `not asked for (${fetched.why}); ${stays}`
  }
}

/** Which policy hooks go by, and where it came from. */
export interface PolicyStatus {
  /** Whether `belay connect` was told that hooks decide. */
  readonly isDeciding: boolean
  readonly version: number | null
  readonly organization: string | null
  /** The person whom it binds; null for everyone. */
  readonly subject: string | null
  readonly teams: readonly string[]
  /** In ISO 8601. */
  readonly issuedAt: string | null
  readonly layers: readonly { readonly layer: string; readonly version: number }[]
  readonly endpoint: string | null
  readonly file: string | null
  readonly areKeysPinned: boolean
  /** Milliseconds since the epoch; null for never. */
  readonly checkedAt: number | null
  /** Why the last answer was not taken; null when it was. */
  readonly refusal: string | null
  /** Why what is on disk is not taken; null when it is, or nothing is there. */
  readonly problem: string | null
  /** What holds per action without a policy; null when none was ever in force. */
  readonly unavailable: Unavailable | null
}

/** Never throws. */
export function readPolicyStatus(host: Host): PolicyStatus {
  const settings = readSettings(host)
  const files = policyFilesOf(host, settings)
  const keeper = openStoredPolicy(host, settings)
  const signed = keeper?.inForce()?.signed
  const note = files === null ? null : readNote(files)
  return {
    isDeciding: settings.isDeciding === true,
    version: signed?.bundle.version ?? null,
    organization: signed?.organization ?? null,
    subject: signed?.subject ?? null,
    teams: signed?.teams ?? [],
    issuedAt: signed?.issuedAt ?? null,
    layers: signed?.bundle.layers.map(({ layer, version }) => ({ layer, version })) ?? [],
    endpoint: settings.endpoint ?? null,
    file: files?.policy ?? null,
    areKeysPinned: settings.policyKeys !== undefined,
    checkedAt: note === null || note.checkedAt === 0 ? null : note.checkedAt,
    refusal: note?.refusal ?? null,
    problem: keeper?.problem ?? null,
    unavailable: keeper?.unavailable() ?? null,
  }
}

export function policyLines(status: PolicyStatus): readonly string[] {
  const { version, layers, problem, refusal, checkedAt } = status
  const made = layers.map(({ layer, version: of }) => `${layer} ${of}`).join(", ")
  return [
    `policy     ${version === null ? "none is in force" : `version ${version}, signed ${status.issuedAt} (${made})`}`,
    `binds      ${status.subject === null ? "everyone about whom nothing is known" : `${status.subject}, teams: ${status.teams.join(", ") || "none"}`}`,
    `hooks      ${status.isDeciding ? "decide" : "do not decide; belay connect <tool> --policy"}`,
    `from       ${status.endpoint ?? "nowhere; belay connect <tool> --endpoint --key"}`,
    `keys       ${status.areKeysPinned ? "pinned" : "believed when they were first asked for"}`,
    `kept       ${status.file ?? "nowhere"}${problem === null ? "" : `, not taken: ${problem}; belay policy pull`}`,
    `asked      ${checkedAt === null ? "never" : new Date(checkedAt).toISOString()}${refusal === null ? "" : `, refused: ${refusal}`}`,
    `without    ${
      Object.entries(status.unavailable ?? {})
        .map(([action, said]) => `${action} ${said}`)
        .join(", ") || "ask"
    }`,
  ]
}

function testCommand(args: readonly string[], host: Host): number {
  const isJson = args[0] === "--json"
  const command = args.slice(isJson ? 1 : 0).join(" ")
  if (command === "") throw new Error("belay policy test <command>")
  const inForce = openStoredPolicy(host, readSettings(host))?.inForce() ?? null
  if (inForce === null) throw new Error("no policy is in force here; belay policy pull")
  const explained = explainCommand(host, inForce, command)
  if (isJson) {
    print([JSON.stringify(explained)])
    return 0
  }
  const { effect, because, ruleId, layer, reason, owner } = explained.decision
  print([
    `${effect} because ${because}${ruleId === null ? "" : ` ${ruleId}`}${layer === null ? "" : `, ${layer}`}, version ${inForce.signed.bundle.version}`,
    ...(reason === null ? [] : [`  ${reason}`]),
    ...(owner === null ? [] : [`  ${owner} answers for it`]),
    ...explained.doubts.map((doubt) => `  not seen: ${doubt}`),
    ...explained.parts.flatMap(({ action, subject, decision, rules }) => [
      `${action} ${subject}: ${decision === null ? "nothing is said" : decision.effect}`,
      ...rules
        .filter(({ standing }) => standing !== "no_match")
        .map((rule) => `  ${rule.layer} ${rule.ruleId}: ${rule.effect}, ${rule.standing}`),
    ]),
  ])
  return 0
}

/** Throws for what are no keys, in words for the person. */
export function readGivenKeys(text: string): readonly PolicyKey[] {
  const keys = parsePolicyKeys(text)
  if (keys === null) throw new Error("--policy-keys has to be id:key,id:key, each key 43 letters of base64url")
  return keys
}

const TIMEOUT_MS = 5000

/** Whether the key has `policy:read`; undefined when that cannot be found out, so that all stays as it was. */
export async function mayReadPolicy(
  given: { readonly endpoint?: string | undefined; readonly key?: string | undefined },
  host: Host,
): Promise<boolean | undefined> {
  const kept = readSettings(host)
  const [endpoint, key] = [given.endpoint ?? kept.endpoint, given.key ?? kept.key]
  if (endpoint === undefined || key === undefined) return undefined
  try {
    const place = {
      endpoint,
      headers: headersOf(key, undefined),
      timeoutMs: TIMEOUT_MS,
      isAwaited: true,
      now: host.now,
    }
    const { status } = await ask(place, { method: "GET", path: "/v1/policy/keys" })
    return status === 200 ? true : status === 403 ? false : undefined
  } catch {
    return undefined
  }
}
