import { SCOPE_NAME } from "#sdk/semconv.ts"
import type { Attributes, Scope } from "../otlp/types.ts"
import { aiSdk } from "./ai-sdk.ts"
import { readText } from "./attributes.ts"
import { belay } from "./belay.ts"
import { claudeCode } from "./claude-code.ts"
import { cline } from "./cline.ts"
import { codex } from "./codex.ts"
import { copilotCli } from "./copilot-cli.ts"
import type { Dialect } from "./dialect.ts"
import { geminiCli } from "./gemini-cli.ts"
import { genAi } from "./gen-ai.ts"
import { openCode } from "./opencode.ts"
import { qwenCode } from "./qwen-code.ts"
import { vscodeCopilot } from "./vscode-copilot.ts"

/** Beginnings of scope names; each belongs to one source whatever its host calls the service. */
const BY_SCOPE: readonly (readonly [string, Dialect])[] = [
  ["com.anthropic.claude_code", claudeCode],
  ["codex", codex],
  ["gemini-cli", geminiCli],
  ["qwen-code", qwenCode],
  ["opencode", openCode],
  ["kilo", openCode],
  ["copilot-chat", vscodeCopilot],
  ["github.copilot", copilotCli],
  ["cline", cline],
]

/** Beginnings of service names, for scopes of libraries inside a known tool. */
const BY_SERVICE: readonly (readonly [string, Dialect])[] = [
  ["claude-code", claudeCode],
  ["codex", codex],
  ["gemini-cli", geminiCli],
  ["qwen-code", qwenCode],
  ["opencode", openCode],
  ["kilo", openCode],
  ["copilot-chat", vscodeCopilot],
  ["github-copilot", copilotCli],
  ["cline", cline],
]

/** The scope of the Vercel AI SDK, which OpenCode and Kilo use as well. */
const AI_SDK_SCOPE = "ai"

/**
 * The dialect that a resource and scope speak. The scope comes first, since a host may put its own name on the
 * service; what neither names is read by the GenAI conventions.
 */
export function chooseDialect(resource: Attributes, scope: Scope): Dialect {
  if (scope.name === SCOPE_NAME) return belay
  const byScope = BY_SCOPE.find(([prefix]) => scope.name.startsWith(prefix))
  if (byScope !== undefined) return byScope[1]
  const service = readText(resource, "service.name") ?? ""
  const byService = BY_SERVICE.find(([prefix]) => service.startsWith(prefix))
  if (byService !== undefined) return byService[1]
  return scope.name === AI_SDK_SCOPE ? aiSdk : genAi
}
