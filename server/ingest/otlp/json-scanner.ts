import { isUtf8 } from "node:buffer"
import { LateText, type Name, Texts } from "./texts.ts"
import { MalformedOtlp } from "./types.ts"

/** A value of the wrong kind; which one, the scanner knows. */
export class Misfit extends Error {
  override name = "Misfit"
}

/** Names of an object's fields that somebody asks for, in the order in which they are usually sent. */
export class Fields<Word extends string = never> {
  readonly words: readonly Word[]
  readonly names: readonly Name[]
  /** Which one probably comes next. */
  likely = 0

  constructor(...words: readonly Word[]) {
    this.words = words
    this.names = words.map(nameOf)
  }
}

/** Where a string is in the bytes, and whether it is there as it is. */
export interface Span {
  readonly at: number
  readonly length: number
  readonly isEscaped: boolean
}

/**
 * Reads JSON from its bytes in the order in which it stands there, and makes nothing but what it is asked for: what is
 * skipped is checked and no more. To make all of it with `JSON.parse` and then look at it takes over half as long again.
 *
 * Throws `MalformedOtlp` on what is not JSON, and `Misfit` when a value is not of the kind that was asked for.
 */
export class JsonScanner {
  readonly texts: Texts
  /** Where the value begins that was looked at last. */
  valueAt = 0
  high = 0
  low = 0
  readonly #bytes: Buffer
  #at = 0
  /** Just after the beginning of an object or list. */
  #isFirst = false

