import { expect, test } from "vitest"
import { findEntries, type PaletteEntry } from "./find-entries.ts"

const entry = (group: PaletteEntry["group"], label: string) => ({ group, label })
const ENTRIES = [
  entry("Pages", "Policy budgets"),
  entry("Pages", "Latency"),
  entry("Glossary", "Latency objective"),
  entry("Teams", "Zürich: latency"),
  entry("Actions", "Dark theme"),
]
const labels = (typed: string) => findEntries(ENTRIES, typed).map(({ label }) => label)

test("every typed word begins a word of the label or its group, and a page comes before a term", () => {
  expect(labels("lat")).toEqual(["Latency", "Zürich: latency", "Latency objective"])
  expect(labels("latency zür")).toEqual(["Zürich: latency"])
  expect(labels("teams")).toEqual(["Zürich: latency"])
  expect(labels("atency")).toEqual([])
})

test("with nothing typed teams and terms are left out", () => {
  expect(labels("  ")).toEqual(["Policy budgets", "Latency", "Dark theme"])
})

test("a label that begins with what was typed comes before one that has it further on", () => {
  const found = findEntries([entry("Pages", "Policy budgets"), entry("Pages", "Budgets")], "bud")
  expect(found.map(({ label }) => label)).toEqual(["Budgets", "Policy budgets"])
})
