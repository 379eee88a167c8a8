import { SMTPServer } from "smtp-server"
import { expect } from "vitest"
import { z } from "zod"
import { type TestDatabase, test as databaseTest } from "../../test/db.ts"
import { emailOf, makeOrganization, NOW } from "../../test/factories.ts"
import { cookieOf, makeSignInRequest, openSignIn } from "../../test/sign-in.ts"
import { asTenant } from "../db/tenant.ts"
import { createMailer } from "../mail/mailer.ts"
import { createAccount } from "../team/bootstrap.ts"
import { addPerson } from "../team/people.ts"
import { createLink, findLink, type LinkPurpose, useLink as consumeLink } from "./links.ts"
import { sendPasswordReset } from "./password-reset.ts"
import { getViewer, openSession } from "./sessions.ts"
import { signInWithPassword } from "./sign-in.ts"

const HOUR_MS = 60 * 60_000
const PASSWORD = "correct horse battery"

interface Postbox {
  readonly url: string
  /** What arrived, waited for. */
  next(): Promise<string>
}

const test = databaseTest.extend("postbox", async ({}, { onCleanup }): Promise<Postbox> => {
  const arrived: string[] = []
  let wake = () => {}
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData(stream, _session, done) {
      let text = ""
      stream.setEncoding("utf8")
      stream.on("data", (part) => (text += String(part)))
      stream.on("end", () => {
        // Undone: the line breaks and signs that mail does not carry as they are.
        arrived.push(text.replaceAll("=\r\n", "").replaceAll("=3D", "="))
        wake()
        done()
      })
    },
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  onCleanup(() => new Promise<void>((resolve) => server.close(resolve)))
  const { port } = z.object({ port: z.number() }).parse(server.server.address())
  return {
    url: `smtp://127.0.0.1:${port}`,
    async next() {
      while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return arrived.shift() ?? ""
    },
  }
})

async function makeLink(database: TestDatabase, orgId: string, accountId: string, purpose: LinkPurpose) {
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" }
  const link = await asTenant(database.app, orgId, (tx) => createLink(tx, { accountId, purpose, by }))
  return link?.token ?? ""
}

async function invite(database: TestDatabase) {
  const orgId = await makeOrganization(database)
  const by = { orgId, actorId: null, actorEmail: null, occurredAt: NOW, requestId: "request" }
  const added = await asTenant(database.app, orgId, (tx) =>
    addPerson(tx, { email: emailOf("ada"), name: "", role: "author", by }),
  )
  if (!added.ok) throw new Error(added.reason)
  const signIn = await openSignIn(database)
  const consume = async (token: string, password = PASSWORD) => {
    const link = await findLink(database.app, token, NOW)
    if (link === null) return null
    const { headers } = makeSignInRequest(database, signIn)
    const args = { db: database.app, signIn, link, password, name: "Ada", headers }
    return consumeLink(args, { requestId: "request", now: NOW })
  }
  return { orgId, accountId: added.id, signIn, consume }
}

test("an invitation lets its person in once, with the role they were given", async ({ database }) => {
  const { orgId, accountId, signIn, consume } = await invite(database)
  const token = await makeLink(database, orgId, accountId, "invitation")
  expect(await findLink(database.app, token, NOW)).toMatchObject({ email: emailOf("ada"), purpose: "invitation" })
  expect(await findLink(database.app, `${token}x`, NOW)).toBeNull()
  const used = await consume(token)
  if (used === null) throw new Error("not let in")
  expect(await getViewer(signIn, cookieOf(used.headers))).toMatchObject({ accountId, role: "author" })
  expect(await consume(token)).toBeNull()
  const request = makeSignInRequest(database, signIn)
  expect(await signInWithPassword(request, { email: emailOf("ada"), password: PASSWORD })).toMatchObject({ ok: true })
})

test("of two browsers that use a link at once, one is let in", async ({ database }) => {
  const { orgId, accountId, consume } = await invite(database)
  const token = await makeLink(database, orgId, accountId, "invitation")
  const both = await Promise.all([consume(token), consume(token)])
  expect(both.filter((used) => used !== null)).toHaveLength(1)
})

test("a link runs out, and a newer one takes the place of an older", async ({ database }) => {
  const { orgId, accountId } = await invite(database)
  const first = await makeLink(database, orgId, accountId, "invitation")
  const find = (token: string, hours: number) =>
    findLink(database.app, token, new Date(NOW.getTime() + hours * HOUR_MS))
  expect([(await find(first, 167)) !== null, await find(first, 168)]).toEqual([true, null])
  const second = await makeLink(database, orgId, accountId, "password_reset")
  expect([await find(first, 0), (await find(second, 0)) !== null, await find(second, 1)]).toEqual([null, true, null])
})

test("a new password ends the sessions that were open, and with a second factor opens none", async ({ database }) => {
  const { orgId, accountId, signIn, consume } = await invite(database)
  const joined = await consume(await makeLink(database, orgId, accountId, "invitation"))
  if (joined === null) throw new Error("not let in")
  const cookie = cookieOf(joined.headers)
  const reset = await consume(await makeLink(database, orgId, accountId, "password_reset"), "another good password")
  expect(reset?.isSignedIn).toBe(true)
  expect(await getViewer(signIn, cookie)).toBeNull()
  const right = { email: emailOf("ada"), password: "another good password" }
  expect(await signInWithPassword(makeSignInRequest(database, signIn), right)).toMatchObject({ ok: true })

  await database.owner.updateTable("auth_user").set({ two_factor_enabled: true }).execute()
  const again = await consume(await makeLink(database, orgId, accountId, "password_reset"))
  expect(again).toMatchObject({ isSignedIn: false })
  expect(again?.headers.getSetCookie()).toEqual([])
})

test("a forgotten password is mailed a link that works, three times an hour, and nobody learns who has an account", async ({
  database,
  postbox,
}) => {
  const orgId = await makeOrganization(database)
  const { userId } = await createAccount(database.owner, {
    orgId,
    email: emailOf("ada"),
    role: "admin",
    password: PASSWORD,
  })
  const signIn = await openSignIn(database)
  const mailer = createMailer(postbox.url, "Belay <belay@example.com>")
  const toAddress = (token: string) => `https://belay.example/link/${token}`
  const ask = (email: string) =>
    sendPasswordReset(makeSignInRequest(database, signIn, { clientAddress: "192.0.2.1" }), { email, mailer, toAddress })
  expect(await ask("nobody@example.com")).toBe(await ask(emailOf("ada")))
  const mail = await postbox.next()
  expect(mail).toContain("To: ada@example.com")
  const token = /https:\/\/belay\.example\/link\/(\S+)/.exec(mail)?.[1] ?? ""
  expect(await findLink(database.app, token, NOW)).toMatchObject({ purpose: "password_reset", email: emailOf("ada") })
  // Asking for a link signs nobody out.
  expect(await getViewer(signIn, cookieOf(await openSession(signIn, userId)))).not.toBeNull()
  for (let count = 0; count < 5; count++) await ask(emailOf("ada"))
  const links = await database.owner.selectFrom("audit_event").select("action").execute()
  expect(links).toHaveLength(3)
  await postbox.next()
  await postbox.next()
})
