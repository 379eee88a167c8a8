import { createInterface } from "node:readline/promises"
import { type CanUseTool, query } from "@anthropic-ai/claude-agent-sdk"
import { hooksFor, withPermissions } from "../claude-agent-sdk.ts"
import { startBelay } from "../index.ts"

/**
 * An agent on the Claude Agent SDK that asks before it acts. In a program of yours the imports are from "@belay/sdk" and
 * "@belay/sdk/claude-agent-sdk".
 *
 *     BELAY_ENDPOINT=http://127.0.0.1:4318 BELAY_INGEST_KEY=blk_… node claude-agent-sdk.ts
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "", CLAUDE_CODE } = process.env

const belay = startBelay({
  endpoint: BELAY_ENDPOINT,
  ingestKey: BELAY_INGEST_KEY,
  agent: { name: "release-bot", version: "3.2.0" },
  user: "ada@example.com",
  surface: "terminal",
  spool: false,
})
const task = belay.agent.task({ mode: "code", workspace: process.cwd() })

/** The host's own question: `withPermissions` tells what was asked, the answer, and how long it took. */
const ask: CanUseTool = async (toolName, input) => {
  const terminal = createInterface(process.stdin, process.stdout)
  const answer = await terminal.question(`May I use ${toolName}? `)
  terminal.close()
  return answer.startsWith("y") ? { behavior: "allow", updatedInput: input } : { behavior: "deny", message: "No." }
}

const messages = query({
  prompt: "Release version 3.2.1",
  options: {
    canUseTool: withPermissions(task, ask),
    hooks: hooksFor(task),
    ...(CLAUDE_CODE !== undefined && { pathToClaudeCodeExecutable: CLAUDE_CODE }),
  },
})
for await (const message of messages) {
  if (message.type !== "result") continue
  if (message.subtype === "success") task.finish({})
  else task.finish({ outcome: "failed", origin: "unknown", error: message.subtype })
}

await belay.shutdown()
