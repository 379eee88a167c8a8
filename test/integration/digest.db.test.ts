import { SMTPServer } from "smtp-server"
import { expect } from "vitest"
import { z } from "zod"
import { setChannel } from "#server/alert/commands.ts"
import { asTenant } from "#server/db/tenant.ts"
import { setChannelDigest, setOwnDigest } from "#server/digest/commands.ts"
import { queueDigests, sendDigest, startDigests } from "#server/digest/loop.ts"
import { openQueue } from "#server/jobs/queue.ts"
import { createMailer } from "#server/mail/mailer.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import { setManagedTeams } from "#server/team/people.ts"
import { test } from "../db.ts"
import { joinTeam, makeIncident, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../factories.ts"
import { startReceiver } from "../receiver.ts"

const SECRET = "only for tests, and long enough for it"
const PEOPLE = ["ada", "ben", "chen", "dana", "eli"]
const HOUR_MS = 3_600_000
/** Of the organization, which is in Berlin: an hour before UTC's. */
const MONDAY_SEVEN = new Date("2026-11-23T06:00:00Z")
const log = (message: string, error: unknown) => console.error(message, error)

async function startPostbox() {
  const mails: { to: string; text: string }[] = []
  let isAway = false
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on("data", (chunk: Buffer) => chunks.push(chunk))
      stream.on("end", () => {
        if (isAway) return done(Object.assign(new Error("not now"), { responseCode: 451 }))
        const [to] = session.envelope.rcptTo
        mails.push({ to: to?.address ?? "", text: Buffer.concat(chunks).toString("utf8").replaceAll("=\r\n", "") })
        done()
      })
    },
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  const { port } = z.object({ port: z.number() }).parse(server.server.address())
  return {
    mails,
    url: `smtp://127.0.0.1:${port}`,
    setAway(next: boolean) {
      isAway = next
    },
    close: () => new Promise<void>((resolve) => server.close(resolve)),
  }
}