  constructor(body: Uint8Array) {
    if (!isUtf8(body)) throw new MalformedOtlp("the body is not valid UTF-8")
    this.texts = new Texts(body)
    this.#bytes = this.texts.bytes
    if (this.#bytes[0] === 0xef && this.#bytes[1] === 0xbb && this.#bytes[2] === 0xbf) this.#at = 3
  }

  isObject(): boolean {
    const first = this.#peek()
    if (first === undefined) throw notJson()
    return first === OPEN_OBJECT
  }

  /** Enters the object that comes next; false when null stands in its place, which is as good as nothing. */
  beginObject(): boolean {
    return this.#begin(OPEN_OBJECT, "not an object")
  }

  /** As `beginObject`, of a list. */
  beginList(): boolean {
    return this.#begin(OPEN_LIST, "not a list")
  }

  /** The next field of the object that was entered: "" when it is none of `fields`, null at the end. */
  field<Word extends string>(fields: Fields<Word>): Word | "" | null {
    const bytes = this.#bytes
    if (!this.#hasNext(CLOSE_OBJECT)) return null
    if (bytes[this.#at] !== QUOTE) throw notJson()
    const start = this.#at + 1
    const { words, names, likely } = fields
    let place = likely
    for (let tried = 0; tried < names.length; tried++, place++) {
      if (place >= names.length) place = 0
      const name = names[place]
      // The quote first: most names are told apart by their length.
      if (name === undefined || bytes[start + name.length] !== QUOTE) continue
      if (!this.texts.isAt(name, start, name.length)) continue
      fields.likely = place + 1
      this.#at = start + name.length + 1
      this.#skip(COLON)
      return words[place] ?? ""
    }
    const { at, length, isEscaped } = this.#string()
    this.#skip(COLON)
    if (!isEscaped) return ""
    const key = unescape(bytes, at, length)
    return words.find((word) => word === key) ?? ""
  }

  /** Whether the list that was entered has one more. */
  hasItem(): boolean {
    return this.#hasNext(CLOSE_LIST)
  }

  /** Whether the next value is null, which it then is past. */
  skipNull(): boolean {
    if (this.#peek() !== LETTER_N) return false
    this.#literal("null")
    return true
  }

  /**
   * Past the next value when it is `{"key":"…","value":{"stringValue":"…"}}` to the letter, as most of a request is, with
   * nothing escaped: where its two strings are. Null, and nothing is read, for any other.
   */
  textAttribute(): { readonly key: Span; readonly value: Span } | null {
    const { texts } = this
    const keyAt = this.#at + BEFORE_KEY.length
    if (!texts.isAt(BEFORE_KEY, this.#at, BEFORE_KEY.length)) return null
    const keyEnd = this.#plainEnd(keyAt)
    if (!texts.isAt(BEFORE_TEXT, keyEnd, BEFORE_TEXT.length)) return null
    const valueAt = keyEnd + BEFORE_TEXT.length
    const valueEnd = this.#plainEnd(valueAt)
    if (!texts.isAt(AFTER_TEXT, valueEnd, AFTER_TEXT.length)) return null
    this.#at = valueEnd + AFTER_TEXT.length
    return {
      key: { at: keyAt, length: keyEnd - keyAt, isEscaped: false },
      value: { at: valueAt, length: valueEnd - valueAt, isEscaped: false },
    }
  }

  /** Where a string ends that begins at a place, or where something in it is not what it stands for. */
  #plainEnd(start: number): number {
    const bytes = this.#bytes
    let at = start
    for (let byte = bytes[at] ?? 0; byte !== QUOTE && byte !== BACKSLASH && byte >= 0x20; byte = bytes[at] ?? 0) at++
    return at
  }

  /** Where the next string is; it is not made. */
  span(): Span {
    if (this.#peek() !== QUOTE) throw new Misfit("not a string")
    return this.#string()
  }

  unescaped({ at, length }: Span): string {
    return unescape(this.#bytes, at, length)
  }

  /** The string at a place that `span` told. A long one is only made when it is asked for. */
  late({ at, length, isEscaped }: Span): string | LateText {
    return isEscaped ? new LateText(this.#bytes, at, length, unescape) : this.texts.readLate(at, length)
  }

  text(): string {
    const { at, length, isEscaped } = this.span()
    return isEscaped ? unescape(this.#bytes, at, length) : this.texts.read(at, length)
  }

  /**
   * Whether the next value is a number or text of nothing but digits, `digitsMax` of them at most, which it then is past:
   * the last nine are in `low`, and those before in `high`.
   */
  digits(digitsMax: number): boolean {
    const bytes = this.#bytes
    const isText = this.#peek() === QUOTE
    const start = isText ? this.#at + 1 : this.#at
    let end = start
    while (isDigit(bytes[end])) end++
    const count = end - start
    if (count === 0 || count > digitsMax) return false
    const after = bytes[end]
    const isWhole = isText ? after === QUOTE : !isNumberPart(after) && (count === 1 || bytes[start] !== ZERO)
    if (!isWhole) return false
    const lowAt = Math.max(start, end - 9)
    let high = 0
    let low = 0
    for (let at = start; at < lowAt; at++) high = high * 10 + (bytes[at] ?? 0) - ZERO
    for (let at = lowAt; at < end; at++) low = low * 10 + (bytes[at] ?? 0) - ZERO
    this.#at = isText ? end + 1 : end
    this.high = high
    this.low = low
    return true
  }

  /** The next value; undefined, and nothing is read, when it is an object or a list. */
  scalar(): string | number | boolean | null | undefined {
    const first = this.#peek()
    if (first === QUOTE) return this.text()
    if (first === LETTER_N) return (this.#literal("null"), null)
    if (first === LETTER_T) return (this.#literal("true"), true)
    if (first === LETTER_F) return (this.#literal("false"), false)
    return first === OPEN_OBJECT || first === OPEN_LIST ? undefined : this.#number()
  }

  /** Past the next value. */
  skip(depth = 0): void {
    const first = this.#peek()
    if (first === QUOTE) this.#string()
    else if (first !== OPEN_OBJECT && first !== OPEN_LIST) this.scalar()
    else if (depth === SKIPPED_DEPTH_MAX) throw new MalformedOtlp(`nested deeper than ${SKIPPED_DEPTH_MAX}`)
    else if (first === OPEN_LIST) {
      this.beginList()
      while (this.hasItem()) this.skip(depth + 1)
    } else {
      this.beginObject()
      while (this.field(NO_FIELDS) !== null) this.skip(depth + 1)
    }
  }

  /** Nothing may follow but space. */
  end(): void {
    if (this.#peek() !== undefined) throw notJson()
  }

  /** The way from the body to the value that begins at a place: `resourceSpans[0].resource`. */
  static pathTo(body: Uint8Array, place: number): string {
    const scanner = new JsonScanner(body)
    let path = ""
    for (;;) {
      const first = scanner.#peek()
      if (scanner.#at >= place || (first !== OPEN_OBJECT && first !== OPEN_LIST)) return path
      path += first === OPEN_LIST ? scanner.#stepInList(place) : scanner.#stepInObject(place, path === "" ? "" : ".")
    }
  }

  /** Stops before the item that holds the place. */
  #stepInList(place: number): string {
    this.beginList()
    for (let index = 0; this.hasItem(); index++) {
      if (this.#isNextAt(place)) return `[${index}]`
    }
    return ""
  }

  #stepInObject(place: number, joint: string): string {
    this.beginObject()
    while (this.#hasNext(CLOSE_OBJECT)) {
      const { at, length } = this.#string()
      this.#skip(COLON)
      if (this.#isNextAt(place)) return joint + unescape(this.#bytes, at, length)
    }
    return ""
  }

  /** Whether the next value holds the place; skips it when not. What is wrong with it comes at the place or after. */
  #isNextAt(place: number): boolean {
    this.#peek()
    const before = this.#at
    try {
      this.skip()
    } catch {
      this.#at = before
      return true
    }
    if (this.#at <= place) return false
    this.#at = before
    return true
  }

  #begin(open: number, problem: string): boolean {
    const first = this.#peek()
    if (first === open) {
      this.#at++
      this.#isFirst = true
      return true
    }
    if (first === undefined) throw notJson()
    if (this.skipNull()) return false
    throw new Misfit(problem)
  }

  /** Whether one more field or item comes, which the scanner then stands before; else past what closes them. */
  #hasNext(close: number): boolean {
    const isFirst = this.#isFirst
    this.#isFirst = false
    const next = this.#space()
    if (next === close) {
      this.#at++
      return false
    }
    if (isFirst) return true
    if (next !== COMMA) throw notJson()
    this.#at++
    if (this.#space() === close) throw notJson()
    return true
  }

  /** The first byte of the next value. */
  #peek(): number | undefined {
    const first = this.#space()
    this.valueAt = this.#at
    return first
  }

  /** Past space; the byte after it. */
  #space(): number | undefined {
    let byte = this.#bytes[this.#at]
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = this.#bytes[++this.#at]
    return byte
  }

  #skip(byte: number): void {
    if (this.#space() !== byte) throw notJson()
    this.#at++
  }

  #literal(word: string): void {
    for (let index = 0; index < word.length; index++) {
      if (this.#bytes[this.#at++] !== word.charCodeAt(index)) throw notJson()
    }
  }

  #number(): number {
    const start = this.#at
    while (isNumberPart(this.#bytes[this.#at])) this.#at++
    const text = this.#bytes.toString("latin1", start, this.#at)
    if (!NUMBER.test(text)) throw notJson()
    return Number(text)
  }

  /** From its first quote past its last. */
  #string(): Span {
    const bytes = this.#bytes
    if (bytes[this.#at] !== QUOTE) throw notJson()
    const start = this.#at + 1
    let isEscaped = false
    let at = start
    for (at = this.#plainEnd(at); bytes[at] !== QUOTE; at = this.#plainEnd(at)) {
      if (bytes[at] !== BACKSLASH) throw notJson()
      isEscaped = true
      at += this.#escapeLength(at)
    }
    this.#at = at + 1
    return { at: start, length: at - start, isEscaped }
  }

  #escapeLength(at: number): number {
    const escaped = String.fromCharCode(this.#bytes[at + 1] ?? 0)
    if (escaped === "u" && FOUR_HEX.test(this.#bytes.toString("latin1", at + 2, at + 6))) return 6
    if (escaped === "u" || !SHORT_ESCAPES.includes(escaped)) throw notJson()
    return 2
  }
}

/** Of what is skipped; what is read has a limit of its own. */
const SKIPPED_DEPTH_MAX = 500

function nameOf(word: string): Name {
  const name = new Texts(Buffer.from(word)).nameAt(0, word.length)
  if (name === null) throw new Error(`${word} is too long to be recognized`)
  return name
}

// What stands around the two texts of an attribute.
const BEFORE_KEY = nameOf('{"key":"')
const BEFORE_TEXT = nameOf('","value":{"stringValue":"')
const AFTER_TEXT = nameOf('"}}')

const NO_FIELDS = new Fields()
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const FOUR_HEX = /^[0-9a-fA-F]{4}$/
const SHORT_ESCAPES = String.raw`"\/bfnrt`

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const LETTER_F = 0x66
const LETTER_N = 0x6e
const LETTER_T = 0x74
const ZERO = 0x30

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39
}

/** A digit, a sign, a point or the letter of an exponent. */
function isNumberPart(byte: number | undefined): boolean {
  return isDigit(byte) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45
}

/** The text of a string whose escapes are valid. */
function unescape(bytes: Buffer, at: number, length: number): string {
  return String(JSON.parse(bytes.toString("utf8", at - 1, at + length + 1)))
}

/** Says nothing of the body, which may hold content. */
function notJson(): MalformedOtlp {
  return new MalformedOtlp("the body is not valid JSON")
}
