import { ORIGINS, OUTCOMES, PATH_SCOPES, type Rung, RUNGS, SIGNAL_KINDS, SURFACES } from "../../ladder.ts"
import { toName } from "../../names.ts"
import * as semconv from "../../semconv.ts"
import type { Item } from "./read-items.ts"

/** Something that Belay would refuse, not understand, or that people would not want to see sent. */
export interface Finding {
  readonly severity: "error" | "warning"
  /** `belay.edit`, or a span's operation. */
  readonly where: string
  readonly problem: string
  readonly fix: string
  /** How often. */
  readonly count: number
}

export interface RungReport {
  readonly rung: Rung
  readonly signals: number
  readonly measured: readonly string[]
  /** Empty for a rung that was not used at all: nobody has to climb all of them. */
  readonly missing: readonly { readonly fact: string; readonly fix: string }[]
}

export interface Report {
  readonly items: number
  readonly rungs: readonly RungReport[]
  readonly findings: readonly Finding[]
}

const ATTRIBUTES: ReadonlySet<string> = new Set(
  Object.entries(semconv).flatMap(([name, value]) => (name.startsWith("ATTR_") ? [value] : [])),
)
const EVENTS: ReadonlySet<string> = new Set(SIGNAL_KINDS.map((kind) => semconv.EVENT_PREFIX + kind))

const WORDS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  [semconv.ATTR_BELAY_RUNG, RUNGS],
  [semconv.ATTR_BELAY_OUTCOME, OUTCOMES],
  [semconv.ATTR_BELAY_ORIGIN, ORIGINS],
  [semconv.ATTR_BELAY_SURFACE, SURFACES],
  [semconv.ATTR_BELAY_PATH_SCOPE, PATH_SCOPES],
])

/** Texts that are ids, which may look like anything, or the person. */
const NOT_NAMES: ReadonlySet<string> = new Set([
  semconv.ATTR_BELAY_SIGNAL_ID,
  semconv.ATTR_BELAY_OPERATION_ID,
  semconv.ATTR_BELAY_PARENT_OPERATION_ID,
  semconv.ATTR_SESSION_ID,
  semconv.ATTR_GEN_AI_CONVERSATION_ID,
  semconv.ATTR_GEN_AI_RESPONSE_ID,
  semconv.ATTR_GEN_AI_TOOL_CALL_ID,
  semconv.ATTR_ENDUSER_ID,
])

const FIGURE =
  /(?:_ms|_usd|lines_added|lines_removed|chars_added|files_changed|tool_calls|prompts|context\.files|_tokens|\.share|time_to_first_chunk)$/

/** What OpenTelemetry's conventions and common libraries put content into, when they are told to. */
const CONTENT =
  /^(?:gen_ai\.(?:input\.messages|output\.messages|system_instructions|prompt|completion|tool\.call\.(?:arguments|result)|tool\.definitions)|ai\.(?:prompt|response\.text|response\.toolCalls|toolCall\.(?:args|result)).*|exception\.(?:message|stacktrace)|prompt|completion|code|diff|path|file|file\.path|command|arguments|output)$/

const DECIDED: ReadonlySet<unknown> = new Set(["accepted", "modified", "rejected", "ignored"])
const OPERATIONS: ReadonlySet<string> = new Set([
  "belay.start",
  "belay.suggestion",
  "belay.turn",
  "belay.task",
  "belay.run",
])

const PAST_MS_MAX = 30 * 86_400_000
const FUTURE_MS_MAX = 86_400_000

