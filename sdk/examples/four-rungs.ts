import { startBelay } from "../index.ts"

/**
 * A small agent tool that uses all four rungs. In a program of yours the import is from "@belay/sdk".
 *
 *     BELAY_ENDPOINT=http://127.0.0.1:4318 BELAY_INGEST_KEY=blk_… node four-rungs.ts
 *     npx belay conformance -- node four-rungs.ts
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "", BELAY_USER = "ada@example.com" } = process.env

const belay = startBelay({
  endpoint: BELAY_ENDPOINT,
  ingestKey: BELAY_INGEST_KEY,
  agent: { name: "example-agent", version: "1.0.0" },
  user: BELAY_USER,
  surface: "ide",
  // This one lives for a moment; one that stays keeps what it cannot send on disk.
  spool: false,
})
const session = belay.session({ rung: "autocomplete" })
const sessionId = session.id

// Autocomplete: three suggestions, of which two are taken.
for (const verdict of ["accepted", "accepted", "ignored"] as const) {
  const shown = belay.autocomplete.suggest({ model: "small-coder", language: "typescript", sessionId }).shown()
  if (verdict === "ignored") shown.ignored()
  else shown.accepted({ lines: 2, chars: 60 }).survived({ at: "30s", share: 1 })
}

// Chat: a question, and its answer goes into a file.
session.rungChanged("chat", "human")
const turn = belay.chat.turn({ model: "large-coder", provider: "example", sessionId }).firstToken()
turn.answered({ inputTokens: 1200, outputTokens: 240 }).applied({ lines: 12 })

// Agent: a task with a tool, a question to the person, and an edit that they accept.
session.rungChanged("agent", "human")
const task = belay.agent.task({ mode: "code", workspace: process.cwd(), sessionId })
task.model({ model: "large-coder", inputTokens: 8000, outputTokens: 600, firstTokenMs: 700, durationMs: 4000 })
task.tool("read_file", { durationMs: 3 })
task.prompt("git push").allowed()
task.edit({ path: "src/retry.ts", outcome: "accepted", origin: "human", linesAdded: 14, linesRemoved: 3 })
const finished = task.finish({
  outcome: "accepted",
  diff: { linesAdded: 14, linesRemoved: 3, filesChanged: 1 },
  verification: "passed",
})

// Orchestration: two agents share the work, which is merged.
session.rungChanged("orchestration", "human")
const run = belay.orchestration.run({ mode: "orchestrator", sessionId })
for (const mode of ["code", "test"]) {
  const part = run.spawn({ mode })
  part.model({ model: "large-coder", inputTokens: 5000, outputTokens: 300, firstTokenMs: 500, durationMs: 2500 })
  part.finish({ outcome: "accepted" })
}
run.merge({ linesAdded: 40, filesChanged: 2 })
run.finish({ outcome: "merged" })
session.ended()

// Days later, in another process: all it needs is the token.
belay.resume(finished.token).merged({ linesAdded: 14 })

await belay.shutdown()
