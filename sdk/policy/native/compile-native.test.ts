import { readFileSync } from "node:fs"
import path from "node:path"
import { parse as parseToml } from "smol-toml"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import type { PolicyBundle, PolicyDocument } from "../document.ts"
import { checkPolicy } from "../parse.ts"
import { compileNative, NATIVE_TOOLS, type NativePolicy } from "./compile-native.ts"
import type { NativeOptions } from "./native-file.ts"

const folder = path.join(import.meta.dirname, "fixtures")
const OPTIONS: NativeOptions = {
  nowMs: Date.parse("2026-11-26T12:00:00Z"),
  belay: "belay",
  mcpServers: {
    github: { url: "https://api.githubcopilot.com/mcp/" },
    playwright: { command: ["npx", "@playwright/mcp@latest"] },
  },
}

function document(text: string): PolicyDocument {
  const checked = checkPolicy(parse(text))
  if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join("\n"))
  return checked.document
}

function rules(...lines: readonly string[]): PolicyDocument {
  return document(`schema: belay.policy/1\npermissions:\n  rules:\n${lines.map((line) => `    - ${line}`).join("\n")}`)
}

function describeLosses({ losses, notes }: NativePolicy): string {
  const lines = losses.map(
    ({ ruleId, action, direction, effect, nativeEffect, what, isCoveredByHook }) =>
      `${direction === "looser" ? "-" : "+"} ${ruleId ?? "(no rule)"} on ${action ?? "everything"}: ${effect} -> ${nativeEffect}${isCoveredByHook ? ", hook" : ""}\n    ${what}`,
  )
  return `${[...lines, ...notes.map((note) => `* ${note}`)].join("\n")}\n`
}

const example = document(readFileSync(path.join(folder, "example.yaml"), "utf8"))

describe.each(NATIVE_TOOLS)("%s", (tool) => {
  test("says the example in its own terms, and what it loses", async () => {
    const native = compileNative(tool, example, OPTIONS)
    for (const { name, contents } of native.files) {
      // oxlint-disable-next-line no-await-in-loop -- file snapshots are written one by one
      await expect(contents).toMatchFileSnapshot(path.join(folder, tool, name))
    }
    await expect(describeLosses(native)).toMatchFileSnapshot(path.join(folder, tool, "losses.txt"))
  })

  test("writes files that can be read again, and no hook where no command is given", () => {
    for (const { format, contents } of compileNative(tool, example, OPTIONS).files) {
      if (format === "json") JSON.parse(contents)
      if (format === "toml") parseToml(contents)
    }
    const without = compileNative(tool, example, { nowMs: OPTIONS.nowMs })
    expect(without.files.map(({ contents }) => contents).join("")).not.toContain(" hook ")
  })

  test("says nothing of an empty policy", () => {
    const { losses } = compileNative(tool, document("schema: belay.policy/1"), OPTIONS)
    expect(losses).toEqual([])
  })
})

const layered = (organization: PolicyDocument, team: PolicyDocument): PolicyBundle => ({
  version: 1,
  layers: [
    { layer: "organization", version: 1, document: organization },
    { layer: "team", version: 1, document: team },
  ],
})

const claude = (policy: PolicyBundle | PolicyDocument) => {
  const native = compileNative("claude-code", policy, OPTIONS)
  const settings: unknown = JSON.parse(native.files[0]?.contents ?? "{}")
  return { ...native, settings }
}

test("a rule under a condition asks everywhere, and an allow under one is left out", () => {
  const { settings, losses } = claude(
    rules(
      "{ id: prod, effect: deny, action: shell, pattern: git push *, when: { repository: [acme/prod] } }",
      "{ id: dev, effect: allow, action: shell, pattern: make test, when: { rung: [agent] } }",
    ),
  )
  expect(settings).toMatchObject({ permissions: { ask: ["Bash(git push *)"] } })
  expect(settings).not.toHaveProperty("permissions.allow")
  expect(losses).toContainEqual(
    expect.objectContaining({ ruleId: "prod", action: "shell", direction: "looser", isCoveredByHook: true }),
  )
  expect(losses).toContainEqual(expect.objectContaining({ ruleId: "dev", direction: "stricter" }))
})

test("rules for another tool, and those that have ended, are not compiled", () => {
  const { settings, losses } = claude(
    rules(
      "{ id: other, effect: deny, action: shell, pattern: git push *, when: { agentTool: [codex] } }",
      "{ id: ended, effect: deny, action: shell, pattern: make *, expiresAt: 2026-01-01T00:00:00Z }",
      "{ id: own, effect: deny, action: read, pattern: .env, when: { agentTool: [Claude-Code] } }",
    ),
  )
  expect(settings).toMatchObject({ permissions: { deny: ["Read(//**/.env)"] } })
  expect(losses.map(({ ruleId }) => ruleId)).not.toContain("other")
})

test("a team's allow does not lift the organization's default, unless that may be overridden", () => {
  const team = rules("{ id: status, effect: allow, action: shell, pattern: git status }")
  const organization = (more: string) =>
    document(`schema: belay.policy/1\npermissions:\n  defaults: { shell: deny }\n${more}`)
  expect(claude(layered(organization(""), team)).settings).toMatchObject({
    permissions: { deny: ["Bash", "PowerShell"] },
  })
  expect(claude(layered(organization("  overridableDefaults: [shell]"), team)).settings).toMatchObject({
    permissions: { allow: ["Bash(git status)"] },
  })
})

test("an allow that meets a deny which the tool reads more narrowly is left out", () => {
  const { settings, losses } = claude(
    rules(
      "{ id: rm, effect: allow, action: shell, pattern: rm * }",
      "{ id: no-rm-rf, effect: deny, action: shell, pattern: rm -rf * }",
    ),
  )
  expect(settings).not.toHaveProperty("permissions.allow")
  expect(losses).toContainEqual(expect.objectContaining({ ruleId: "rm", direction: "stricter" }))
})

test("exceptions are not compiled, and it is told", () => {
  const { losses } = claude({
    ...layered(rules("{ id: no-env, effect: deny, action: read, pattern: .env }"), document("schema: belay.policy/1")),
    exceptions: [
      {
        id: "e1",
        rule: "no-env",
        scope: { kind: "organization" },
        reason: "Migration",
        approver: "ada",
        expiresAt: "2027-01-01T00:00:00Z",
      },
    ],
  })
  expect(losses).toContainEqual(
    expect.objectContaining({ ruleId: "no-env", action: "read", direction: "stricter", isCoveredByHook: false }),
  )
})
