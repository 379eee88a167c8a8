import { expect, test } from "vitest"
import { chooseDialect } from "./choose.ts"

test.each([
  ["belay", "release-bot", "belay"],
  ["com.anthropic.claude_code.events", "billing-bot", "claude-code"],
  ["com.anthropic.claude_code.tracing", "", "claude-code"],
  ["codex_otel.log_only", "codex_exec", "codex"],
  ["codex_exec", "my-own-name", "codex"],
  ["gemini-cli", "gemini-cli", "gemini-cli"],
  ["qwen-code", "host", "qwen-code"],
  ["opencode", "opencode", "opencode"],
  ["ai", "opencode", "opencode"],
  ["ai", "support-agent", "ai-sdk"],
  ["gen_ai", "support-agent", "gen-ai"],
  ["copilot-chat", "copilot-chat", "vscode-copilot"],
  ["github.copilot", "github-copilot", "copilot-cli"],
  ["cline", "cline", "cline"],
  ["@opentelemetry/instrumentation-http", "gemini-cli", "gemini-cli"],
  ["@opentelemetry/instrumentation-http", "shop", "gen-ai"],
  ["", "", "gen-ai"],
])("scope %s of service %s speaks %s", (name, service, dialect) => {
  expect(chooseDialect(new Map([["service.name", service]]), { name, version: "" }).name).toBe(dialect)
})
