import { readFileSync } from "node:fs"
import path from "node:path"
import { expect, test } from "vitest"
import * as semconv from "./semconv.ts"

test("the README's table has every attribute name, and none that is not one", () => {
  const readme = readFileSync(path.join(import.meta.dirname, "README.md"), "utf8")
  const table = readme
    .slice(readme.indexOf("<!-- names"))
    .split("\n")
    .filter((line) => line.startsWith("| `"))
  const named = table.flatMap((line) =>
    [...(line.split(" | ")[0] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ""),
  )
  const names = Object.entries(semconv).flatMap(([key, name]) => (key.startsWith("ATTR_") ? [name] : []))
  const sorted = (list: readonly string[]) => list.toSorted((a, b) => a.localeCompare(b))
  expect(sorted(named)).toEqual(sorted(names))
})
