import { text } from "node:stream/consumers"
import { startBelay } from "../index.ts"

/**
 * A step of a CI job after a merge: what became of the work that a commit names. The agent wrote the task's token into
 * the commit's message, as a trailer `Belay-Operation: blo1~…`. In a program of yours the import is from "@belay/sdk".
 *
 *     git log -1 --format=%B | BELAY_ENDPOINT=… BELAY_INGEST_KEY=blk_… node late-outcome.ts merged
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "" } = process.env
const [outcome = "merged"] = process.argv.slice(2)

const belay = startBelay({
  endpoint: BELAY_ENDPOINT,
  ingestKey: BELAY_INGEST_KEY,
  agent: { name: "ci" },
  surface: "ci",
  // The job's machine is gone when the job is.
  spool: false,
})
for (const [, token = ""] of (await text(process.stdin)).matchAll(/^Belay-Operation: (\S+)$/gm)) {
  const work = belay.resume(token)
  if (outcome === "reverted") work.reverted()
  else work.merged()
}
const { isComplete } = await belay.shutdown({ deadlineMs: 10_000 })
if (!isComplete) console.warn("Belay was not told: its endpoint did not answer")
