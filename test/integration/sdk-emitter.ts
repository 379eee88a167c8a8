/**
 * An agent under load: 20 suggestions in every turn of the event loop, numbered, until it is killed. After each turn it
 * says how many of them are on disk, which is what has to arrive whatever happens to it.
 */
import { writeSync } from "node:fs"
import { startBelay } from "#sdk/belay.ts"

const [endpoint = "", folder = "", session = ""] = process.argv.slice(2)
const belay = startBelay({
  endpoint,
  ingestKey: "blk_test_key_0123456789abcdefgh",
  agent: { name: "emitter" },
  user: "ada@example.com",
  spool: { folder },
  delayMs: 20,
})
for (let number = 0; ;) {
  for (let index = 0; index < 20; index++) {
    belay.autocomplete.suggest({ sessionId: session }).shown().accepted({ lines: number++ })
  }
  await new Promise((resolve) => {
    setTimeout(resolve, 1)
  })
  writeSync(1, `${belay.stats().spooled}\n`)
}
