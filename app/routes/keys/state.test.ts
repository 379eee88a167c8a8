import { expect, test } from "vitest"
import { filterKeys, keyState } from "./state.ts"

const NOW = new Date("2026-11-20T12:00:00Z")
const after = (hours: number) => new Date(NOW.getTime() + hours * 3_600_000)

test("a key works until it is revoked or expires, and says so a week before", () => {
  const states = [
    { expiresAt: null, revokedAt: null },
    { expiresAt: after(24 * 8), revokedAt: null },
    { expiresAt: after(23), revokedAt: null },
    { expiresAt: NOW, revokedAt: null },
    { expiresAt: after(23), revokedAt: after(-1) },
  ].map((key) => keyState(key, NOW))
  expect(states).toEqual(["working", "working", "stopping", "expired", "revoked"])
})

test("keys are found by every word, in whatever it stands, within their state", () => {
  const key = { prefix: "blk_abc123", team: "Checkout", agentTool: null, createdBy: "ada@example.com", expiresAt: null }
  const keys = [
    { ...key, name: "Laptop", revokedAt: null },
    { ...key, name: "CI", agentTool: "codex", revokedAt: null },
    { ...key, name: "Old laptop", revokedAt: NOW },
  ]
  const find = (filter: "working" | "ended" | "all", text: string) =>
    filterKeys(keys, { filter, text, now: NOW }).map(({ name }) => name)
  expect([find("working", ""), find("ended", ""), find("all", "LAPTOP")]).toEqual([
    ["Laptop", "CI"],
    ["Old laptop"],
    ["Laptop", "Old laptop"],
  ])
  expect([find("working", "checkout codex"), find("all", "codex laptop"), find("all", "abc123")]).toEqual([
    ["CI"],
    [],
    ["Laptop", "CI", "Old laptop"],
  ])
})
