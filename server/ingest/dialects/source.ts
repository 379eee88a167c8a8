import { branchDigestOf, toBranchAction } from "#sdk/branch.ts"
import { ATTR_ENDUSER_ID, ATTR_VCS_REPOSITORY_NAME } from "#sdk/semconv.ts"
import type { AttributeValue, Attributes, LogRecord, MetricPoint, Span } from "../otlp/types.ts"
import { type Identity, type Occurrence, type Signal, type SignalFields, toMicros, toSignal } from "../signal.ts"
import { digest, isFields, isList, readText, remembering, toErrorClass, toId, toName } from "./attributes.ts"
import { firstWord } from "./reading.ts"

/** What every dialect reads the same way: who acted, how long it took, and ids that a re-sent batch repeats. */

const ACCOUNT_KEYS = ["user.account_uuid", "user.account_id"] as const
const USER_KEYS = ["gen_ai.user.id", "enduser.pseudo.id", "ai.telemetry.metadata.userId", "user.name"] as const

/** What sources send when they do not know the person; as an identity it would be one busy developer. */
const PLACEHOLDERS: ReadonlySet<string> = new Set(["unknown", "anonymous", "none", "null", "undefined", "-"])
const isPlaceholder = remembering((value) => PLACEHOLDERS.has(value.toLowerCase()))

/**
 * The person or installation that the source says it acts for; null when it says nothing. What an administrator set
 * (`enduser.id`) goes before what the tool found, a person before an account, an account before an installation.
 * E-mail addresses are lower-cased, since sources differ. `userIdKind` is what the source means by `user.id`.
 */
export function identityOf(
  resource: Attributes,
  attributes: Attributes,
  userIdKind: "installation" | "user" = "user",
): Identity | null {
  const find = (...keys: readonly string[]): string | null => {
    for (const key of keys) {
      const value = readText(attributes, key) ?? readText(resource, key)
      if (value !== null && !isPlaceholder(value)) return value
    }
    return null
  }
  const endUser = find(ATTR_ENDUSER_ID)
  if (endUser !== null) return endUser.includes("@") ? toEmail(endUser) : { kind: "user", value: endUser }
  const email = find("user.email")
  if (email !== null) return toEmail(email)
  const account = find(...ACCOUNT_KEYS)
  if (account !== null) return { kind: "account", value: account }
  const user = find(...USER_KEYS)
  if (user !== null) return { kind: "user", value: user }
  const userId = find("user.id")
  if (userId !== null) return { kind: userIdKind, value: userId }
  const installation = find("installation.id")
  return installation === null ? null : { kind: "installation", value: installation }
}

const toEmail = remembering((value): Identity => ({ kind: "email", value: value.trim().toLowerCase() }))

/** `owner/name`, or the name alone where no owner is told. */
export function repositoryOf(resource: Attributes, attributes: Attributes): string | null {
  const name = toName(attributes.get(ATTR_VCS_REPOSITORY_NAME) ?? resource.get(ATTR_VCS_REPOSITORY_NAME))
  if (name === null || name.includes("/")) return name
  const owner = toName(attributes.get("vcs.owner.name") ?? resource.get("vcs.owner.name"))
  return owner === null ? name : (toName(`${owner}/${name}`) ?? name)
}

/**
 * That a session worked on a branch, of which a digest is kept. Nothing where it is not told which session or which
 * repository that was.
 */
export function toBranch(base: Omit<SignalFields, "kind" | "rung">, branch: string | null): readonly Signal[] {
  const { repository = null, sessionId = null } = base
  if (branch === null || sessionId === null || repository === null || !repository.includes("/")) return []
  const action = toBranchAction(branchDigestOf(digest, { repository, branch }))
  return [toSignal({ ...base, kind: "outcome", rung: "agent", action, sourceId: `${base.sourceId}:branch` })]
}

/** Values of `terminal.type` that are editors with a terminal in them. */
const IDE_TERMINALS =
  /^(vscode|vscodium|cursor|windsurf|trae|zed|antigravity|jetbrains|intellij|pycharm|webstorm|goland|rider|clion|phpstorm|rubymine|androidstudio)/i

export function isIdeTerminal(terminal: string | null): boolean {
  return terminal !== null && IDE_TERMINALS.test(terminal)
}

/** VS Code runs other vendors' agents in a host of its own and says so in the resource. */
export function isVsCodeAgentHost(resource: Attributes): boolean {
  return resource.get("service.namespace") === "vscode.agent-host"
}

export function durationMsOf(span: Span): number | null {
  return span.endUnixNano < span.startUnixNano ? null : toMs(span.endUnixNano - span.startUnixNano)
}

