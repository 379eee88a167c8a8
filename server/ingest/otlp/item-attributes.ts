import { LateText, type Name, type SentValue, type Texts } from "./texts.ts"
import type { AttributeValue, Attributes } from "./types.ts"

/**
 * The attributes of one span, record or resource: its keys are a `Shape`, which it shares with all that have the same
 * ones in the same order, and its own are only the values.
 *
 * A source writes the same keys in the same order over and over, so the next key of an item is almost always the one
 * that came after the same keys before: comparing its bytes is all the reading it needs, and where a key's value is has
 * been worked out for an item before.
 */
export class ItemAttributes implements Attributes {
  #shape: Shape = Shape.ofNoKeys()
  readonly #values: SentValue[] = []
  /** What comes after `SHAPE_KEYS_MAX` keys. */
  #more: Map<string, SentValue> | null = null

  get size(): number {
    return this.#shape.size + (this.#more?.size ?? 0)
  }

  get(key: string): AttributeValue | undefined {
    const position = this.#shape.positionOf(key)
    if (position !== undefined) return this.#valueAt(position)
    const value = this.#more?.get(key)
    return value === undefined ? undefined : made(value)
  }

  has(key: string): boolean {
    return this.#shape.positionOf(key) !== undefined || this.#more?.has(key) === true
  }

  *[Symbol.iterator](): Generator<[string, AttributeValue], undefined> {
    for (const [position, key] of this.#shape.keys().entries()) yield [key, this.#valueAt(position)]
    for (const [key, value] of this.#more ?? []) yield [key, made(value)]
  }

  /** Adds a value under the key whose bytes are at a place in the request; the last value of a key counts. */
  add(texts: Texts, keyAt: number, keyLength: number, value: SentValue): void {
    const { likely } = this.#shape
    if (likely !== null && likely.name !== null && texts.isAt(likely.name, keyAt, keyLength)) {
      this.#shape = likely
      this.#values.push(value)
      return
    }
    if (this.size >= KEPT_MAX) return
    const key = texts.read(keyAt, keyLength)
    const next = this.#shape.followerOf(key)
    const known = next === undefined ? this.#shape.placeOf(key) : -1
    if (known !== -1) this.#values[known] = value
    else if (this.#shape.size < SHAPE_KEYS_MAX) {
      this.#shape = next ?? this.#shape.followedBy(key, texts.nameAt(keyAt, keyLength))
      this.#values.push(value)
    } else (this.#more ??= new Map()).set(key, value)
  }

  #valueAt(position: number): AttributeValue {
    return (this.#values[position] = made(this.#values[position] ?? null))
  }
}

function made(value: SentValue): AttributeValue {
  return value instanceof LateText ? value.read() : value
}

/** Past these no more are kept: an item with half as many is refused, and a body may hold a hundred thousand. */
const KEPT_MAX = 1024
/** Keys of one shape; an item with more is rare, and comparing it with others takes long. */
const SHAPE_KEYS_MAX = 64
/** Shapes that are remembered, over all requests, before they are forgotten together. */
const SHAPES_MAX = 4096

/** Keys in an order: a chain from this one, the last, to the first. */
class Shape {
  static #ofNoKeys = new Shape(null, "", null, { shapes: 0 })

  readonly size: number
  /** The bytes of its last key; null of a key too long to be compared, and where there is none. */
  readonly name: Name | null
  /** The one that followed last. */
  likely: Shape | null = null
  readonly #key: string
  readonly #before: Shape | null
  readonly #remembered: { shapes: number }
  readonly #isKept: boolean
  #followers: Map<string, Shape> | null = null
  #positions: ReadonlyMap<string, number> | null = null

  private constructor(
    before: Shape | null,
    key: string,
    name: Name | null,
    remembered: { shapes: number },
    isKept = true,
  ) {
    this.#isKept = isKept
    this.size = before === null ? 0 : before.size + 1
    this.name = name
    this.#key = key
    this.#before = before
    this.#remembered = remembered
  }

  /** Which all others follow. */
  static ofNoKeys(): Shape {
    if (Shape.#ofNoKeys.#remembered.shapes >= SHAPES_MAX) Shape.#ofNoKeys = new Shape(null, "", null, { shapes: 0 })
    return Shape.#ofNoKeys
  }

  followerOf(key: string): Shape | undefined {
    const known = this.#followers?.get(key)
    if (known !== undefined) this.likely = known
    return known
  }

  /** With one key more. Past `SHAPES_MAX`, and for a key without a name, neither it nor what follows is remembered. */
  followedBy(key: string, name: Name | null): Shape {
    const isKept = this.#isKept && name !== null && this.#remembered.shapes < SHAPES_MAX
    const next = new Shape(this, key, name, this.#remembered, isKept)
    if (!isKept) return next
    this.#remembered.shapes++
    this.#followers = (this.#followers ?? new Map<string, Shape>()).set(key, next)
    return (this.likely = next)
  }

  positionOf(key: string): number | undefined {
    this.#positions ??= new Map(this.keys().map((each, position) => [each, position]))
    return this.#positions.get(key)
  }

  /** As `positionOf`, but -1 for none, and without remembering where all keys are. */
  placeOf(key: string): number {
    if (this.#before === null) return -1
    return this.#key === key ? this.size - 1 : this.#before.placeOf(key)
  }

  keys(): string[] {
    const keys = this.#before?.keys() ?? []
    if (this.#before !== null) keys.push(this.#key)
    return keys
  }
}
