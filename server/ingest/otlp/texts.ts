import { isUtf8 } from "node:buffer"
import { type AttributeValue, MalformedOtlp } from "./types.ts"

/**
 * Texts out of a request's bytes. Most of them are names that every request says again and again: they are looked up by
 * their bytes, four at a time, and the string made of them once is given again.
 */
export class Texts {
  readonly bytes: Buffer
  readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The text of `length` bytes from `at` on, which have to be there. Throws `MalformedOtlp` when it is not UTF-8. */
  read(at: number, length: number): string {
    if (length > REPEATED_BYTES_MAX) return this.#decode(at, length)
    const { view } = this
    let hash = length
    let seen = 0
    const last = at + length - 4
    for (let word = at; word < last; word += 4) {
      const four = view.getInt32(word, true)
      seen |= four
      hash = Math.imul(hash ^ four, MIX)
      hash ^= hash >>> 15
    }
    const tail = this.#lastWord(at, length)
    if (((seen | tail) & NOT_ASCII) !== 0) return this.#decode(at, length)
    const slot = Math.imul(hash ^ tail, MIX) >>> SLOT_SHIFT
    const words = slot * SLOT_WORDS
    if (REPEATED_LENGTHS[slot] === length && this.#holds(at, length, REPEATED_WORDS, words)) {
      return (REPEATED[slot] ??= this.bytes.toString("latin1", at, at + length))
    }
    REPEATED_LENGTHS[slot] = length
    this.#copyWords(at, length, REPEATED_WORDS, words)
    REPEATED[slot] = undefined
    return this.bytes.toString("latin1", at, at + length)
  }

  /** As `read`, but a long text, which may be a whole prompt, is only checked, and made when somebody asks for it. */
  readLate(at: number, length: number): string | LateText {
    if (length <= REPEATED_BYTES_MAX) return this.read(at, length)
    if (!isUtf8(this.bytes.subarray(at, at + length))) throw new MalformedOtlp(NOT_UTF8)
    return new LateText(this.bytes, at, length)
  }

  /** A name to recognize again with `isAt`; null when it is too long for that. */
  nameAt(at: number, length: number): Name | null {
    if (length > REPEATED_BYTES_MAX) return null
    const words = new Int32Array(Math.max(1, (length + 3) >> 2))
    this.#copyWords(at, length, words, 0)
    return { length, words }
  }

  isAt(name: Name, at: number, length: number): boolean {
    return name.length === length && at + length <= this.bytes.length && this.#holds(at, length, name.words, 0)
  }

  #holds(at: number, length: number, words: Int32Array, from: number): boolean {
    const last = at + length - 4
    let index = from
    for (let word = at; word < last; word += 4) if (this.view.getInt32(word, true) !== words[index++]) return false
    return this.#lastWord(at, length) === words[index]
  }

  #copyWords(at: number, length: number, words: Int32Array, from: number): void {
    const last = at + length - 4
    let index = from
    for (let word = at; word < last; word += 4) words[index++] = this.view.getInt32(word, true)
    words[index] = this.#lastWord(at, length)
  }

  /** The last four bytes, which overlap the word before, so that none beyond the text is read. */
  #lastWord(at: number, length: number): number {
    if (length >= 4) return this.view.getInt32(at + length - 4, true)
    let word = 0
    for (let index = 0; index < length; index++) word = (word << 8) | (this.bytes[at + index] ?? 0)
    return word
  }

  #decode(at: number, length: number): string {
    try {
      return utf8.decode(this.bytes.subarray(at, at + length))
    } catch {
      throw new MalformedOtlp(NOT_UTF8)
    }
  }
}

/** The bytes of a name, four to a word. */
export interface Name {
  readonly length: number
  readonly words: Int32Array
}

/** A text that is valid and still in the request's bytes. */
export class LateText {
  readonly #bytes: Buffer
  readonly #at: number
  readonly #length: number
  readonly #make: (bytes: Buffer, at: number, length: number) => string

  constructor(bytes: Buffer, at: number, length: number, make = fromUtf8) {
    this.#bytes = bytes
    this.#at = at
    this.#length = length
    this.#make = make
  }

  read(): string {
    return this.#make(this.#bytes, this.#at, this.#length)
  }
}

function fromUtf8(bytes: Buffer, at: number, length: number): string {
  return bytes.toString("utf8", at, at + length)
}

/** A value as it was sent, in which a long text is not made yet. */
export type SentValue = AttributeValue | LateText

const NOT_UTF8 = "a string is not valid UTF-8"
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const REPEATED_BYTES_MAX = 48
const SLOT_WORDS = REPEATED_BYTES_MAX / 4
const SLOT_BITS = 12
const SLOT_SHIFT = 32 - SLOT_BITS
/**
 * Over all requests; a later text takes the place of an earlier one with its hash. The string is kept from the second
 * time on, since most of what comes once are ids, which would only grow old here.
 */
const REPEATED: (string | undefined)[] = Array.from({ length: 1 << SLOT_BITS })
const REPEATED_LENGTHS = new Uint8Array(1 << SLOT_BITS)
const REPEATED_WORDS = new Int32Array((1 << SLOT_BITS) * SLOT_WORDS)

/** An odd number whose bits look random, as multiplicative hashing wants it. */
const MIX = 0x9e3779b1
const NOT_ASCII = 0x80808080 | 0