/** Holds what was received against what Belay reads. Pure; `now` in milliseconds since the epoch. */
export function judge(items: readonly Item[], now: number): Report {
  const findings = new Map<string, Finding>()
  const find = (severity: Finding["severity"], item: Item, problem: string, fix: string) => {
    const where = whereOf(item)
    const key = `${where}\n${problem}`
    findings.set(key, { severity, where, problem, fix, count: (findings.get(key)?.count ?? 0) + 1 })
  }
  for (const item of items) {
    judgeContent(item, find)
    judgeSender(item, find)
    judgeTime(item, now, find)
    if (isBelays(item)) judgeSignal(item, find)
    else if (item.kind === "log") {
      const fix = `name events ${semconv.EVENT_PREFIX}<kind>; Belay drops others`
      find("warning", item, item.name === "" ? "a log without a name" : "an event that is not Belay's", fix)
    }
  }
  return {
    items: items.length,
    rungs: RUNGS.map((rung) => reportRung(rung, items)),
    findings: [...findings.values()].toSorted((a, b) => a.severity.localeCompare(b.severity) || b.count - a.count),
  }
}

type Find = (severity: Finding["severity"], item: Item, problem: string, fix: string) => void

function isBelays(item: Item): boolean {
  return item.kind === "log" && item.name.startsWith(semconv.EVENT_PREFIX)
}

/** The event when it is a name, and a word for what it is otherwise: a report is no place for content either. */
function whereOf({ kind, name, attributes }: Item): string {
  if (kind === "log") return toName(name) ?? "log"
  return toName(attributes.get(semconv.ATTR_GEN_AI_OPERATION_NAME)) ?? "span"
}

function judgeContent(item: Item, find: Find): void {
  for (const [key, value] of item.attributes) {
    const name = toName(key) ?? "an attribute whose name is no name"
    if (CONTENT.test(key)) {
      find("error", item, `content in ${name}`, "switch the capture of content off; Belay drops it, others may keep it")
    } else if (isBelays(item) && ATTRIBUTES.has(key) && isText(key) && typeof value === "string") {
      const isName = toName(value) !== undefined
      if (!isName)
        find("error", item, `${name} is no name`, "give a short name: no sentence, path, address, key or code")
    }
  }
  if (isBelays(item) && item.hasBody) find("error", item, "the record has a body", "leave it out; facts are attributes")
}

function isText(key: string): boolean {
  return !NOT_NAMES.has(key) && !FIGURE.test(key)
}

function judgeSender(item: Item, find: Find): void {
  if (!item.resource.has(semconv.ATTR_SERVICE_NAME)) {
    find("error", item, "the resource has no service.name", "set agent.name, or OTEL_SERVICE_NAME")
  }
  const isSomebodys = item.resource.has(semconv.ATTR_ENDUSER_ID) || item.attributes.has(semconv.ATTR_ENDUSER_ID)
  if (!isSomebodys) {
    find("warning", item, "the resource has no enduser.id", "set user; without it the signal counts for nobody")
  }
}

function judgeTime(item: Item, now: number, find: Find): void {
  if (item.time === null) find("warning", item, "there is no time", "set it; Belay takes the time of arrival instead")
  else if (item.time < now - PAST_MS_MAX) find("error", item, "the time is over 30 days ago", "Belay refuses it")
  else if (item.time > now + FUTURE_MS_MAX) find("error", item, "the time is over a day ahead", "Belay refuses it")
}

function judgeSignal(item: Item, find: Find): void {
  const { name, attributes } = item
  if (!EVENTS.has(name)) {
    find("error", item, "there is no such kind of signal", `kinds are ${SIGNAL_KINDS.join(", ")}`)
    return
  }
  if (!attributes.has(semconv.ATTR_BELAY_RUNG)) {
    find("error", item, "belay.rung is missing", `it is one of ${RUNGS.join(", ")}; without it Belay drops the signal`)
  }
  for (const [key, value] of attributes) {
    if (key.startsWith("belay.") && !ATTRIBUTES.has(key)) {
      find("error", item, `${toName(key) ?? "an attribute"} is not Belay's`, "see semconv.ts for the names there are")
    }
    const words = WORDS.get(key)
    if (words !== undefined && !words.includes(String(value))) {
      find("error", item, `${key} has no such word`, `it is one of ${words.join(", ")}`)
    }
    if (ATTRIBUTES.has(key) && FIGURE.test(key) && !(typeof value === "number" && value >= 0 && value < Infinity)) {
      find("error", item, `${key} is no number of zero or more`, "leave out what is not known")
    }
  }
  judgeIds(item, find)
  const outcome = attributes.get(semconv.ATTR_BELAY_OUTCOME)
  const isDecision = DECIDED.has(outcome) || name === "belay.permission" || name === "belay.mode_change"
  if (isDecision && !attributes.has(semconv.ATTR_BELAY_ORIGIN)) {
    find("error", item, "a decision has no belay.origin", `say who decided: ${ORIGINS.join(", ")}`)
  }
}

