import { sql } from "kysely"
import { expect, onTestFinished, vi } from "vitest"
import { runSurvival } from "#sdk/cli/survival/survival.ts"
import { createRepository, DAY_0 } from "#sdk/cli/survival/test-repository.ts"
import { toToken } from "#sdk/token.ts"
import { asTenant, type TenantTx } from "#server/db/tenant.ts"
import { listWebhookDeliveries, listWebhookEndpoints, makeWebhookSecret } from "#server/outcomes/endpoints.ts"
import { branchDigest, type Provider } from "#server/outcomes/events.ts"
import { noteNews } from "#server/outcomes/news.ts"
import { countJoins, getTaskLife, listRungOutcomes, listRungSurvival } from "#server/outcomes/queries.ts"
import { type Looked, settleAll } from "#server/outcomes/settle.ts"
import { verifyRollups } from "#server/rollup/rebuild.ts"
import { readAuthSecret } from "#server/sign-in/auth.ts"
import { ADMIN, INGEST_KEY, startTestBelay } from "../belay.ts"
import { createCodeHost, type Delivery, delivery, readWebhook } from "../code-host.ts"
import { type TestDatabase, test } from "../db.ts"
import { makeSignal } from "../factories.ts"

const [HEAD, MERGE, REVERT] = ["a".repeat(40), "b".repeat(40), "9".repeat(40)]
const PEOPLE = ["ada", "bob", "cyd", "dan", "eve"]
const RAN_AT = new Date("2026-11-10T08:40:00Z")

async function start(database: TestDatabase, provider: Provider = "github") {
  const belay = await startTestBelay(database)
  const { orgId } = belay
  const account = await database.owner
    .selectFrom("account")
    .select("id")
    .where("email", "=", ADMIN.email)
    .executeTakeFirstOrThrow()
  const by = { orgId, actorId: account.id, actorEmail: ADMIN.email, occurredAt: belay.now(), requestId: "request" }
  const secret = await readAuthSecret(database.auth, undefined)
  const work = <T>(of: (tx: TenantTx) => Promise<T>) => asTenant(database.app, orgId, of)
  const makeSecret = () => work((tx) => makeWebhookSecret(tx, { provider, secret, by }))
  const { id, webhookSecret } = await makeSecret()
  const url = `${belay.url}/webhooks/${provider}/${id}`
  const options = { worker: database.worker, app: database.app, store: belay.store }
  const looked = new Map<string, Looked>()
  return {
    belay,
    orgId,
    work,
    url,
    webhookSecret,
    makeSecret,
    host: createCodeHost(provider, url, webhookSecret),
    /** What Belay does every few seconds. */
    settle: async () => {
      await belay.count()
      await settleAll(options, belay.now(), looked)
      await belay.count()
    },
    /** One agent task of each person, of which the outcome is a matter of its own. */
    runTasks: async () => {
      await belay.store.store(orgId, {
        signals: PEOPLE.map((person, index) =>
          makeSignal({
            person,
            kind: "task",
            rung: "agent",
            at: RAN_AT,
            operationId: `task-${index + 1}`,
            outcome: "accepted",
            origin: "human",
          }),
        ),
        unrecognized: [],
      })
    },
  }
}

/** A task's change from its push to its revert three days after the merge, in the order in which it happened. */
async function lifeOfChange(): Promise<readonly Delivery[]> {
  const [push, pull, review, check] = await Promise.all(
    ["github-push", "github-pull_request", "github-pull_request_review", "github-check_suite"].map(readWebhook),
  )
  const pullRequest = { ...(pull?.["pull_request"] as object), body: "Words" }
  const repository = { ...(pull?.["repository"] as object), pushed_at: Date.parse("2026-11-10T12:00:01Z") / 1000 }
  const pushToMain = (id: string, message: string, at: string) => ({
    ref: "refs/heads/main",
    repository: { ...repository, pushed_at: Date.parse(at) / 1000 },
    commits: [{ id, message, timestamp: at, added: [], modified: ["src/a.ts"], removed: [] }],
  })
  const merged = {
    ...pullRequest,
    state: "closed",
    updated_at: "2026-11-10T12:00:00Z",
    closed_at: "2026-11-10T12:00:00Z",
    merged_at: "2026-11-10T12:00:00Z",
    merge_commit_sha: MERGE,
  }
  return [
    delivery("push", push),
    delivery("pull_request", { ...pull, pull_request: pullRequest }),
    delivery("check_suite", check),
    delivery("pull_request_review", review),
    delivery("pull_request", { ...pull, action: "closed", pull_request: merged }),
    delivery("push", pushToMain(MERGE, "Merge pull request #7", "2026-11-10T12:00:01Z")),
    delivery("push", pushToMain(REVERT, `Revert\n\nThis reverts commit ${MERGE}.`, "2026-11-13T12:00:00Z")),
  ]
}

