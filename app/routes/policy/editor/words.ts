import type { RuleAction } from "#sdk/policy/vocabulary.ts"

export const ACTION_LABELS: Record<RuleAction, string> = {
  shell: "Shell command",
  edit: "Edit a file",
  read: "Read a file",
  web: "Read the web",
  mcp: "MCP tool",
  subagent: "Start an agent",
  model: "Call a model",
}

/** What a pattern of the action looks like. */
export const PATTERN_HINTS: Record<RuleAction, string> = {
  shell: "git push *",
  edit: "infra/**",
  read: ".env",
  web: "*.example.com",
  mcp: "github/*",
  subagent: "reviewer",
  model: "gpt-5*",
}