function judgeIds(item: Item, find: Find): void {
  const { name, attributes } = item
  if (!attributes.has(semconv.ATTR_BELAY_SIGNAL_ID)) {
    find(
      "error",
      item,
      "belay.signal_id is missing",
      "give each signal an id of its own, so that one sent twice counts once",
    )
  }
  if (OPERATIONS.has(name) && !attributes.has(semconv.ATTR_BELAY_OPERATION_ID)) {
    find(
      "error",
      item,
      "belay.operation_id is missing",
      "give one id to all signals of a suggestion, turn, task or run",
    )
  }
  if (!attributes.has(semconv.ATTR_SESSION_ID)) {
    find("warning", item, "session.id is missing", "pass sessionId, so that a conversation can be followed")
  }
}

interface Fact {
  readonly fact: string
  readonly isIn: (item: Item) => boolean
  readonly fix: string
}

const isKind =
  (...kinds: readonly string[]) =>
  ({ name }: Item) =>
    kinds.some((kind) => name === semconv.EVENT_PREFIX + kind)
const withAll =
  (isRight: (item: Item) => boolean, ...keys: readonly string[]) =>
  (item: Item) =>
    isRight(item) && keys.every((key) => item.attributes.has(key))
const isDecided = ({ attributes }: Item) => DECIDED.has(attributes.get(semconv.ATTR_BELAY_OUTCOME))

/** What each rung's figures are made of. */
const FACTS: Readonly<Record<Rung, readonly Fact[]>> = {
  autocomplete: [
    {
      fact: "what became of suggestions",
      isIn: (item) => isKind("suggestion")(item) && isDecided(item),
      fix: "call accepted(), rejected() or ignored()",
    },
    {
      fact: "latency",
      isIn: withAll(isKind("suggestion"), semconv.ATTR_BELAY_LATENCY_MS),
      fix: "call shown() when the person sees it",
    },
    {
      fact: "lines",
      isIn: withAll(isKind("suggestion"), semconv.ATTR_BELAY_LINES_ADDED),
      fix: "pass lines to accepted()",
    },
    {
      fact: "model",
      isIn: withAll(isKind("suggestion"), semconv.ATTR_GEN_AI_REQUEST_MODEL),
      fix: "pass model to suggest()",
    },
    {
      fact: "language",
      isIn: withAll(isKind("suggestion"), semconv.ATTR_BELAY_LANGUAGE),
      fix: "pass language to suggest()",
    },
    {
      fact: "survival",
      isIn: withAll(isKind("outcome"), semconv.ATTR_BELAY_SURVIVAL_SHARE),
      fix: "call survived() later",
    },
  ],
  chat: [
    { fact: "turns", isIn: isKind("turn"), fix: "begin one with chat.turn()" },
    { fact: "latency", isIn: withAll(isKind("turn"), semconv.ATTR_BELAY_LATENCY_MS), fix: "call firstToken()" },
    {
      fact: "tokens",
      isIn: withAll(isKind("turn", "model_call"), semconv.ATTR_GEN_AI_USAGE_INPUT_TOKENS),
      fix: "pass inputTokens and outputTokens to answered()",
    },
    {
      fact: "what became of answers",
      isIn: isKind("edit", "outcome"),
      fix: "call copied(), applied(), followedUp() or ignored()",
    },
  ],
  agent: [
    {
      fact: "outcomes of tasks",
      isIn: withAll(isKind("task"), semconv.ATTR_BELAY_OUTCOME),
      fix: "call finish() with what became of it",
    },
    { fact: "model calls", isIn: isKind("model_call"), fix: "call model() after each" },
    {
      fact: "tokens",
      isIn: withAll(isKind("model_call"), semconv.ATTR_GEN_AI_USAGE_INPUT_TOKENS),
      fix: "pass inputTokens and outputTokens to model()",
    },
    { fact: "tools", isIn: isKind("tool_call"), fix: "call tool() after each" },
    { fact: "edits", isIn: isKind("edit"), fix: "call edit() for each file" },
    {
      fact: "where edits lie",
      isIn: withAll(isKind("edit"), semconv.ATTR_BELAY_PATH_SCOPE),
      fix: "pass workspace to task()",
    },
    {
      fact: "questions to the person, and the wait",
      isIn: withAll(isKind("permission"), semconv.ATTR_BELAY_WAIT_MS),
      fix: "call prompt() when you ask, and what was answered",
    },
  ],
  orchestration: [
    {
      fact: "outcomes of runs",
      isIn: withAll(isKind("run"), semconv.ATTR_BELAY_OUTCOME),
      fix: "call finish() with what became of it",
    },
    {
      fact: "what agents were given",
      isIn: withAll(isKind("task"), semconv.ATTR_BELAY_PARENT_OPERATION_ID),
      fix: "begin their tasks with spawn()",
    },
    {
      fact: "merges",
      isIn: (item) => isKind("outcome")(item) && item.attributes.get(semconv.ATTR_BELAY_OUTCOME) === "merged",
      fix: "call merge()",
    },
  ],
}

