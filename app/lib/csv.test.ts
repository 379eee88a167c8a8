import { parse } from "csv-parse/sync"
import fc from "fast-check"
import { expect, test } from "vitest"
import { toCsv } from "./csv.ts"

test("fields come back as they were, but for what a spreadsheet would run", () => {
  const cell = fc.string().map((text) => text.replace(/^[\s=+\-@]+/, ""))
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
      const read: unknown = parse(toCsv(["one", "other"], rows), { relax_column_count: true })
      expect(read).toEqual([["one", "other"], ...rows])
    }),
  )
})

test.each(["=1+1", "+1", "-1", "@sum(a1)", "\t=1", " =1", "\r=1", "\n=1"])("%j is no formula", (text) => {
  const [, line = ""] = toCsv(["text"], [[text]]).split("text\r\n")
  expect(line.replace(/^"/, "").startsWith("'")).toBe(true)
})

test("numbers are numbers, and what is not there is empty", () => {
  expect(toCsv(["a", "b", "c"], [[-1.5, null, 'say "so", twice']])).toBe('a,b,c\r\n-1.5,,"say ""so"", twice"\r\n')
})
