/** The files that a policy is compiled to, and what the compilers of all tools share. */
import type { PolicyBundle } from "../document.ts"
import type { RuleAction } from "../vocabulary.ts"
import type { ModelPlan } from "./model-plan.ts"
import type { Report } from "./report.ts"
import type { ToolPolicy, ToolRule } from "./tool-policy.ts"

/** A file of an agent tool, to be put where the tool reads what the organization demands. */
export interface NativeFile {
  /** What it is called as a download. */
  readonly name: string
  /** Where it belongs, per platform; null where the tool reads no such file. `~` is the person's home folder. */
  readonly paths: { readonly linux: string | null; readonly macos: string | null; readonly windows: string | null }
  readonly format: "json" | "toml" | "starlark"
  readonly contents: string
  /** How it gets there and who may write it, for an administrator. */
  readonly delivery: string
}

/** How an MCP server is recognized by more than its name. */
export type McpIdentity = { readonly url: string } | { readonly command: readonly string[] }

export interface NativeOptions {
  /** What has ended then is not compiled. Milliseconds since 1970. */
  readonly nowMs: number
  /** The command line of `belay`, quoted for a shell. Files have no entry for the hook without it. */
  readonly belay?: string | undefined
  /** The MCP servers that the organization knows, by the names that rules call them. */
  readonly mcpServers?: Readonly<Record<string, McpIdentity>> | undefined
}

export interface Compiling {
  readonly bundle: PolicyBundle
  readonly policy: ToolPolicy
  readonly models: ModelPlan | null
  readonly options: NativeOptions
  readonly report: Report
}

export function toJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

export function rulesOn(policy: ToolPolicy, action: RuleAction): readonly ToolRule[] {
  return policy.rules.filter((rule) => rule.action === action)
}

/** Whether the policy forbids or asks anything at all. */
export function isBinding({ rules, defaults }: ToolPolicy): boolean {
  return (
    rules.some(({ effect }) => effect !== "allow") || Object.values(defaults).some(({ effect }) => effect !== "allow")
  )
}

/**
 * Tells of rules on files and addresses that a tool holds for its own tools, not for what a command does with them.
 * `mildest` is what the tool does with commands at its mildest.
 */
export function reportCommands({ policy, report }: Compiling, mildest: "allow" | "ask" | "deny"): void {
  const subjects = [...policy.rules, ...Object.values(policy.defaults)]
  for (const subject of subjects) {
    if (subject.action !== "edit" && subject.action !== "read" && subject.action !== "web") continue
    report.looser({ ...subject, action: "shell" }, mildest, "The tool does not see what commands do with it.")
  }
  if (policy.speaksOfShell) {
    report.looser(
      { ruleId: null, layer: null, action: "shell", effect: "ask" },
      mildest,
      "Commands that cannot be seen through, by substitution or code of another language, are not always asked.",
    )
  }
}
