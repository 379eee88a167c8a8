import { randomUUID } from "node:crypto"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { sql } from "kysely"
import { SMTPServer } from "smtp-server"
import { expect } from "vitest"
import { z } from "zod"
import { signWebhook } from "#server/alert/channels.ts"
import { type ChannelInput, resendDelivery, setChannel } from "#server/alert/commands.ts"
import { evaluateRules } from "#server/alert/evaluate.ts"
import { startAlerts } from "#server/alert/loop.ts"
import { asTenant } from "#server/db/tenant.ts"
import { openQueue, type Queue, SUPERVISE_SECONDS } from "#server/jobs/queue.ts"
import { createMailer } from "#server/mail/mailer.ts"
import { readAuthSecret } from "#server/sign-in/auth.ts"
import { type TestBelay, test as belayTest } from "../belay.ts"
import type { TestDatabase } from "../db.ts"
import { makeIncident, makeOrganization, NOW } from "../factories.ts"
import { pressInSlack, type Received, type Receiver, startReceiver } from "../receiver.ts"
import { type BelayProcess, spawnBelay } from "../spawn.ts"

const HMAC_SECRET = "a secret of a webhook in a test"
const SIGNING_SECRET = "a signing secret of Slack"
const log = (message: string, error: unknown) => console.error(message, error)

interface Postbox {
  readonly url: string
  readonly mails: readonly string[]
}

const test = belayTest
  .extend("receiver", async ({}, { onCleanup }): Promise<Receiver> => {
    const receiver = await startReceiver()
    onCleanup(() => receiver.close())
    return receiver
  })
  .extend("postbox", async ({}, { onCleanup }): Promise<Postbox> => {
    const mails: string[] = []
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ["STARTTLS"],
      onData(stream, _session, done) {
        let mail = ""
        stream.setEncoding("utf8")
        stream.on("data", (part) => (mail += String(part)))
        stream.on("end", () => {
          mails.push(mail.replaceAll("=\r\n", ""))
          done()
        })
      },
    })
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })
    onCleanup(() => new Promise<void>((resolve) => server.close(resolve)))
    const { port } = z.object({ port: z.number() }).parse(server.server.address())
    return { url: `smtp://127.0.0.1:${port}`, mails }
  })
  .extend("dataDir", async ({}, { onCleanup }) => {
    const dataDir = path.join(tmpdir(), `belay-data-${randomUUID()}`)
    onCleanup(() => rm(dataDir, { recursive: true, force: true }))
    return dataDir
  })
  /** The background work of a process, and the secret that channels are sealed under. */
  .extend("secret", async ({ database, belay, postbox }, { onCleanup }): Promise<string> => {
    const secret = await readAuthSecret(database.auth, undefined)
    const queue = await openQueue({ url: database.url, log })
    const alerts = await startAlerts({
      worker: database.worker,
      app: database.app,
      queue,
      secret,
      mailer: createMailer(postbox.url, "belay@example.com"),
      publicUrl: () => belay.url,
      now: belay.now,
      log,
    })
    onCleanup(async () => {
      await alerts.stop()
      await queue.stop()
    })
    return secret
  })

async function addChannel(
  app: TestDatabase["app"],
  args: { orgId: string; secret: string; at: Date } & Pick<ChannelInput, "kind" | "settings">,
): Promise<string> {
  const { orgId, secret, at, kind, settings } = args
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: at, requestId: "request" }
  const channel = { id: null, kind, name: kind, settings, isPrivateAllowed: true, isEnabled: true }
  const made = await asTenant(app, orgId, (tx) => setChannel(tx, { channel, secret, by }))
  if (!made.ok) throw new Error(made.reason)
  return made.id
}

const messageSchema = z.looseObject({ event: z.string(), alert: z.looseObject({ id: z.string(), state: z.string() }) })
const read = ({ body }: Received) => messageSchema.parse(JSON.parse(body))

/** Evaluates as the loop does each minute, and gives the queue what follows at its next look. */
async function evaluate(database: TestDatabase, belay: TestBelay): Promise<void> {
  while ((await evaluateRules(database.app, { orgId: belay.orgId, at: belay.now(), isWhole: true })) === null);
}