async function snapshot(database: TestDatabase) {
  const tables = ["change_event", "change_request", "change_operation", "late_outcome"]
  const rows = await Promise.all(
    tables.map((table) =>
      sql`select to_jsonb(t) - array['org_id', 'received_at', 'updated_at', 'joined_at', 'settled_at'] as row
          from ${sql.table(table)} t order by 1`.execute(database.owner),
    ),
  )
  return rows.map((result) => result.rows)
}

test("from an agent's task to its revert: the task shows it, the rung's outcomes fall, and the rollups are those of a rebuild", async ({
  database,
}) => {
  const { belay, orgId, work, host, settle, runTasks } = await start(database)
  await runTasks()
  const deliveries = await lifeOfChange()
  const life = () => work((tx) => getTaskLife(tx, { operationId: "task-1", now: belay.now() }))
  const joins = () => work((tx) => countJoins(tx, RAN_AT))
  const agent = async () => {
    const range = { from: new Date("2026-11-01T00:00:00Z"), to: belay.now() }
    return (await work((tx) => listRungOutcomes(tx, range))).find(({ rung }) => rung === "agent")
  }
  for (const one of deliveries.slice(0, -1)) expect(await host.deliver(one)).toBe(202)
  expect(await joins()).toMatchObject({ changes: 1, joined: 1, by: { trailer: 1 }, unheardOf: 1 })
  expect(
    await report(
      belay.url,
      PEOPLE.slice(1).map((_, index) => mergedTask(index + 2)),
    ),
  ).toMatchObject({ taken: 4 })
  await settle()
  expect(await joins()).toMatchObject({ joined: 1, unheardOf: 0 })
  expect(await agent()).toEqual({ rung: "agent", state: "shown", decided: 5, acceptance: 1, survival: 1 })
  expect(await life()).toMatchObject({ standing: "alive_7_days" })

  expect(await host.deliver(deliveries.at(-1) ?? delivery("", {}))).toBe(202)
  await settle()
  expect(await life()).toEqual({
    standing: "reverted",
    stages: [
      { stage: "ran", at: RAN_AT },
      { stage: "verified", at: new Date("2026-11-10T09:20:00Z") },
      { stage: "reviewed", at: new Date("2026-11-10T11:00:00Z") },
      { stage: "merged", at: new Date("2026-11-10T12:00:00Z") },
      { stage: "alive_1_day", at: new Date("2026-11-11T12:00:00Z") },
      { stage: "reverted", at: new Date("2026-11-13T12:00:00Z") },
    ],
    changes: [{ provider: "github", repository: "acme/shop", number: 7, evidence: ["trailer"] }],
    survival: [],
  })
  expect(await agent()).toEqual({ rung: "agent", state: "shown", decided: 5, acceptance: 0.8, survival: 0.8 })
  const signals = await sql`
    select s.outcome, s.origin, s.rung, s.developer_id = o.developer_id as is_of_person
    from signal s join operation o using (org_id, operation_id)
    where s.kind = 'outcome' and s.operation_id = 'task-1' order by s.observed_at`.execute(database.owner)
  const ofPerson = { origin: "human", rung: "agent", is_of_person: true }
  expect(signals.rows).toEqual([
    { outcome: "merged", ...ofPerson },
    { outcome: "reverted", ...ofPerson },
  ])
  const differences = await verifyRollups(database.worker, orgId, { now: belay.now(), isRepair: false })
  expect(differences.filter(({ wrong, missing }) => wrong + missing > 0)).toEqual([])
  expect(differences.find(({ table }) => table === "signal_hour")?.rows).toBeGreaterThan(0)
  await belay.close()
})

