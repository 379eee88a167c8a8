import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  digest,
  readBoolean,
  readCount,
  readFields,
  readNumber,
  readText,
  toAction,
  toErrorClass,
  toHttpError,
  toId,
  toName,
} from "./attributes.ts"

describe("readers", () => {
  test("text is the first key that has some", () => {
    const attributes = new Map<string, string | number>([
      ["empty", ""],
      ["number", 1],
      ["text", "a"],
    ])
    expect(readText(attributes, "missing", "empty", "number", "text")).toBe("a")
    expect(readText(attributes, "missing")).toBeNull()
  })

  test.each([
    [481, 481],
    ["481", 481],
    ["0.5", 0.5],
    ["1e3", 1000],
    [0, 0],
    [-1, null],
    ["-1", null],
    [NaN, null],
    [Infinity, null],
    ["Infinity", null],
    ["", null],
    ["12 apples", null],
    [true, null],
    [null, null],
  ])("%j as a number is %j", (value, number) => {
    expect(readNumber(new Map([["key", value]]), "key")).toBe(number)
  })

  test("a count is whole, and none that a number cannot hold exactly", () => {
    expect(readCount(new Map([["key", "2.6"]]), "key")).toBe(3)
    expect(readCount(new Map([["key", 2 ** 60]]), "key")).toBeNull()
  })

  test.each([
    [true, true],
    ["true", true],
    [false, false],
    ["false", false],
    ["yes", null],
    [1, null],
  ])("%j as a boolean is %j", (value, boolean) => {
    expect(readBoolean(new Map([["key", value]]), "key")).toBe(boolean)
  })

  test.each([["not json"], ['{"cut":'], ["[1]"], ["null"], [7], [undefined]])("%j has no fields", (value) => {
    expect(readFields(value)).toEqual(new Map())
  })

  test("fields nested without end are read without end to the stack", () => {
    expect(readFields(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)).toEqual(new Map([["a", [null]]]))
  })

  test("fields keep scalars and lists of them, and drop records", () => {
    const json = JSON.stringify({ a: "x", b: [1, "y", { c: 1 }], d: { e: 1 }, f: null })
    expect(readFields(json)).toEqual(
      new Map<string, unknown>([
        ["a", "x"],
        ["b", [1, "y", null]],
        ["d", null],
        ["f", null],
      ]),
    )
  })
})

describe("names", () => {
  test.each([
    "claude-sonnet-4-5-20250929",
    "claude-sonnet-4-5@20250929",
    "anthropic/claude-opus-4.5",
    "accounts/fireworks/models/deepseek-v3",
    "llama3.1:70b-instruct",
    "@acme/tools",
    "C++",
    "C#",
    "Visual Basic .NET",
    "GPT-5 (Preview)",
    "acme/shop",
    "1.18.33",
    "x".repeat(80),
  ])("%s is one", (name) => {
    expect(toName(name)).toBe(name)
  })

  test.each([
    "",
    " padded",
    "padded ",
    "two  spaces",
    "x".repeat(81),
    "a name of too many words",
    "/etc/passwd",
    "read /etc/passwd",
    "see:/etc/passwd",
    "~/notes",
    "./run",
    "../run",
    "a/../b",
    "src/",
    "C:/Users/dev",
    "C:\\Users\\dev",
    "in D:/work",
    "https://example.com/x",
    "//host/share",
    "dev@example.com",
    'say "hello"',
    "rm -rf *",
    "a\nb",
    "naïve",
    "$HOME",
    "f(x) => y",
    "a,b",
    "a;b",
  ])("%j is none", (name) => {
    expect(toName(name)).toBeNull()
  })

  test.each([[7], [true], [null], [undefined], [["a"]]])("%j is none", (value) => {
    expect(toName(value)).toBeNull()
  })

  test("no text is changed on the way: it is kept whole or not at all", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (value) => {
        expect([value, null]).toContain(toName(value))
      }),
    )
  })

  test("a value that takes long to refuse does not exist", () => {
    expect(toAction(`mcp__${"__".repeat(500_000)}\n`)).toBeNull()
    expect(toName("a ".repeat(39) + "a!")).toBeNull()
    expect(toName("a".repeat(1_000_000))).toBeNull()
  })
})

test.each([
  ["QuotaError", "QuotaError"],
  ["net.Error:ECONNRESET", "net.Error:ECONNRESET"],
  ["529", "other"],
  ["quota exceeded", "other"],
  ["x".repeat(41), "other"],
  [529, "other"],
  ["", null],
  [null, null],
  [undefined, null],
])("the error class of %j is %j", (value, error) => {
  expect(toErrorClass(value)).toBe(error)
})

test.each([
  [529, "http_529"],
  [404, "http_404"],
  [200, null],
  [600, null],
  [404.5, null],
  [null, null],
])("status %j is error class %j", (status, error) => {
  expect(toHttpError(status)).toBe(error)
})

describe("ids", () => {
  test.each(["req_011CSample", "81d16238-fc7d-4b17-84f4-805f96d3b841", "sess########0", "a:b@1", "x".repeat(64)])(
    "%s is kept",
    (id) => {
      expect(toId(id)).toBe(id)
    },
  )

  test.each(["x".repeat(65), "two words", "/path", "dev@example.com", "ünïcode"])("%s is digested", (id) => {
    expect(toId(id)).toMatch(/^[0-9a-f]{32}$/)
    expect(toId(id)).toBe(digest(id))
  })

  test("nothing is no id", () => {
    expect(toId("")).toBeNull()
    expect(toId(null)).toBeNull()
  })
})

test.each([
  ["Bash", null, "Bash"],
  ["mcp__github__list_issues", null, "github/list_issues"],
  ["list_issues", "github", "github/list_issues"],
  ["list_issues", "/opt/servers/github", "list_issues"],
  ["/usr/bin/thing", null, null],
  ["x".repeat(81), null, null],
  ["x".repeat(50), "y".repeat(50), "x".repeat(50)],
  [null, "github", null],
])("the use of tool %j of server %j is named %j", (tool, server, action) => {
  expect(toAction(tool, server)).toBe(action)
})
