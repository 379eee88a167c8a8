import { createInterface } from "node:readline/promises"
import { startBelay } from "../index.ts"
import { publishedPolicy } from "../policy/client.ts"

/**
 * Runs a shell command only if the policy that is published in Belay lets it; asks where it says so. In a program of yours
 * the imports are from "@belay/sdk" and "@belay/sdk/policy-client".
 *
 *     BELAY_ENDPOINT=http://127.0.0.1:4318 BELAY_INGEST_KEY=blk_… node policy.ts git push
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "", BELAY_USER = "ada@example.com" } = process.env
const command = process.argv.slice(2).join(" ")

// An agent that stays does not wait: it has the last good policy from the start, and each new one when it is pushed.
let isAsked = () => {}
const asked = new Promise<void>((resolve) => {
  isAsked = resolve
})
const patience = setTimeout(isAsked, 3000)

const belay = startBelay({
  endpoint: BELAY_ENDPOINT,
  ingestKey: BELAY_INGEST_KEY,
  agent: { name: "example-agent", version: "1.0.0" },
  user: BELAY_USER,
  surface: "terminal",
  spool: false,
  policy: publishedPolicy({ folder: false, onChange: isAsked }),
  async onPrompt(_action, { reason }) {
    const line = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await line.question(`${reason ?? "The policy wants you to decide."} Run ${command}? [y/N] `)
    line.close()
    return answer.trim() === "y"
  },
})
await asked
clearTimeout(patience)

const { isAllowed, decision } = await belay.policy.check({
  action: "run",
  rung: "agent",
  workspace: process.cwd(),
  what: { kind: "shell", command },
})
const { effect, because, ruleId, reason, version } = decision
console.log(isAllowed ? "allowed" : "not allowed", JSON.stringify({ effect, because, ruleId, reason, version }))
await belay.shutdown()