test("late, twice, out of order and among forgeries: the same end state, and nothing is lost or counted twice", async ({
  database,
}) => {
  const deliveries = await lifeOfChange()
  const inOrder = await start(database)
  await inOrder.runTasks()
  for (const one of deliveries) await inOrder.host.deliver(one)
  await inOrder.settle()
  const wanted = await snapshot(database)
  expect(wanted.map((rows) => rows.length)).toEqual([8, 1, 1, 2])
  await inOrder.belay.close()

  // Everything is forgotten, and comes again in the worst way.
  await sql`truncate change_event, change_request, change_operation, late_outcome, webhook_delivery, webhook_endpoint`.execute(
    database.owner,
  )
  await sql`truncate signal_occurrence`.execute(database.owner)
  await sql`delete from signal where kind = 'outcome'`.execute(database.owner)
  const { belay, work, host, settle, webhookSecret, url } = await start(database)
  for (const one of deliveries.toReversed()) {
    expect(await host.deliver(one, "wrong")).toBe(401)
    expect(await host.deliver(one)).toBe(202)
    await settle()
  }
  for (const one of deliveries) {
    expect(await host.deliver(one)).toBe(202)
    // What was recorded on its way, under another name.
    expect(await host.deliver({ ...one, id: "replayed" })).toBe(202)
  }
  await Promise.all(deliveries.map((one) => createCodeHost("github", url, webhookSecret).deliver(one)))
  await settle()
  expect(await snapshot(database)).toEqual(wanted)
  const outcomes = await sql`select outcome from signal where kind = 'outcome' order by observed_at`.execute(
    database.owner,
  )
  expect(outcomes.rows).toEqual([{ outcome: "merged" }, { outcome: "reverted" }])
  expect(await work((tx) => listWebhookEndpoints(tx))).toMatchObject([{ provider: "github", refused: 7 }])
  expect(await work((tx) => listWebhookDeliveries(tx, 50))).toHaveLength(8)
  await belay.close()
})

