import { execFileSync } from "node:child_process"
import { startBelay } from "../index.ts"

/**
 * A step of a CI job, after a merge: what became of the work that a commit names. The agent wrote the task's token into
 * the commit's message, as a trailer `Belay-Token: blo1~…`. In a program of yours the import is from "@belay/sdk".
 *
 *     BELAY_ENDPOINT=… BELAY_INGEST_KEY=blk_… node late-outcome.ts merged
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "" } = process.env
const [outcome = "merged"] = process.argv.slice(2)

const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" })
const tokens = git("log", "-1", "--format=%(trailers:key=Belay-Token,valueonly)").split("\n").filter(Boolean)
const files = git("show", "--numstat", "--format=").split("\n").filter(Boolean)
const changes = files.map((line) => line.split("\t").map(Number))
const [linesAdded, linesRemoved] = [0, 1].map((column) =>
  changes.reduce((sum, change) => sum + (change[column] ?? 0), 0),
)

const belay = startBelay({
  endpoint: BELAY_ENDPOINT,
  ingestKey: BELAY_INGEST_KEY,
  agent: { name: "ci" },
  surface: "ci",
  spool: false,
})
for (const token of tokens) {
  const work = belay.resume(token)
  if (outcome === "reverted") work.reverted()
  else work.merged({ linesAdded, linesRemoved, filesChanged: files.length })
}
await belay.shutdown()
