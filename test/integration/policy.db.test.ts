import { sql } from "kysely"
import { expect, vi } from "vitest"
import { POLICY_SCHEMA, type PolicyDocument } from "#sdk/policy/document.ts"
import { openPolicy, type PolicyKey, type SignedPolicy } from "#sdk/policy/envelope.ts"
import { asTenant } from "#server/db/tenant.ts"
import { type PolicyActor, saveDraft } from "#server/policy/drafts.ts"
import type { LayerTarget } from "#server/policy/layers.ts"
import { publishDraft, rollBack } from "#server/policy/publish.ts"
import { createIngestKey } from "#server/team/ingest-keys.ts"
import { ADMIN, INGEST_KEY, startTestBelay } from "../belay.ts"
import { type TestDatabase, test } from "../db.ts"
import { emailOf, joinTeam, makeTeam } from "../factories.ts"

const ORGANIZATION: LayerTarget = { kind: "organization" }

async function start(database: TestDatabase) {
  const belay = await startTestBelay(database)
  const account = await database.owner
    .selectFrom("account")
    .select("id")
    .where("email", "=", ADMIN.email)
    .executeTakeFirstOrThrow()
  const by: PolicyActor = {
    orgId: belay.orgId,
    actorId: account.id,
    actorEmail: ADMIN.email,
    occurredAt: belay.now(),
    requestId: "request",
  }
  const made = await asTenant(database.app, belay.orgId, (tx) =>
    createIngestKey(tx, {
      name: "clients",
      scopes: ["policy:read"],
      teamId: null,
      agentTool: null,
      expiresAt: null,
      by,
    }),
  )
  const key = made.ok ? made.key : ""
  const ask = (path: string, init: RequestInit & { enduser?: string } = {}) => {
    const { enduser, headers, ...rest } = init
    return fetch(`${belay.url}${path}`, {
      ...rest,
      headers: {
        authorization: `Bearer ${key}`,
        ...(enduser !== undefined && { "belay-enduser": enduser }),
        ...(headers as Record<string, string>),
      },
    })
  }
  const keys = async () => ((await (await ask("/v1/policy/keys")).json()) as { keys: PolicyKey[] }).keys
  return { belay, by, ask, keys, orgId: belay.orgId }
}

type Started = Awaited<ReturnType<typeof start>>

const denying = (pattern: string): PolicyDocument => ({
  schema: POLICY_SCHEMA,
  permissions: { rules: [{ id: "no", effect: "deny", action: "shell", pattern, reason: "not here" }] },
})

async function publish(database: TestDatabase, { by }: Started, target: LayerTarget, pattern: string) {
  return asTenant(database.app, by.orgId, async (tx) => {
    await saveDraft(tx, { target, revision: null, document: denying(pattern), by })
    return publishDraft(tx, { target, revision: 1, note: null, by })
  })
}

async function open(answer: Response, keys: readonly PolicyKey[]): Promise<SignedPolicy> {
  const opened = openPolicy(await answer.text(), { keys, inForce: null })
  if (!opened.ok) throw new Error(opened.reason)
  return opened.policy
}

const patternsIn = ({ bundle }: SignedPolicy) =>
  bundle.layers.map(({ document }) => document.permissions?.rules?.[0]?.pattern)

test("a client gets the signed policy of its person, and not again while it stays as it is", async ({ database }) => {
  const started = await start(database)
  const { belay, ask, keys, orgId } = started
  expect([(await ask("/v1/policy")).status, await errorOf(await ask("/v1/policy"))]).toEqual([404, "no_policy"])
  const teamId = await makeTeam(database, orgId, "Payments")
  await joinTeam(database, { orgId, person: "ada", teamId, from: "2026-01-01" })
  await publish(database, started, ORGANIZATION, "git push *")
  await publish(database, started, { kind: "team", teamId }, "rm *")
  const answer = await ask("/v1/policy", { enduser: emailOf("Ada") })
  const policy = await open(answer, await keys())
  expect(patternsIn(policy)).toEqual(["git push *", "rm *"])
  expect(policy).toMatchObject({ organization: orgId, teams: [teamId], bundle: { version: 2 } })
  expect(patternsIn(await open(await ask("/v1/policy", { enduser: "nobody" }), await keys()))).toEqual(["git push *"])
  const known = { headers: { "if-none-match": answer.headers.get("etag") ?? "" }, enduser: emailOf("ada") }
  expect((await ask("/v1/policy", known)).status).toBe(304)
  await asTenant(database.app, orgId, async (tx) => {
    await publishAgain(tx, started)
  })
  expect((await ask("/v1/policy", known)).status).toBe(200)
  await belay.close()
})

async function publishAgain(tx: Parameters<Parameters<typeof asTenant>[2]>[0], { by }: Started) {
  await saveDraft(tx, { target: ORGANIZATION, revision: null, document: denying("npm publish *"), by })
  await publishDraft(tx, { target: ORGANIZATION, revision: 1, note: null, by })
}