test("commits that agents report join as trailers do; what nobody reports is counted as such", async ({ database }) => {
  const { belay, orgId, work, host, settle } = await start(database, "gitlab")
  const merge = await readWebhook("gitlab-merge_request")
  const attributes = { ...(merge["object_attributes"] as object), description: "Words" }
  expect(await host.deliver(delivery("Merge Request Hook", { ...merge, object_attributes: attributes }))).toBe(202)
  const other = { ...attributes, iid: 8, source_branch: "other", last_commit: null, merge_commit_sha: null }
  expect(await host.deliver(delivery("Merge Request Hook", { ...merge, object_attributes: other }))).toBe(202)
  await settle()
  const counts = () => work((tx) => countJoins(tx, RAN_AT))
  expect(await counts()).toEqual({
    changes: 2,
    joined: 0,
    by: { trailer: 0, commit_id: 0, session: 0, author_time: 0 },
    unheardOf: 0,
    unjoined: 2,
    waiting: 0,
    tooOld: 0,
  })
  const of = { person: "ada", rung: "agent" as const, operationId: "task-1", at: RAN_AT }
  await belay.store.store(orgId, {
    signals: [
      makeSignal({ ...of, kind: "task" }),
      makeSignal({ ...of, kind: "outcome", action: `commit ${HEAD.slice(0, 7)}` }),
    ],
    unrecognized: [],
  })
  await settle()
  expect(await counts()).toMatchObject({ changes: 2, joined: 1, by: { commit_id: 1 }, unjoined: 1 })
  const life = await work((tx) => getTaskLife(tx, { operationId: "task-1", now: belay.now() }))
  expect(life).toMatchObject({ standing: "alive_7_days", changes: [{ number: 7, evidence: ["commit_id"] }] })
  const differences = await verifyRollups(database.worker, orgId, { now: belay.now(), isRepair: false })
  expect(differences.filter(({ wrong, missing }) => wrong + missing > 0)).toEqual([])
  expect(differences.find(({ table }) => table === "operation_commit")).toMatchObject({ rows: 1 })
  // A change that is told of later, when no agent says anything new.
  const late = { ...attributes, iid: 9, source_branch: "late" }
  expect(await host.deliver(delivery("Merge Request Hook", { ...merge, object_attributes: late }))).toBe(202)
  await settle()
  expect(await counts()).toMatchObject({ changes: 3, joined: 2 })
  // While nothing is new, nothing is looked at; then all is. New are also the outcomes that it has just sent.
  await settle()
  await database.owner.deleteFrom("joined_operation").execute()
  const placed = () => database.owner.selectFrom("joined_operation").select("operation_id").execute()
  await settle()
  expect(await placed()).toEqual([])
  await work((tx) => noteNews(tx, orgId))
  await settle()
  expect(await placed()).toEqual([{ operation_id: "task-1" }])
  // An agent that worked on the branch of the other, and the one author's of one more.
  const session = { ...of, operationId: "task-2", sessionId: "session-2" }
  const mona = { kind: "email" as const, value: "mona@example.com" }
  await belay.store.store(orgId, {
    signals: [
      makeSignal({ ...session, kind: "task" }),
      makeSignal({ ...session, kind: "outcome", action: `branch ${branchDigest("acme/shop", "other")}` }),
      makeSignal({ ...of, identity: mona, operationId: "task-3", kind: "task", repository: "acme/shop" }),
    ],
    unrecognized: [],
  })
  const push = await readWebhook("gitlab-push")
  const commits = (push["commits"] as object[]).map((commit) => ({
    ...commit,
    id: "c".repeat(40),
    message: "Words",
    timestamp: "2026-11-10T08:30:00Z",
  }))
  expect(await host.deliver(delivery("Push Hook", { ...push, ref: "refs/heads/mine", commits }))).toBe(202)
  const mine = { ...attributes, iid: 10, source_branch: "mine", last_commit: null, merge_commit_sha: null }
  expect(await host.deliver(delivery("Merge Request Hook", { ...merge, object_attributes: mine }))).toBe(202)
  belay.advance(60_000)
  await settle()
  expect(await counts()).toMatchObject({ changes: 4, joined: 4, by: { commit_id: 2, session: 1, author_time: 1 } })
  expect(await work((tx) => getTaskLife(tx, { operationId: "task-3", now: belay.now() }))).toMatchObject({
    standing: "alive_7_days",
    changes: [{ number: 10, evidence: ["author_time"] }],
  })
  await belay.close()
})

test("a secret that was changed is taken for a day more; a wrong address, body or method is refused", async ({
  database,
}) => {
  const { belay, host, url, makeSecret, work, settle } = await start(database)
  const [push] = await lifeOfChange()
  if (push === undefined) throw new Error("no delivery")
  const { webhookSecret } = await makeSecret()
  expect([await host.deliver(push), await host.deliver(push, webhookSecret)]).toEqual([202, 202])
  belay.advance(25 * 3_600_000)
  expect([await host.deliver(push), await host.deliver(push, webhookSecret)]).toEqual([401, 202])
  const elsewhere = createCodeHost("github", url.replace(/.{4}$/, "0000"), webhookSecret)
  const asGitlab = createCodeHost("gitlab", url.replace("github", "gitlab"), webhookSecret)
  expect([await elsewhere.deliver(push), await asGitlab.deliver(push)]).toEqual([404, 404])
  expect(await host.deliver({ ...push, payload: { ref: 7 } }, webhookSecret)).toBe(422)
  expect((await fetch(url)).status).toBe(405)
  expect((await fetch(`${belay.url}/webhooks/elsewhere`, { method: "POST" })).status).toBe(404)
  // Nothing of it is read into memory, and only as much at all that its sender sees the answer.
  const huge = async (address: string, headers: Record<string, string>) => {
    const body = Buffer.alloc(64 * 1024 * 1024)
    const sent = fetch(address, { method: "POST", body, headers }).then((answer) => answer.status)
    return sent.catch(() => "cut off")
  }
  const unknown = url.replace(/.{4}$/, "0000")
  expect([404, "cut off"]).toContain(await huge(unknown, {}))
  expect([401, "cut off"]).toContain(await huge(url, {}))
  expect([413, "cut off"]).toContain(await huge(url, { "x-hub-signature-256": `sha256=${"0".repeat(64)}` }))
  expect(await host.deliver(push, webhookSecret)).toBe(202)
  await settle()
  expect(await work((tx) => listWebhookDeliveries(tx, 50))).not.toEqual([])
  belay.advance(31 * 86_400_000)
  await settle()
  expect(await work((tx) => listWebhookDeliveries(tx, 50))).toEqual([])
  await belay.close()
})