/** Milliseconds with microsecond precision. */
export function toMs(nanos: bigint): number {
  return toMicros(nanos) / 1000
}

/** Id of one span in all traces. */
export function spanKey(item: { readonly traceId: string; readonly spanId: string }): string {
  return `${item.traceId}:${item.spanId}`
}

const NO_TRACE = "0".repeat(32)

/** The trace that a log record was written in; null when it was written in none. */
export function traceOf(record: LogRecord): string | null {
  return record.traceId === "" || record.traceId === NO_TRACE ? null : record.traceId
}

/**
 * Id of a log record: its own ids when the source gives any (`own`), otherwise a digest of all that it says, so that
 * a re-sent batch has the same ids. Two records that say the same at the same nanosecond are one.
 */
export function recordKey(
  event: string,
  record: LogRecord,
  sessionId: string | null,
  own: string | number | null,
): string {
  if (own !== null) return `${event}:${record.timeUnixNano}:${sessionId ?? ""}:${toId(String(own)) ?? ""}`
  const content = [record.timeUnixNano, record.traceId, record.spanId, flatten(record.attributes), flatten(record.body)]
  return `${event}:${digest(content.join("\u0001"))}`
}

export function pointKey(point: MetricPoint): string {
  const content = [point.startUnixNano, point.timeUnixNano, flatten(point.attributes)]
  return `${point.metric}:${digest(content.join("\u0001"))}`
}

function flatten(value: AttributeValue): string {
  if (isFields(value)) return [...value].map(([key, item]) => `${key}=${flatten(item)}`).join("\u0002")
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64")
  return isList(value) ? value.map(flatten).join("\u0003") : String(value)
}

/**
 * The name of a log record's event: the attribute that most sources use, else the field made for it, else a body that
 * begins with `bodyPrefix`, as a body may as well be content. Empty when there is none.
 */
export function eventOf(record: LogRecord, bodyPrefix: string): string {
  const name = readText(record.attributes, "event.name") ?? record.eventName
  if (name !== "") return firstWord(name)
  return typeof record.body === "string" && record.body.startsWith(bodyPrefix) ? firstWord(record.body) : ""
}

export function toPrimary(id: string | null): Occurrence | null {
  return id === null ? null : { id, evidence: "primary" }
}

export function toSecondary(id: string | null): Occurrence | null {
  return id === null ? null : { id, evidence: "secondary" }
}

/** What some span of a trace says for all of them. */
export interface TraceContext {
  readonly sessionId: string | null
  readonly identity: Identity | null
}

const NO_CONTEXT: TraceContext = { sessionId: null, identity: null }

/**
 * The session and person of each trace in one batch: many sources name them on one span of a trace only. The result
 * answers for a span, whose own attributes come first.
 */
export function traceContextsOf(
  resource: Attributes,
  spans: readonly Span[],
  sessionKeys: readonly string[],
): (span: Span) => TraceContext {
  const own = (span: Span): TraceContext => ({
    sessionId: toId(readText(span.attributes, ...sessionKeys)),
    identity: identityOf(resource, span.attributes),
  })
  const contexts = new Map<string, TraceContext>()
  for (const span of spans) {
    const known = contexts.get(span.traceId) ?? NO_CONTEXT
    if (known.sessionId !== null && known.identity !== null) continue
    const { sessionId, identity } = own(span)
    contexts.set(span.traceId, { sessionId: known.sessionId ?? sessionId, identity: known.identity ?? identity })
  }
  return (span) => {
    const context = contexts.get(span.traceId) ?? NO_CONTEXT
    const { sessionId, identity } = own(span)
    return { sessionId: sessionId ?? context.sessionId, identity: identity ?? context.identity }
  }
}

/** The class of a span's failure: its `error.type`, else the type of a recorded exception; null when it did not fail. */
export function spanErrorOf(span: Span): string | null {
  if (span.statusCode !== 2) return null
  const named = toErrorClass(readText(span.attributes, "error.type"))
  if (named !== null) return named
  const exception = span.events.find((event) => event.name === "exception")
  return toErrorClass(exception?.attributes.get("exception.type")) ?? "other"
}

/** The agent tool and its version where the source is any program: the service's. */
export function serviceOf(resource: Attributes): { agentTool: string; agentVersion: string | null } {
  const name = toName(resource.get("service.name"))
  // What an OpenTelemetry SDK says when nobody named the service.
  const isNamed = name !== null && !name.startsWith("unknown_service")
  return { agentTool: isNamed ? name : "unknown", agentVersion: toName(resource.get("service.version")) }
}