async function errorOf(answer: Response): Promise<string> {
  return ((await answer.json()) as { error: string }).error
}

test("who listens is sent what is published, and the version before when it is rolled back", async ({ database }) => {
  const started = await start(database)
  const { belay, ask, keys, by } = started
  await publish(database, started, ORGANIZATION, "git push *")
  const events = await listen(await ask("/v1/policy/events"))
  await vi.waitFor(() => expect(events.seen).toHaveLength(1))
  await publish(database, started, ORGANIZATION, "rm *")
  await vi.waitFor(() => expect(events.seen).toHaveLength(2))
  await asTenant(database.app, belay.orgId, (tx) => rollBack(tx, { target: ORGANIZATION, version: 1, note: null, by }))
  await vi.waitFor(() => expect(events.seen).toHaveLength(3))
  const known = await keys()
  const policies = events.seen.map((data) => openPolicy(data, { keys: known, inForce: null }))
  expect(policies.map((opened) => opened.ok && [opened.policy.bundle.version, ...patternsIn(opened.policy)])).toEqual([
    [1, "git push *"],
    [2, "rm *"],
    [3, "git push *"],
  ])
  const again = await listen(await ask("/v1/policy/events", { headers: { "last-event-id": events.ids.at(-1) ?? "" } }))
  await publish(database, started, ORGANIZATION, "mkfs *")
  await vi.waitFor(() => expect(again.seen).toHaveLength(1))
  await Promise.all([events.close(), again.close()])
  await belay.close()
})

/** Reads server-sent events in the background. */
async function listen(answer: Response) {
  expect(answer.headers.get("content-type")).toBe("text/event-stream")
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  const [seen, ids]: [string[], string[]] = [[], []]
  const reading = (async () => {
    let text = ""
    for (;;) {
      const read = await reader?.read()
      if (read === undefined || read.done) return
      text += read.value
      const parts = text.split("\n\n")
      text = parts.pop() ?? ""
      for (const part of parts) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(part)?.[1]
        if (field("event") !== "policy") continue
        seen.push(field("data") ?? "")
        ids.push(field("id") ?? "")
      }
    }
  })()
  return {
    seen,
    ids,
    async close() {
      await reader?.cancel()
      await reading
    },
  }
}

test("decides for whoever cannot, says what is wrong with a question, and keeps nothing of it", async ({
  database,
}) => {
  const started = await start(database)
  const { belay, ask } = started
  await publish(database, started, ORGANIZATION, "git push *")
  const decide = (body: unknown) => ask("/v1/decide", { method: "POST", body: JSON.stringify(body) })
  const denied = await decide({
    action: { kind: "shell", command: "cd x && git push --force" },
    context: { rung: "agent" },
  })
  expect([denied.status, await denied.json()]).toEqual([
    200,
    expect.objectContaining({ effect: "deny", ruleId: "no", reason: "not here", layer: "organization", version: 1 }),
  ])
  const passed = await decide({ action: { kind: "shell", command: "git status" } })
  expect(await passed.json()).toMatchObject({ effect: "allow", because: "unset" })
  const wrong = await decide({ action: { kind: "shell" }, context: {} })
  expect([wrong.status, await wrong.json()]).toEqual([
    422,
    { error: "invalid", message: expect.stringContaining("command") },
  ])
  expect((await ask("/v1/decide", { method: "POST", body: "{" })).status).toBe(400)
  expect((await ask("/v1/decide", { method: "POST", body: "x".repeat(300_000) })).status).toBe(413)
  // What was decided is on record as a client's own decisions are, unless the client sends those itself.
  await decide({ action: { kind: "edit", path: "--force/x" }, context: { agentTool: "bot", repository: "acme/shop" } })
  await decide({ action: { kind: "shell", command: "git push --force" }, record: false })
  const kept = await sql`
    select kind, rung, agent_tool, repository, action, policy_effect, policy_because, policy_rule, policy_layer, policy_version
    from signal_readable order by policy_effect desc, action`.execute(database.owner)
  const unset = {
    kind: "policy_decision",
    rung: "agent",
    policy_effect: "allow",
    policy_because: "unset",
    policy_rule: null,
  }
  const nothing = { ...unset, agent_tool: "unknown", repository: null, policy_layer: null, policy_version: 1 }
  expect(kept.rows).toEqual([
    {
      ...nothing,
      action: "git push",
      policy_effect: "deny",
      policy_because: "rule",
      policy_rule: "no",
      policy_layer: "organization",
    },
    { ...nothing, action: "edit", agent_tool: "bot", repository: "acme/shop" },
    { ...nothing, action: "git status" },
  ])
  const tables = await sql<{ name: string }>`
    select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`.execute(
    database.owner,
  )
  for (const { name } of tables.rows) {
    const found = await sql`select from ${sql.table(name)} t where to_jsonb(t)::text like '%--force%'`.execute(
      database.owner,
    )
    expect(found.rows, name).toEqual([])
  }
  await belay.close()
})