async function untilSettled(
  database: TestDatabase,
): Promise<readonly { event: string; state: string; attempts: number }[]> {
  for (;;) {
    const rows = await database.owner
      .selectFrom("alert_delivery")
      .select(["event", "state", "attempts"])
      .orderBy("sequence")
      .execute()
    if (rows.every(({ state }) => state !== "waiting")) return rows
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test("a webhook gets each message signed and in order, though its receiver fails at first, under one idempotency key", async ({
  belay,
  database,
  secret,
  receiver,
}) => {
  await addChannel(database.app, {
    orgId: belay.orgId,
    secret,
    at: belay.now(),
    kind: "webhook",
    settings: { url: receiver.url, secret: HMAC_SECRET },
  })
  receiver.answerWith(500, 200)
  await makeIncident(database, { orgId: belay.orgId })
  await evaluate(database, belay)
  await receiver.until(1)
  await database.owner.updateTable("incident").set({ state: "recovered" }).execute()
  belay.advance(60_000)
  await evaluate(database, belay)
  const requests = await receiver.until(3)
  // That it is over waits until it was said that it is there.
  expect(requests.map((request) => [read(request).event, read(request).alert.state])).toEqual([
    ["opened", "open"],
    ["opened", "open"],
    ["resolved", "resolved"],
  ])
  const keys = requests.map(({ headers }) => headers["idempotency-key"])
  expect([keys[1] === keys[0], keys[2] === keys[0]]).toEqual([true, false])
  for (const { headers, body } of requests) {
    const timestamp = String(headers["x-belay-timestamp"])
    expect(headers["x-belay-signature"]).toBe(signWebhook({ secret: HMAC_SECRET, timestamp, body }))
  }
  expect(await untilSettled(database)).toEqual([
    { event: "opened", state: "delivered", attempts: 2 },
    { event: "resolved", state: "delivered", attempts: 1 },
  ])
})

test("every other kind of channel says it in its own form, and a press in Slack acknowledges it everywhere", async ({
  belay,
  database,
  secret,
  receiver,
  postbox,
}) => {
  const add = (kind: ChannelInput["kind"], settings: object) =>
    addChannel(database.app, { orgId: belay.orgId, secret, at: belay.now(), kind, settings })
  const url = receiver.url
  const slackId = await add("slack", { url: `${url}/slack`, signingSecret: SIGNING_SECRET })
  await add("pagerduty", { url: `${url}/pagerduty`, routingKey: "routing-key" })
  await add("opsgenie", { url: `${url}/opsgenie`, apiKey: "an api key" })
  await add("otlp", { url: `${url}/otlp`, headers: "x-token=a" })
  await add("email", { to: "oncall@example.com" })
  await makeIncident(database, { orgId: belay.orgId })
  await evaluate(database, belay)
  await receiver.until(4)
  const { id } = await database.owner.selectFrom("alert").select("id").executeTakeFirstOrThrow()
  const last = (path: string) => receiver.requests.findLast((request) => request.path.includes(path))
  const value = [belay.orgId, slackId, id].join(" ")
  expect(last("slack")?.body).toContain(JSON.stringify({ action_id: "belay_acknowledge", value }).slice(1, -1))
  expect(JSON.parse(last("pagerduty")?.body ?? "")).toMatchObject({ event_action: "trigger", dedup_key: id })
  expect(last("opsgenie")).toMatchObject({
    path: "/hook/opsgenie/v2/alerts",
    headers: { authorization: "GenieKey an api key" },
  })
  expect(last("otlp")?.body).toContain('"eventName":"belay.alert.opened"')

  const press = (signingSecret: string, at: Date) =>
    pressInSlack({ url: `${belay.url}/webhooks/slack`, value, signingSecret, at })
  expect((await press("another secret", belay.now())).status).toBe(401)
  expect((await press(SIGNING_SECRET, new Date(belay.now().getTime() - 301_000))).status).toBe(401)
  expect(await (await press(SIGNING_SECRET, belay.now())).text()).toBe("Acknowledged.\n")
  expect(await (await press(SIGNING_SECRET, belay.now())).text()).toBe("It is not open any more.\n")
  await receiver.until(8)
  expect(JSON.parse(last("pagerduty")?.body ?? "")).toEqual({
    routing_key: "routing-key",
    event_action: "acknowledge",
    dedup_key: id,
  })
  expect(last("opsgenie")?.path).toBe(`/hook/opsgenie/v2/alerts/${id}/acknowledge?identifierType=alias`)
  expect(last("slack")?.body).toContain("Acknowledged by ada in Slack")
  expect(last("slack")?.body).not.toContain("belay_acknowledge")
  await untilSettled(database)
  expect(postbox.mails).toHaveLength(2)
  expect(postbox.mails[0]).toContain(`${belay.url}/alerts/${id}`)
  const audit = await database.owner
    .selectFrom("audit_event")
    .select("action")
    .orderBy("sequence", "desc")
    .executeTakeFirst()
  expect(audit).toEqual({ action: "alert.acknowledge" })
})

test("what nobody took in time is dead and holds up nothing, and is sent again under its own key when asked", async ({
  belay,
  database,
  secret,
  receiver,
}) => {
  const channel = { orgId: belay.orgId, secret, at: belay.now(), kind: "webhook" as const }
  await addChannel(database.app, { ...channel, settings: { url: receiver.url, secret: HMAC_SECRET } })
  receiver.answerWith(503)
  await makeIncident(database, { orgId: belay.orgId })
  await evaluate(database, belay)
  await database.owner.updateTable("alert_delivery").set({ expires_at: belay.now() }).execute()
  expect(await untilSettled(database)).toMatchObject([{ event: "opened", state: "dead" }])
  receiver.answerWith(200)
  const dead = await database.owner.selectFrom("alert_delivery").select(["id", "answer"]).executeTakeFirstOrThrow()
  expect(dead.answer).toMatchObject({ status: 503, body: "not now", error: null })
  const by = { orgId: belay.orgId, actorId: null, actorEmail: null, occurredAt: belay.now(), requestId: "request" }
  expect(await asTenant(database.app, belay.orgId, (tx) => resendDelivery(tx, { id: dead.id, by }))).toEqual({
    ok: true,
  })
  expect(await untilSettled(database)).toMatchObject([{ event: "opened", state: "delivered" }])
  expect(new Set(receiver.requests.map(({ headers }) => headers["idempotency-key"]))).toEqual(new Set([dead.id]))
})

test("a worker that says nothing any more loses its job to another within 30 seconds, one that is at it does not", async ({
  database,
}) => {
  const jobs = sql.table("pgboss.job")
  const deliveries = ["of a worker that is alive", "of one that is dead"].map((key) => ({
    key,
    data: { orgId: randomUUID(), deliveryId: key },
    notBefore: null,
  }))
  const add = async (queue: Queue, wanted: typeof deliveries) =>
    database.worker.transaction().execute((tx) => queue.add(tx, "alert_delivery", wanted))
  const first = await openQueue({ url: database.url, log })
  const stored = await new Promise<unknown>((resolve, reject) => {
    void first.work("alert_delivery", 1, async () => {
      const { rows } = await sql`
        select state, heartbeat_seconds, expire_seconds, retry_delay, heartbeat_on is not null as has_heartbeat
        from ${jobs}`.execute(database.owner)
      resolve(rows)
    })
    add(first, deliveries.slice(0, 1)).catch(reject)
  })
  // What is in the row of a job that is being worked on.
  const [heartbeat, retryDelay] = [10, 2]
  expect(stored).toEqual([
    {
      state: "active",
      heartbeat_seconds: heartbeat,
      expire_seconds: 60,
      retry_delay: retryDelay,
      has_heartbeat: true,
    },
  ])
  // It is looked for as often as that; the first try after it waits at most twice the delay.
  expect(heartbeat + SUPERVISE_SECONDS + 2 * retryDelay).toBeLessThan(30)
  await first.stop()

  const other = await openQueue({ url: database.url, log })
  await add(other, deliveries)
  // As two workers leave them of which one died longer ago than a heartbeat lasts.
  await sql`
    update ${jobs} set state = 'active', started_on = now() - interval '12 seconds', heartbeat_on = case
      when data->>'deliveryId' = 'of one that is dead' then now() - interval '11 seconds'
      else now() + interval '1 hour' end
    where state = 'created'`.execute(database.owner)
  const taken = await new Promise<string[]>((resolve) => {
    const seen: string[] = []
    void other.work("alert_delivery", 2, ({ deliveryId }) => {
      seen.push(deliveryId)
      if (deliveryId === "of one that is dead") resolve(seen)
      return Promise.resolve()
    })
  })
  expect(taken).toEqual(["of one that is dead"])
  await other.stop()
})

test(
  "kill -9 while a message is sent: another process takes it over, with the same idempotency key",
  { timeout: 120_000 },
  async ({ database, dataDir }) => {
    const secret = "a secret of all processes in this test"
    const env = { BELAY_SECRET: secret, DATABASE_URL: database.url }
    const orgId = await makeOrganization(database)
    let first: BelayProcess | null = null
    const receiver = await startReceiver(() => first?.process.kill("SIGKILL"))
    const settings = { url: receiver.url, secret: HMAC_SECRET }
    await addChannel(database.app, { orgId, secret, at: NOW, kind: "webhook", settings })
    await makeIncident(database, { orgId })
    first = await spawnBelay(dataDir, env)
    await receiver.until(1)
    await first.end("SIGKILL")
    first = null
    const second = await spawnBelay(dataDir, env)
    const requests = await receiver.until(2)
    await second.end("SIGTERM")
    await receiver.close()
    const keys = requests.map(({ headers }) => headers["idempotency-key"])
    expect([requests.length, new Set(keys).size]).toEqual([2, 1])
  },
)
