import { readFile } from "node:fs/promises"
import path from "node:path"
import { expect, test } from "vitest"
import { z } from "zod"

/** Licences that ask for nothing but their notice, and those of fonts, which may be shipped with a program. */
const ALLOWED = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "OFL-1.1",
  "PostgreSQL",
  "Python-2.0",
  "Unlicense",
])

/** Whether an SPDX expression can be met with allowed licences: of `OR` one is enough, `AND` takes all. */
function isAllowed(expression: string): boolean {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? []
  const readOne = (): boolean => {
    const token = tokens.shift()
    if (token !== "(") return token !== undefined && ALLOWED.has(token)
    const inside = readAny()
    return tokens.shift() === ")" && inside
  }
  const readAll = (): boolean => {
    let all = readOne()
    while (tokens[0] === "AND") {
      tokens.shift()
      all = readOne() && all
    }
    return all
  }
  const readAny = (): boolean => {
    let any = readAll()
    while (tokens[0] === "OR") {
      tokens.shift()
      any = readAll() || any
    }
    return any
  }
  const isMet = readAny()
  return isMet && tokens.length === 0
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      license: z.string().optional(),
      dev: z.boolean().optional(),
      link: z.boolean().optional(),
      version: z.string().optional(),
    }),
  ),
})

/** The packages that ship with Belay and whose licence is not allowed, or not named. */
function findForbidden(lock: unknown): string[] {
  return Object.entries(lockSchema.parse(lock).packages).flatMap(([place, { license, dev, link, version }]) => {
    const name = place.split("node_modules/").at(-1) ?? place
    const isOurs = !place.includes("node_modules/") || link === true
    if (isOurs || dev === true || isAllowed(license ?? "")) return []
    return [`${name}@${version}: ${license ?? "no licence"}`]
  })
}

test("every dependency that ships has a licence that may be shipped", async () => {
  const lock: unknown = JSON.parse(await readFile(path.join(import.meta.dirname, "../package-lock.json"), "utf8"))
  expect(findForbidden(lock)).toEqual([])
  expect(Object.keys(lockSchema.parse(lock).packages).length).toBeGreaterThan(100)
})

test("a forbidden licence and a missing one are found, wherever the package lies; development packages ship nothing", () => {
  const packages = {
    "": { license: "UNLICENSED" },
    sdk: { license: "GPL-3.0-only" },
    "node_modules/@belay/sdk": { link: true },
    "node_modules/fine": { version: "1.0.0", license: "(GPL-2.0-only OR MIT)" },
    "node_modules/tool": { version: "1.0.0", license: "GPL-3.0-only", dev: true },
    "node_modules/copyleft": { version: "2.1.0", license: "AGPL-3.0-or-later" },
    "node_modules/fine/node_modules/@deep/both": { version: "3.0.0", license: "MIT AND LGPL-3.0" },
    "node_modules/silent": { version: "4.0.0" },
  }
  expect(findForbidden({ packages })).toEqual([
    "copyleft@2.1.0: AGPL-3.0-or-later",
    "@deep/both@3.0.0: MIT AND LGPL-3.0",
    "silent@4.0.0: no licence",
  ])
})

test.for([
  ["MIT", true],
  ["(MIT OR GPL-3.0-only) AND ISC", true],
  ["MIT AND (GPL-3.0-only OR LGPL-3.0)", false],
  ["GPL-3.0-only OR MIT AND ISC", true],
  ["SEE LICENSE IN LICENSE.md", false],
  ["(MIT", false],
  ["MIT GPL-3.0-only", false],
  ["", false],
] as const)("the expression %s may be shipped: %s", ([expression, may]) => {
  expect(isAllowed(expression)).toBe(may)
})
