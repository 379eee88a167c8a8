import { mkdtemp, rm } from "node:fs/promises"
import { get, type IncomingMessage } from "node:http"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import type { PolicyDocument } from "#sdk/policy/document.ts"
import { compilePolicy } from "#sdk/policy/compile.ts"
import { decide } from "#sdk/policy/decide.ts"
import { openPolicy, type PolicyKey, type SignedPolicy } from "#sdk/policy/envelope.ts"
import { openDatabase } from "#server/db/client.ts"
import { asTenant } from "#server/db/tenant.ts"
import { type PolicyActor, saveDraft } from "#server/policy/drafts.ts"
import { publishDraft } from "#server/policy/publish.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { spawnBelay } from "../spawn.ts"

/**
 * `npm run bench:policy-push`: how long after a policy is published the clients that listen decide by it: signature checked,
 * compiled, and an action decided on. Clients, each with a person of its own, and Belay share the machine.
 */
const { values: flags } = parseArgs({
  options: { clients: { type: "string", default: "500" }, rounds: { type: "string", default: "10" } },
})
const [clients, rounds] = [Number(flags.clients), Number(flags.rounds)]
const ORGANIZATION = { kind: "organization" } as const

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
const belay = await spawnBelay(dataDir)
const database = openDatabase({ url: belay.ready.databaseUrl, role: "belay_app", max: 2, applicationName: "bench" })
const owner = openDatabase({ url: belay.ready.databaseUrl, max: 1, applicationName: "bench owner" })
const answers: IncomingMessage[] = []
try {
  await run()
} finally {
  for (const answer of answers) answer.destroy()
  await Promise.all([database.close(), owner.close()])
  await belay.end("SIGTERM")
  await rm(dataDir, { recursive: true, force: true })
}

async function run(): Promise<void> {
  const {
    id: actorId,
    org_id: orgId,
    email,
  } = await owner.kysely.selectFrom("account").select(["id", "org_id", "email"]).executeTakeFirstOrThrow()
  const by: PolicyActor = { orgId, actorId, actorEmail: email, occurredAt: new Date(), requestId: "bench" }
  const made = await asTenant(database.kysely, orgId, (tx) =>
    createIngestKey(tx, { name: "bench", scopes: ["policy:read"], teamId: null, agentTool: null, expiresAt: null, by }),
  )
  const authorization = `Bearer ${made.ok ? made.key : ""}`
  const known = await fetch(`${belay.ready.url}/v1/policy/keys`, { headers: { authorization } })
  const { keys } = (await known.json()) as { keys: readonly PolicyKey[] }

  let enforced: number[] = []
  let round = 0
  let onAll: () => void = () => {}
  const onPolicy = (policy: SignedPolicy) => {
    const compiled = compilePolicy(policy.bundle)
    const { effect } = decide(compiled, { kind: "shell", command: `run-${round}` }, { nowMs: Date.now() })
    if (effect !== "deny") return
    enforced.push(performance.now())
    if (enforced.length === clients) onAll()
  }
  for (let at = 0; at < clients; at++) await listen(authorization, `person-${at}@example.com`, keys, onPolicy)

  const delays: number[] = []
  for (round = 1; round <= rounds; round++) {
    enforced = []
    const all = new Promise<void>((resolve) => (onAll = resolve))
    const document: PolicyDocument = {
      schema: "belay.policy/1",
      permissions: { rules: [{ id: "no", effect: "deny", action: "shell", pattern: `run-${round}` }] },
    }
    const publishedAt = await asTenant(database.kysely, orgId, async (tx) => {
      await saveDraft(tx, { target: ORGANIZATION, revision: null, document, by })
      const startedAt = performance.now()
      await publishDraft(tx, { target: ORGANIZATION, revision: 1, note: null, by })
      return startedAt
    })
    await all
    delays.push(...enforced.map((at) => at - publishedAt))
  }
  const sorted = delays.toSorted((a, b) => a - b)
  const quantile = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN)
  const figures = { clients, rounds, p50_ms: quantile(0.5), p99_ms: quantile(0.99), max_ms: quantile(1) }
  console.log(
    `Publish to enforced, ${clients} listening clients, ${rounds} rounds; node ${process.version}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(2)}.`,
  )
  console.log(`p50 ${figures.p50_ms} ms, p99 ${figures.p99_ms} ms, the last client ${figures.max_ms} ms`)
  console.log(`\n${JSON.stringify({ bench: "policy-push", figures })}`)
}

/** Listens as one client; resolves once it is connected. */
function listen(
  authorization: string,
  enduser: string,
  keys: readonly PolicyKey[],
  onPolicy: (policy: SignedPolicy) => void,
): Promise<void> {
  let inForce: SignedPolicy | null = null
  return new Promise((resolve, reject) => {
    const headers = { authorization, "belay-enduser": enduser }
    get(`${belay.ready.url}/v1/policy/events`, { headers, agent: false }, (answer) => {
      answers.push(answer)
      let text = ""
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk
        const events = text.split("\n\n")
        text = events.pop() ?? ""
        for (const event of events) {
          const data = /^data: (.*)$/m.exec(event)?.[1]
          if (data === undefined) continue
          const opened = openPolicy(data, { keys, inForce })
          if (!opened.ok) throw new Error(opened.reason)
          inForce = opened.policy
          onPolicy(opened.policy)
        }
      })
      // It is cut off at the end.
      answer.on("error", () => {})
      resolve()
    }).on("error", reject)
  })
}
