import * as fc from "fast-check"
import { expect, test } from "vitest"
import { ItemAttributes } from "./item-attributes.ts"
import { Texts } from "./texts.ts"

/** The attributes that a reader makes of pairs, whose keys stand one after the other in the bytes. */
function read(pairs: readonly (readonly [string, number])[]): ItemAttributes {
  const texts = new Texts(Buffer.from(pairs.map(([key]) => key).join("")))
  const attributes = new ItemAttributes()
  let at = 0
  for (const [key, value] of pairs) {
    const length = Buffer.byteLength(key)
    attributes.add(texts, at, length, value)
    at += length
  }
  return attributes
}

/** Few keys, so that they repeat within an item and items share their beginnings; a long one and one past ASCII. */
const key = fc.oneof(
  fc.constantFrom("", "a", "b", "abcd", "abce", "gen_ai.operation.name", "ключ", "k".repeat(200)),
  fc.string({ unit: "grapheme", maxLength: 60 }),
)
const items = fc.array(fc.array(fc.tuple(key, fc.nat()), { maxLength: 90 }), { maxLength: 8 })

test("attributes are what a map of the same pairs is, whatever was read before them", () => {
  fc.assert(
    fc.property(items, (given) => {
      for (const pairs of given) {
        const [attributes, map] = [read(pairs), new Map(pairs)]
        expect([...attributes]).toEqual([...map])
        expect(attributes.size).toBe(map.size)
        for (const [name] of pairs) expect(attributes.get(name)).toBe(map.get(name))
        expect(attributes.has("never")).toBe(map.has("never"))
        expect(attributes.get("never")).toBeUndefined()
      }
    }),
  )
})

test("attributes are read the same once more keys were seen than are remembered", () => {
  const pairs = Array.from({ length: 6000 }, (_, index) => [`key ${index}`, index] as const)
  for (let from = 0; from < pairs.length; from += 50) {
    const own = pairs.slice(from, from + 50)
    expect([...read(own)]).toEqual(own)
  }
  expect([...read(pairs.slice(0, 1000))]).toEqual(pairs.slice(0, 1000))
})

test("of an item with more attributes than any source sends no more are kept than tell that it is refused", () => {
  const pairs = Array.from({ length: 6000 }, (_, index) => [`key ${index}`, index] as const)
  const attributes = read(pairs)
  expect(attributes.size).toBe(1024)
  expect(attributes.get("key 1023")).toBe(1023)
  expect(attributes.has("key 1024")).toBe(false)
})
