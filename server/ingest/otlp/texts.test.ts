import * as fc from "fast-check"
import { expect, test } from "vitest"
import { LateText, Texts } from "./texts.ts"
import { MalformedOtlp } from "./types.ts"

test("texts come out of the bytes as they went in, wherever they stand and however often", () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 120 }),
    fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 6 }),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 40 }), (given) => {
      const texts = new Texts(Buffer.from(given.join("")))
      let at = 0
      for (const each of given) {
        const length = Buffer.byteLength(each)
        const late = texts.readLate(at, length)
        expect(texts.read(at, length)).toBe(each)
        expect(late instanceof LateText ? late.read() : late).toBe(each)
        const name = texts.nameAt(at, length)
        expect(name === null || texts.isAt(name, at, length)).toBe(true)
        at += length
      }
    }),
  )
})

test.each([3, 40, 400])("bytes that are not UTF-8 are refused, in a text of %i bytes", (length) => {
  const texts = new Texts(Buffer.alloc(length, "a").fill(0xff, length - 1))
  expect(() => texts.read(0, length)).toThrow(MalformedOtlp)
  expect(() => texts.readLate(0, length)).toThrow(MalformedOtlp)
})