/** A span that follows the GenAI conventions is a signal to Belay too. */
const SPANS: ReadonlyMap<unknown, string> = new Map([
  ["invoke_agent", "belay.task"],
  ["chat", "belay.model_call"],
  ["execute_tool", "belay.tool_call"],
])

function reportRung(rung: Rung, items: readonly Item[]): RungReport {
  const own = items.flatMap((item) => {
    if (item.kind === "log") return item.attributes.get(semconv.ATTR_BELAY_RUNG) === rung ? [item] : []
    const name = SPANS.get(item.attributes.get(semconv.ATTR_GEN_AI_OPERATION_NAME))
    // Spans of this package repeat its events.
    return rung === "agent" && name !== undefined && item.scope !== semconv.SCOPE_NAME ? [{ ...item, name }] : []
  })
  const facts = FACTS[rung].map(({ fact, isIn, fix }) => ({ fact, fix, isMeasured: own.some(isIn) }))
  const missing = facts.filter(({ isMeasured }) => !isMeasured).map(({ fact, fix }) => ({ fact, fix }))
  return {
    rung,
    signals: own.length,
    measured: facts.filter(({ isMeasured }) => isMeasured).map(({ fact }) => fact),
    missing: own.length === 0 ? [] : missing,
  }
}

export function reportLines({ items, rungs, findings }: Report): readonly string[] {
  const lines = [`${items} log records and spans received`]
  for (const { rung, signals, measured, missing } of rungs) {
    lines.push("", `${rung}: ${signals === 0 ? "not used" : `${signals} signals`}`)
    lines.push(...measured.map((fact) => `  measured  ${fact}`))
    lines.push(...missing.map(({ fact, fix }) => `  missing   ${fact}: ${fix}`))
  }
  if (findings.length > 0) lines.push("")
  for (const { severity, where, problem, fix, count } of findings) {
    lines.push(`${severity.padEnd(8)} ${where}: ${problem} (${count}×); ${fix}`)
  }
  const errors = findings.filter(({ severity }) => severity === "error").length
  lines.push("", errors === 0 ? "Nothing is wrong." : `${errors} ${errors === 1 ? "thing is" : "things are"} wrong.`)
  return lines
}