test("a client's report is kept, and the last one counts", async ({ database }) => {
  const started = await start(database)
  const { belay, ask } = started
  const report = (body: object) => ask("/v1/policy/status", { method: "POST", body: JSON.stringify(body) })
  const client = { id: "laptop-1", agentTool: "claude-code", agentVersion: "2.1", belayVersion: "0.1.0" }
  expect((await report({ ...client, state: "in_force", version: 3, canary: "deny" })).status).toBe(204)
  belay.advance(60_000)
  expect((await report({ ...client, state: "last_good", version: 3, refusal: "wrong_signature" })).status).toBe(204)
  expect((await report({ ...client, state: "asleep" })).status).toBe(422)
  const rows = await database.owner.selectFrom("policy_client").selectAll().execute()
  expect(rows).toEqual([
    expect.objectContaining({
      id: "laptop-1",
      state: "last_good",
      version: 3,
      refusal: "wrong_signature",
      refused_at: belay.now(),
      canary_effect: "deny",
      canary_at: new Date(belay.now().getTime() - 60_000),
      first_seen_at: new Date(belay.now().getTime() - 60_000),
      seen_at: belay.now(),
    }),
  ])
  await belay.close()
})

test("an agent tool's own files are at addresses that stay, with a tag that changes when they do", async ({
  database,
}) => {
  const started = await start(database)
  const { belay, ask } = started
  expect((await ask("/v1/policy/native/claude-code")).status).toBe(404)
  await publish(database, started, ORGANIZATION, "git push *")
  const all = await ask("/v1/policy/native/claude-code")
  expect(await all.json()).toMatchObject({
    tool: "claude-code",
    version: 1,
    files: [{ name: "managed-settings.json", format: "json", paths: { linux: expect.stringContaining("/etc/") } }],
    losses: [
      expect.objectContaining({ ruleId: "no", direction: "looser" }),
      expect.objectContaining({ ruleId: null, direction: "looser" }),
    ],
  })
  const path = "/v1/policy/native/claude-code/managed-settings.json"
  const file = await ask(path)
  expect(file.headers.get("content-type")).toBe("application/json; charset=utf-8")
  expect(file.headers.get("belay-policy-version")).toBe("1")
  const settings = (await file.json()) as { permissions: { deny: string[] }; hooks?: object }
  expect(settings.permissions.deny).toEqual(["Bash(git push *)"])
  expect(settings.hooks).toBeUndefined()
  expect(await (await ask(`${path}?hook=/opt/belay`)).text()).toContain("/opt/belay hook claude-code")

  const etag = file.headers.get("etag") ?? ""
  expect((await ask(path, { headers: { "if-none-match": etag } })).status).toBe(304)
  await publish(database, started, ORGANIZATION, "git reset *")
  expect((await ask(path, { headers: { "if-none-match": etag } })).status).toBe(200)

  const unknown = await ask("/v1/policy/native/claude-code/settings.json")
  expect([unknown.status, await unknown.json()]).toEqual([
    404,
    { error: "no_such_file", message: "claude-code has no settings.json: its files are managed-settings.json." },
  ])
  expect((await ask("/v1/policy/native/clippy")).status).toBe(404)
  expect((await fetch(`${belay.url}${path}`)).status).toBe(401)
  await belay.close()
})

test("only a key that may read policies is answered, and only by the method that a path takes", async ({
  database,
}) => {
  const { belay, ask } = await start(database)
  const as = (path: string, authorization?: string) =>
    fetch(`${belay.url}${path}`, authorization === undefined ? {} : { headers: { authorization } })
  for (const path of ["/v1/policy", "/v1/policy/keys", "/v1/policy/events"]) {
    expect((await as(path)).status, path).toBe(401)
    expect((await as(path, "Bearer nonsense")).status, path).toBe(401)
    expect([(await as(path, `Bearer ${INGEST_KEY}`)).status, path]).toEqual([403, path])
  }
  expect((await ask("/v1/decide")).status).toBe(405)
  const described = (await (await as("/v1/openapi.json")).json()) as { paths: object }
  expect(Object.keys(described.paths)).toEqual([
    "/v1/policy",
    "/v1/policy/keys",
    "/v1/policy/events",
    "/v1/policy/native/{tool}",
    "/v1/policy/native/{tool}/{file}",
    "/v1/outcomes",
    "/v1/policy/budgets",
    "/v1/policy/status",
    "/v1/decide",
    "/api/v1/ladder",
    "/api/v1/moves",
    "/api/v1/usage",
    "/api/v1/latency",
    "/api/v1/outcomes",
    "/api/v1/incidents",
  ])
  await belay.close()
})
