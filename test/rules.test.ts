import { readdir, readFile } from "node:fs/promises"
import path from "node:path"
import { expect, test } from "vitest"
import { ORIGINS, OUTCOMES, PATH_SCOPES, RUNGS, SIGNAL_KINDS, SURFACES } from "#sdk/ladder.ts"

/** Rules of this repository that no linter knows. */

const ROOT = path.join(import.meta.dirname, "..")
const SKIPPED = new Set(["node_modules", "build", "dist", ".git", ".belay", "fixtures"])

async function sourceFiles(folder = ROOT): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const found = await Promise.all(
    entries
      .filter((entry) => !SKIPPED.has(entry.name))
      .map(async (entry) => {
        const file = path.join(folder, entry.name)
        if (entry.isDirectory()) return sourceFiles(file)
        return /\.tsx?$/.test(entry.name) ? [path.relative(ROOT, file)] : []
      }),
  )
  return found.flat()
}

async function filesWith(pattern: RegExp, isAllowed: (file: string) => boolean): Promise<string[]> {
  const files = (await sourceFiles()).filter((file) => !isAllowed(file))
  const texts = await Promise.all(files.map((file) => readFile(path.join(ROOT, file), "utf8")))
  return files.filter((_, index) => pattern.test(texts[index] ?? ""))
}

const isTest = (file: string) => file.startsWith("test/") || /\.test\.tsx?$/.test(file)
const isExample = (file: string) => file.startsWith("sdk/examples/")

test("the environment is read in one place", async () => {
  const readers = await filesWith(/process\.env/, (file) => isTest(file) || file.endsWith("-cli.ts") || isExample(file))
  // The client of the published policy looks where the command keeps it.
  expect(readers).toEqual(["sdk/policy/client.ts", "server/main.ts"])
})

test("logic is given the time: only what composes Belay and the browser read the clock", async () => {
  const isComposition = (file: string) =>
    file === "server/start.ts" || file.endsWith("-cli.ts") || file.startsWith("app/routes/connect/live")
  expect(await filesWith(/new Date\(\)|Date\.now\(\)/, (file) => isTest(file) || isComposition(file))).toEqual([])
})

test("colours have their names in one file", async () => {
  expect(await filesWith(/#[0-9a-f]{3,8}\b|\b(rgb|hsl|oklch)\(/i, (file) => !file.startsWith("app/"))).toEqual([])
})

test("pages link through the path builder", async () => {
  expect(
    await filesWith(/(href|to)="\//, (file) => !file.startsWith("app/") || isTest(file) || file === "app/root.tsx"),
  ).toEqual([])
})

test("migrations are dated, in order and import nothing of ours", async () => {
  const migrations = await readdir(path.join(ROOT, "migrations"))
  expect(migrations).toEqual(migrations.toSorted())
  for (const name of migrations) expect(name).toMatch(/^20\d{10}_[a-z_]+\.ts$/)
})

test("fixtures hold no address of a person and no token", async () => {
  const folder = path.join(ROOT, "test/fixtures/otlp")
  for (const part of ["captured", "written"]) {
    for (const file of await readdir(path.join(folder, part))) {
      const text = await readFile(path.join(folder, part, file), "latin1")
      expect([file, text.match(/[\w.]+@(?!example\.com)[a-z]+\.(com|org|net|dev)\b/)?.[0] ?? null]).toEqual([
        file,
        null,
      ])
      expect([file, text.match(/sk-[A-Za-z0-9]{20,}|ghp_[A-Za-z0-9]{20,}/)?.[0] ?? null]).toEqual([file, null])
    }
  }
})

test("the words of the ladder are the database's enums, in the same order", async () => {
  const migration = await readFile(path.join(ROOT, "migrations/202611202200_foundation.ts"), "utf8")
  const enumOf = (name: string) => {
    const values = new RegExp(`create type ${name} as enum \\(([^)]*)\\)`).exec(migration)?.[1] ?? ""
    return [...values.matchAll(/'([^']+)'/g)].map((match) => match[1])
  }
  expect(enumOf("rung")).toEqual([...RUNGS])
  expect(enumOf("signal_kind")).toEqual([...SIGNAL_KINDS])
  expect(enumOf("outcome")).toEqual([...OUTCOMES])
  expect(enumOf("origin")).toEqual([...ORIGINS])
  expect(enumOf("surface")).toEqual([...SURFACES])
  expect(enumOf("path_scope")).toEqual([...PATH_SCOPES])
})
