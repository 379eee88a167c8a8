import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, onTestFinished } from "vitest"
import { type Belay, startBelay } from "#sdk/belay.ts"
import { type PolicyState, publishedPolicy } from "#sdk/policy/client.ts"
import { POLICY_SCHEMA, type PolicyDocument } from "#sdk/policy/document.ts"
import { asTenant } from "#server/db/tenant.ts"
import { type PolicyActor, saveDraft } from "#server/policy/drafts.ts"
import { publishDraft, rollBack } from "#server/policy/publish.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { recountAll } from "#server/spend/loop.ts"
import { ADMIN, startTestBelay, type TestBelay } from "../belay.ts"
import { type TestDatabase, test as databaseTest } from "../db.ts"
import { emailOf, makeSignal, storeSignals } from "../factories.ts"

const test = databaseTest
  .extend("folder", ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-policy-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    return folder
  })
  // Closed before its database goes.
  .extend("installation", async ({ database }, { onCleanup }) => {
    const start = () => startTestBelay(database, { now: new Date() })
    let running = await start()
    onCleanup(() => running.close())
    return {
      first: running,
      stop: () => running.close(),
      async start() {
        running = await start()
        return running
      },
    }
  })

const ORGANIZATION = { kind: "organization" } as const

/** Stands where agents look for Belay, whichever port it has after a start. */
async function openGate() {
  let port = 0
  const sockets = new Set<Socket>()
  const server = createServer((incoming) => {
    const outgoing = connect(port, "127.0.0.1")
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from)
      from.pipe(to)
      from.on("error", () => to.destroy())
      from.on("close", () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  )
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    leadTo(url: string) {
      port = Number(new URL(url).port)
    },
  }
}

/** The admin of the first start, who publishes. */
async function makeAdmin({ owner }: TestDatabase, { orgId, now }: TestBelay): Promise<PolicyActor> {
  const account = await owner
    .selectFrom("account")
    .select("id")
    .where("email", "=", ADMIN.email)
    .executeTakeFirstOrThrow()
  return { orgId, actorId: account.id, actorEmail: ADMIN.email, occurredAt: now(), requestId: "request" }
}

const denying = (pattern: string): PolicyDocument => ({
  schema: POLICY_SCHEMA,
  permissions: { rules: [{ id: "no", effect: "deny", action: "shell", pattern }] },
})

function effectOf(belay: Belay, command: string): string {
  const { effect, version } = belay.policy.decide({ action: "run", rung: "agent", what: { kind: "shell", command } })
  return `${effect} ${version}`
}

test("an agent obeys what is published and rolled back within moments, and keeps it while Belay is away", async ({
  database,
  folder,
  installation,
}) => {
  const gate = await openGate()
  gate.leadTo(installation.first.otlpUrl)
  const by = await makeAdmin(database, installation.first)
  const work = <T>(of: Parameters<typeof asTenant<T>>[2]) => asTenant(database.app, by.orgId, of)
  const scopes = ["ingest", "policy:read"] as const
  const key = await work((tx) =>
    createIngestKey(tx, { name: "agents", scopes: [...scopes], teamId: null, agentTool: null, expiresAt: null, by }),
  )
  if (!key.ok) throw new Error(key.reason)
  const publish = (pattern: string) =>
    work(async (tx) => {
      await saveDraft(tx, { target: ORGANIZATION, revision: null, document: denying(pattern), by })
      return publishDraft(tx, { target: ORGANIZATION, revision: 1, note: null, by })
    })

  const start = (states: PolicyState[] = []) => {
    const belay = startBelay({
      endpoint: gate.endpoint,
      ingestKey: key.key,
      agent: { name: "release-bot", version: "3.2.0" },
      user: "ada@example.com",
      spool: false,
      policy: publishedPolicy({ folder, onChange: (state) => states.push(state) }),
    })
    onTestFinished(() => void belay.shutdown())
    return belay
  }
  const clients = () =>
    database.owner
      .selectFrom("policy_client")
      .select(["agent_tool", "state", "version", "refusal", "canary_effect"])
      .execute()

  const states: PolicyState[] = []
  const belay = start(states)
  await expect.poll(clients).toMatchObject([{ agent_tool: "release-bot", state: "none", version: null }])
  expect(effectOf(belay, "git push origin")).toBe("ask null")
  expect(await publish("git push *")).toMatchObject({ ok: true, release: 1 })
  await expect.poll(() => effectOf(belay, "git push origin")).toBe("deny 1")
  await publish("npm publish")
  await expect.poll(() => effectOf(belay, "npm publish")).toBe("deny 2")
  expect(effectOf(belay, "git push origin")).toBe("allow 2")
  await work((tx) => rollBack(tx, { target: ORGANIZATION, version: 1, note: null, by }))
  await expect.poll(() => effectOf(belay, "git push origin")).toBe("deny 3")
  const inForce = { agent_tool: "release-bot", state: "in_force", version: 3, refusal: null, canary_effect: "deny" }
  await expect.poll(clients).toEqual([inForce])

  await installation.stop()
  expect(effectOf(belay, "git push origin")).toBe("deny 3")
  // One that starts while nobody answers goes by what is on disk.
  expect(effectOf(start(), "git push origin")).toBe("deny 3")
  gate.leadTo((await installation.start()).otlpUrl)
  await publish("rm -rf *")
  await expect.poll(() => effectOf(belay, "rm -rf build"), { timeout: 20_000 }).toBe("deny 4")
  expect(states.map(({ state, refusal }) => [state, refusal])).toEqual(states.map(() => ["in_force", null]))
})

test("an agent stops when a budget is used up, as soon as Belay has counted it", async ({
  database,
  folder,
  installation,
}) => {
  const { first } = installation
  const by = await makeAdmin(database, first)
  const work = <T>(of: Parameters<typeof asTenant<T>>[2]) => asTenant(database.app, by.orgId, of)
  const scopes = ["ingest", "policy:read"] as const
  const key = await work((tx) =>
    createIngestKey(tx, { name: "agents", scopes: [...scopes], teamId: null, agentTool: null, expiresAt: null, by }),
  )
  if (!key.ok) throw new Error(key.reason)
  const limit = { unit: "tokens", amount: 1000 } as const
  const document: PolicyDocument = {
    schema: POLICY_SCHEMA,
    budgets: [{ id: "own", scope: "person", period: "month", limit, hard: "deny" }],
  }
  await work(async (tx) => {
    await saveDraft(tx, { target: ORGANIZATION, revision: null, document, by })
    await publishDraft(tx, { target: ORGANIZATION, revision: 1, note: null, by })
  })
  const call = (tokens: number) => makeSignal({ at: first.now(), kind: "model_call", inputTokens: tokens, model: "m" })
  const use = async (tokens: number) => {
    await storeSignals(database, by.orgId, [call(tokens)])
    await first.count()
    await recountAll(database, first.now())
  }
  await use(100)
  const belay = startBelay({
    endpoint: first.otlpUrl,
    ingestKey: key.key,
    agent: { name: "release-bot", version: "3.2.0" },
    user: emailOf("ada"),
    spool: false,
    policy: publishedPolicy({ folder }),
  })
  onTestFinished(() => void belay.shutdown())
  const effect = () => effectOf(belay, "ls")
  await expect.poll(effect, { timeout: 20_000 }).toBe("allow 1")
  await use(900)
  await expect.poll(effect, { timeout: 20_000 }).toBe("deny 1")
})