const mergedTask = (index: number) => ({
  id: `merge of ${index}`,
  operation: toToken({ rung: "agent", operationId: `task-${index}`, sessionId: undefined }),
  outcome: "merged",
  at: "2026-11-10T12:00:00Z",
})

async function report(url: string, outcomes: readonly object[], key = INGEST_KEY): Promise<object> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" }
  const answer = await fetch(`${url}/v1/outcomes`, { method: "POST", headers, body: JSON.stringify({ outcomes }) })
  return { status: answer.status, ...((await answer.json()) as object) }
}

test("any other system reports outcomes, once however often it does, also before the operation is known", async ({
  database,
}) => {
  const { belay, work, settle, runTasks } = await start(database)
  const outcomes = [mergedTask(1), mergedTask(2)]
  expect(await report(belay.url, outcomes)).toEqual({ status: 200, taken: 2, known: 0 })
  expect(await report(belay.url, outcomes)).toEqual({ status: 200, taken: 0, known: 2 })
  await settle()
  expect(await work((tx) => countJoins(tx, RAN_AT))).toMatchObject({ waiting: 2 })
  await runTasks()
  await settle()
  expect(await work((tx) => countJoins(tx, RAN_AT))).toMatchObject({ waiting: 0 })
  expect(await work((tx) => getTaskLife(tx, { operationId: "task-2", now: belay.now() }))).toMatchObject({
    standing: "alive_7_days",
    changes: [],
  })
  expect(await report(belay.url, outcomes, "wrong")).toMatchObject({ status: 401, error: "unknown_key" })
  expect(await report(belay.url, [{ ...mergedTask(1), operation: "task-1" }])).toMatchObject({ status: 422 })
  expect(await report(belay.url, [])).toMatchObject({ status: 422 })
  await belay.close()
})

test("a change whose revert is reverted stands again, whichever is heard of first", async ({ database }) => {
  const { belay, work, host, settle, runTasks } = await start(database)
  await runTasks()
  const deliveries = await lifeOfChange()
  const push = deliveries.at(-1)?.payload as { repository: object; commits: object[] }
  const reapplied = {
    ...push,
    repository: { ...push.repository, pushed_at: Date.parse("2026-11-18T12:00:00Z") / 1000 },
    commits: push.commits.map((commit) => ({
      ...commit,
      id: "8".repeat(40),
      message: `Reapply\n\nThis reverts commit ${REVERT}.`,
    })),
  }
  const reapply = delivery("push", reapplied)
  const life = () => work((tx) => getTaskLife(tx, { operationId: "task-1", now: belay.now() }))
  for (const one of [...deliveries, reapply]) {
    expect(await host.deliver(one)).toBe(202)
    await settle()
  }
  const wanted = await snapshot(database)
  expect(await life()).toMatchObject({ standing: "restored" })
  const stages = Object.fromEntries((await life())?.stages.map(({ stage, at }) => [stage, at.toISOString()]) ?? [])
  expect(stages).toMatchObject({ reverted: "2026-11-13T12:00:00.000Z", restored: "2026-11-18T12:00:00.000Z" })
  // After seven days it was not there.
  expect(Object.keys(stages)).not.toContain("alive_7_days")
  const others = PEOPLE.slice(1).map((_, index) => mergedTask(index + 2))
  expect(await report(belay.url, others)).toMatchObject({ taken: 4 })
  await settle()
  const range = { from: new Date("2026-11-01T00:00:00Z"), to: belay.now() }
  const outcomes = (await work((tx) => listRungOutcomes(tx, range))).find(({ rung }) => rung === "agent")
  expect(outcomes).toMatchObject({ decided: 5, acceptance: 1, survival: 1 })
  await sql`truncate change_event, change_request, change_operation, late_outcome, webhook_delivery`.execute(
    database.owner,
  )
  for (const one of [reapply, ...deliveries.toReversed()]) expect(await host.deliver(one)).toBe(202)
  await settle()
  expect(await snapshot(database)).toEqual(wanted)
  await belay.close()
})