test("on Monday morning of the organization each who wants it gets the week once, of the teams that they may read, by mail and in Slack", async ({
  database,
}) => {
  const { app, owner, worker } = database
  const orgId = await makeOrganization(database)
  await owner.updateTable("org").set({ time_zone: "Europe/Berlin" }).where("id", "=", orgId).execute()
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" }
  const [checkout, small] = [await makeTeam(database, orgId, "Checkout"), await makeTeam(database, orgId, "Small")]
  const search = await makeTeam(database, orgId, "Search")
  for (const person of PEOPLE) {
    await joinTeam(database, { orgId, person, teamId: checkout, from: "2026-01-01" })
  }
  // One fewer than in Checkout: of two that are equally large either would be withheld with the small one.
  const others = PEOPLE.slice(1).map((person) => `${person}2`)
  for (const person of others) await joinTeam(database, { orgId, person, teamId: search, from: "2026-01-01" })
  await joinTeam(database, { orgId, person: "gus", teamId: small, from: "2026-01-01" })
  await storeAndCount(
    database,
    orgId,
    [...PEOPLE, ...others, "gus"].flatMap((person) =>
      (["accepted", "accepted", "rejected"] as const).map((outcome, index) =>
        makeSignal({
          person,
          kind: "task",
          rung: "agent",
          operationId: `${person} ${index}`,
          outcome,
          origin: "human",
        }),
      ),
    ),
  )
  await makeIncident(database, { orgId, teamId: checkout, people: 5 })
  const makePerson = async (email: string, role: "owner" | "manager", teamIds: readonly string[]) => {
    const { accountId } = await createAccount(owner, { orgId, email, role, password: "not used here" })
    await asTenant(app, orgId, async (tx) => {
      if (role === "manager") await setManagedTeams(tx, { accountId, teamIds: [...teamIds], by })
      await setOwnDigest(tx, { accountId, isWanted: true, by })
    })
    return accountId
  }
  await makePerson("owner@example.org", "owner", [])
  await makePerson("manager@example.org", "manager", [checkout])
  await makePerson("nothing@example.org", "manager", [])
  await makePerson("small@example.org", "manager", [small])

  const [postbox, receiver] = [await startPostbox(), await startReceiver()]
  const settings = { url: receiver.url, signingSecret: null }
  await asTenant(app, orgId, async (tx) => {
    const channel = {
      id: null,
      kind: "slack" as const,
      name: "leads",
      settings,
      isPrivateAllowed: true,
      isEnabled: true,
    }
    const made = await setChannel(tx, { channel, secret: SECRET, by })
    expect(await setChannelDigest(tx, { channelId: made.ok ? made.id : "", isWanted: true, by })).toBe(true)
  })

  const queue = await openQueue({ url: database.url, log })
  let now = new Date(MONDAY_SEVEN.getTime() - 1)
  const common = { worker, app, secret: SECRET, publicUrl: () => "https://belay.example.com", now: () => now }
  const options = { ...common, mailer: createMailer(postbox.url, "belay@example.com") }
  expect(await queueDigests(worker, queue, now)).toBe(0)
  now = MONDAY_SEVEN
  // Two processes at once, and one that looks again later.
  const counts = await Promise.all([queueDigests(worker, queue, now), queueDigests(worker, queue, now)])
  expect(counts.toSorted()).toEqual([0, 5])
  expect(await queueDigests(worker, queue, new Date(now.getTime() + HOUR_MS))).toBe(0)
  expect(await queueDigests(worker, queue, new Date(now.getTime() + 40 * HOUR_MS))).toBe(0)

  const digests = await startDigests({ ...options, queue, log })
  const [slack] = await receiver.until(1)
  const states = async () => {
    const rows = await owner.selectFrom("digest_delivery").select(["id", "state", "week"]).execute()
    return rows.some(({ state }) => state === "waiting") ? null : rows
  }
  for (;;) {
    if ((await states()) !== null) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await digests.stop()
  const rows = (await states()) ?? []
  expect(rows.map(({ state }) => state).toSorted()).toEqual(["nothing", "nothing", "sent", "sent", "sent"])
  expect(postbox.mails.map(({ to }) => to).toSorted()).toEqual(["manager@example.org", "owner@example.org"])
  const textTo = (address: string) => postbox.mails.find(({ to }) => to === address)?.text ?? ""
  expect(textTo("manager@example.org")).toContain(
    "Checkout works up to agent: 15 tasks by 5 people; 67 % was accepted.",
  )
  expect(textTo("manager@example.org")).toContain("Trust broke at agent in Checkout")
  expect(textTo("manager@example.org")).not.toContain("Search")
  expect(`${textTo("owner@example.org")}${slack?.body}`).not.toMatch(/Small|Search/)
  // Of the others one would tell of the small one: the sum is told, and one of them.
  expect(slack?.body).toContain("Example works up to agent: 30 tasks by 10 people")

  // What was sent is not sent again, whatever the queue says; what is refused is tried again, and given up after a day.
  const first = rows.find(({ state }) => state === "sent")
  await sendDigest(options, { orgId, deliveryId: first?.id ?? "" })
  expect(postbox.mails.length + receiver.requests.length).toBe(3)
  await owner.updateTable("digest_delivery").set({ state: "waiting", made_at: now }).execute()
  await owner
    .deleteFrom("digest_delivery")
    .where("id", "<>", first?.id ?? "")
    .execute()
  postbox.setAway(true)
  receiver.answerWith(500)
  await expect(sendDigest(options, { orgId, deliveryId: first?.id ?? "" })).rejects.toThrow(/451|500/)
  now = new Date(now.getTime() + 24 * HOUR_MS)
  await sendDigest(options, { orgId, deliveryId: first?.id ?? "" })
  expect((await states())?.map(({ state }) => state)).toEqual(["dead"])

  await queue.stop()
  await Promise.all([postbox.close(), receiver.close()])
})
