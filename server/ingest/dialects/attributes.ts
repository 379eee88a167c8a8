import { hash } from "node:crypto"
import type { AttributeValue, Attributes } from "../otlp/types.ts"

/**
 * Readers over attributes, and the sanitizers that keep content out: every text that a dialect puts in a signal has
 * passed one of them. A sanitizer answers null (or a digest, or a fixed word) instead of the text it does not trust.
 */

/** The first of `keys` that holds text; null when none does. */
export function readText(attributes: Attributes, ...keys: readonly string[]): string | null {
  for (const key of keys) {
    const value = attributes.get(key)
    if (typeof value === "string" && value !== "") return value
  }
  return null
}

const NUMERIC = /^\d+(\.\d+)?([eE][+-]?\d+)?$/

/**
 * The first of `keys` that holds a finite number of zero or more; null when none does. Many sources send figures as
 * text ("481"), so numeric text counts. No figure that Belay stores can be negative.
 */
export function readNumber(attributes: Attributes, ...keys: readonly string[]): number | null {
  for (const key of keys) {
    const value = attributes.get(key)
    const number = typeof value === "string" && NUMERIC.test(value) ? Number(value) : value
    if (typeof number === "number" && number >= 0 && number < Infinity) return number
  }
  return null
}

/** As `readNumber`, rounded: tokens, lines, calls. */
export function readCount(attributes: Attributes, ...keys: readonly string[]): number | null {
  const number = readNumber(attributes, ...keys)
  return number === null || number > Number.MAX_SAFE_INTEGER ? null : Math.round(number)
}

/** A boolean, or the text "true" or "false"; null for anything else. */
export function readBoolean(attributes: Attributes, key: string): boolean | null {
  const value = attributes.get(key)
  if (value === true || value === "true") return true
  if (value === false || value === "false") return false
  return null
}

const NO_FIELDS: Attributes = new Map()

/**
 * The fields of a value that is a record: a key-value list, or JSON text of an object, as sources use both for the
 * same attribute. Empty for anything else.
 */
export function readFields(value: AttributeValue | undefined): Attributes {
  if (typeof value === "string") return value.startsWith("{") ? parseFields(value) : NO_FIELDS
  return isFields(value) ? value : NO_FIELDS
}

export function isFields(value: AttributeValue | undefined): value is Attributes {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

export function isList(value: AttributeValue | undefined): value is readonly AttributeValue[] {
  return Array.isArray(value)
}

function parseFields(json: string): Attributes {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch {
    return NO_FIELDS // cut or redacted by the source
  }
  if (typeof parsed !== "object" || parsed === null) return NO_FIELDS
  return new Map(Object.entries(parsed).map(([key, value]) => [key, toScalars(value)]))
}

/** A scalar or a list of scalars; what is nested deeper is of no use to any reader, and has no end. */
function toScalars(value: unknown): AttributeValue {
  return Array.isArray(value) ? value.map(toScalar) : toScalar(value)
}

function toScalar(value: unknown): AttributeValue {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null
}

/** Answers that are remembered, which are all forgotten together. */
const REMEMBERED_MAX = 1000

/** `answer`, which depends on nothing but the text, asked once for a text that comes again with every item. */
export function remembering<Answer>(answer: (text: string) => Answer): (text: string) => Answer {
  const answers = new Map<string, Answer>()
  return (text) => {
    const known = answers.get(text)
    if (known !== undefined) return known
    const fresh = answer(text)
    if (answers.size >= REMEMBERED_MAX) answers.clear()
    answers.set(text, fresh)
    return fresh
  }
}

const MAX_NAME = 80
/** At most four words: a name may have a few ("Visual Basic .NET"), a sentence has more. */
const NAME = /^[A-Za-z0-9_.:/@+#()-]+(?: [A-Za-z0-9_.:/@+#()-]+){0,3}$/
/** An absolute, home or dotted path, a drive letter, or a URL; `vendor/model` and `server/tool` are none of these. */
const PATH = /(?:^|[^A-Za-z0-9_.)-])\/|\/$|(?:^|[ /])\.{1,2}\/|(?:^|[^A-Za-z0-9])[A-Za-z]:/
const EMAIL = /@[^ /@]*\.[A-Za-z]/

/**
 * A name of a model, tool, mode, provider, language, repository or version; null when the value could be anything
 * else: too long, a sentence, punctuation that code has, a path, a URL or an e-mail address.
 */
export function toName(value: AttributeValue | undefined): string | null {
  if (typeof value !== "string" || value.length > MAX_NAME) return null
  return isName(value) ? value : null
}

const isName = remembering((text) => NAME.test(text) && !PATH.test(text) && !EMAIL.test(text))

/** `feedback:good`: what was said about an outcome, by its kind alone when the word for it is no name. */
export function toLabel(kind: string, value: AttributeValue | undefined): string {
  const name = toName(value)
  return (name === null ? null : toName(`${kind}:${name}`)) ?? kind
}

/** As a policy's documents name their rules, and decisions the bounds of their sections: `models.allowed`. */
const RULE_ID = /^[a-z0-9][a-z0-9_-]{0,79}$|^(?:models|autonomy|review|budgets)(?:\.[A-Za-z0-9][A-Za-z0-9_-]{0,79})?$/

/** The id of a policy's rule; null when the value cannot be one. */
export function toRuleId(value: AttributeValue | undefined): string | null {
  return typeof value === "string" && RULE_ID.test(value) ? value : null
}

const MAX_ERROR = 40
const ERROR_CLASS = /^[A-Za-z][A-Za-z0-9_.:-]*$/

/** A class of failure such as `QuotaError`; "other" when the value is not one, null when there is no value. */
export function toErrorClass(value: AttributeValue | undefined): string | null {
  if (value === undefined || value === null || value === "") return null
  return typeof value === "string" && value.length <= MAX_ERROR && ERROR_CLASS.test(value) ? value : "other"
}

/** The class of an HTTP failure, `http_529`; null when the status is not one of failure. */
export function toHttpError(status: number | null): string | null {
  return status !== null && Number.isInteger(status) && status >= 400 && status < 600 ? `http_${status}` : null
}

const ID = /^[A-Za-z0-9_.:@#-]{1,64}$/

/** An id as it is when it can only be one, otherwise a digest of it, so that equal ids stay equal. Null when empty. */
export function toId(value: string | null): string | null {
  if (value === null || value === "") return null
  return ID.test(value) && !(value.includes("@") && EMAIL.test(value)) ? value : digest(value)
}

/** 32 hex digits that stand for `text`. */
export function digest(text: string): string {
  return hash("sha256", text, "hex").slice(0, 32)
}

/** Longer than any name of a server and a tool that passes `toName`. */
const MAX_TOOL = 2 * MAX_NAME
const MCP_TOOL = /^mcp__(.+?)__(.+)$/

/**
 * The content-free name of a tool's use: the tool, or `server/tool` for one of an MCP server. The spelling
 * `mcp__server__tool` is read as such. Null when the tool's name does not pass `toName`.
 */
export function toAction(tool: string | null, server: string | null = null): string | null {
  if (tool === null || tool.length > MAX_TOOL) return null
  const [, mcpServer, mcpTool] = MCP_TOOL.exec(tool) ?? []
  if (mcpServer !== undefined && mcpTool !== undefined) return toName(`${mcpServer}/${mcpTool}`)
  const name = toName(tool)
  if (name === null || server === null) return name
  return toName(`${server}/${name}`) ?? name
}