test("belay survival and Belay understand each other: counted in a repository, seen in the task's life", async ({
  database,
}) => {
  const { belay, work, settle, runTasks } = await start(database)
  await runTasks()
  await settle()
  const repository = createRepository()
  onTestFinished(() => repository.remove())
  repository.write("src/a.ts", ["const first = 1", "const second = 2", "const third = 3"])
  repository.commit("Work", "task-1")
  repository.day = 3
  repository.write("src/a.ts", ["const first = 1"])
  repository.commit("Less of it")
  const { folder } = repository
  const env = { BELAY_ENDPOINT: belay.url, BELAY_INGEST_KEY: INGEST_KEY }
  const now = () => DAY_0 + 10 * 86_400_000
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true)
  try {
    const host = { env, home: folder, cwd: folder, platform: "linux", now } as const
    expect([await runSurvival([], host), await runSurvival([], host)]).toEqual([0, 0])
    expect(written.mock.calls.flat().join("")).toContain("0 sent, 3 known already")
  } finally {
    written.mockRestore()
  }
  expect(await work((tx) => getTaskLife(tx, { operationId: "task-1", now: belay.now() }))).toMatchObject({
    survival: [
      { after: "merge", lines: 3, standing: 3 },
      { after: "1d", lines: 3, standing: 3 },
      { after: "7d", lines: 3, standing: 1 },
    ],
  })
  await belay.close()
})

test("what belay survival counts is a rung's survival, from k people on, and tells of reverts that no host told of", async ({
  database,
}) => {
  const { belay, work, settle, runTasks } = await start(database)
  await runTasks()
  await settle()
  const range = { from: new Date("2026-11-01T00:00:00Z"), to: belay.now() }
  const agent = async () => (await work((tx) => listRungSurvival(tx, range))).filter(({ rung }) => rung === "agent")
  const counted = (
    index: number,
    after: string,
    lines: number,
    standing: number,
    revertedAt: string | null = null,
  ) => ({
    ...mergedTask(index),
    id: `survival:${index}:${after}`,
    outcome: "survived",
    at: after === "merge" ? "2026-11-10T12:00:00Z" : "2026-11-17T12:00:00Z",
    survival: { after, commit: MERGE, lines, standing, revertedAt },
  })
  const merged = [1, 2, 3, 4].map((index) => counted(index, "merge", 10, 10))
  expect(await report(belay.url, merged)).toEqual({ status: 200, taken: 4, known: 0 })
  expect(await agent()).toMatchObject([{ after: "merge", state: "withheld", survival: null }, {}, {}, {}, {}])
  const later = [1, 2, 3, 4, 5].map((index) => counted(index, "7d", 10, index === 1 ? 0 : 8))
  const taken = { ...later[0], survival: { ...later[0]?.survival, revertedAt: "2026-11-12T09:00:00Z" } }
  expect(await report(belay.url, [...merged, counted(5, "merge", 60, 50), taken, ...later.slice(1)])).toMatchObject({
    taken: 6,
    known: 4,
  })
  expect(await agent()).toEqual([
    { rung: "agent", after: "merge", state: "shown", operations: 5, survival: 0.9 },
    { rung: "agent", after: "1d", state: "no_data", operations: null, survival: null },
    { rung: "agent", after: "7d", state: "shown", operations: 5, survival: 0.64 },
    { rung: "agent", after: "14d", state: "no_data", operations: null, survival: null },
    { rung: "agent", after: "30d", state: "no_data", operations: null, survival: null },
  ])
  const outcomes = (await work((tx) => listRungOutcomes(tx, range))).find(({ rung }) => rung === "agent")
  expect(outcomes).toEqual({ rung: "agent", state: "shown", decided: 5, acceptance: 0.8, survival: 0.8 })
  expect(await work((tx) => getTaskLife(tx, { operationId: "task-1", now: belay.now() }))).toMatchObject({
    standing: "reverted",
    survival: [
      { after: "merge", lines: 10, standing: 10 },
      { after: "7d", lines: 10, standing: 0 },
    ],
  })
  expect(await report(belay.url, [counted(2, "1d", 10, 11)])).toMatchObject({ status: 422 })
  await belay.close()
})
