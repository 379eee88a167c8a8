import { expect } from "vitest"
import { test } from "../test/db.ts"
import { makeOrganization, makeTeam, NOW } from "../test/factories.ts"
import { openAnswers } from "./answers.ts"

/** However long they took to make. */
const AGE = { freshMs: 60_000, staleMs: 600_000, timesMade: Infinity }
const onError = (error: unknown) => {
  throw error
}
const later = (ms: number) => new Date(NOW.getTime() + ms)

test("an answer is given again until it is old, then once more while it is made anew", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const answers = openAnswers({ db, age: AGE, onError })
  let asked = 0
  const at = () => ({ period: {}, ask: () => Promise.resolve(++asked) })
  const get = (now: Date, of = "ladder") => answers.get({ orgId, of: { of }, now, at })
  expect(await get(NOW)).toBe(1)
  expect(await get(later(59_000))).toBe(1)
  // Who asks at the same time waits for the same.
  expect(await Promise.all([get(NOW, "usage"), get(NOW, "usage")])).toEqual([2, 2])
  expect(await get(later(60_000))).toBe(1)
  await answers.close()
  expect(await get(later(61_000))).toBe(3)
  expect(await get(later(60_000 + AGE.staleMs))).toBe(4)
})

test("an answer that takes nothing to make is not kept", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const answers = openAnswers({ db, age: { ...AGE, timesMade: 0 }, onError })
  let asked = 0
  const at = () => ({ period: {}, ask: () => Promise.resolve(++asked) })
  const question = { orgId, of: {}, now: NOW, at }
  expect(await answers.get(question)).toBe(1)
  expect(await answers.get(question)).toBe(2)
  await answers.prepare(later(1), [question])
  expect(await answers.get(question)).toBe(3)
})

test("what decides on whose figures may be shown makes every answer anew at once", async ({ database, db }) => {
  const { owner } = database
  const orgId = await makeOrganization(database)
  const answers = openAnswers({ db, age: AGE, onError })
  let asked = 0
  const at = () => ({ period: {}, ask: () => Promise.resolve(++asked) })
  const get = (now = NOW) => answers.get({ orgId, of: {}, now, at })
  expect(await get()).toBe(1)
  const teamId = await makeTeam(database, orgId, "Payments")
  expect(await get()).toBe(2)
  const [one, other] = await owner
    .insertInto("developer")
    .values(["one", "other"].map((pseudonym) => ({ org_id: orgId, pseudonym })))
    .returning("id")
    .execute()
  expect(await get()).toBe(3)
  await owner
    .insertInto("team_member")
    .values({ org_id: orgId, developer_id: one?.id ?? "", team_id: teamId, valid_from: "2026-01-01" })
    .execute()
  expect(await get()).toBe(4)
  await owner
    .updateTable("developer")
    .set({ merged_into_id: one?.id ?? "" })
    .where("id", "=", other?.id ?? "")
    .execute()
  expect(await get()).toBe(5)
  await owner.updateTable("org").set({ min_group_size: 8 }).execute()
  expect([await get(), await get()]).toEqual([6, 6])
  expect(await get(later(13 * 3_600_000))).toBe(7)
})

test("what failed is not kept, and another organization's answer is its own", async ({ database, db }) => {
  const [orgId, other] = [await makeOrganization(database), await makeOrganization(database)]
  const answers = openAnswers({ db, age: AGE, onError })
  const get = (of: string, ask: () => Promise<string>) =>
    answers.get({ orgId: of, of: {}, now: NOW, at: () => ({ period: {}, ask }) })
  await expect(get(orgId, () => Promise.reject(new Error("away")))).rejects.toThrow("away")
  expect(await get(orgId, () => Promise.resolve("mine"))).toBe("mine")
  expect(await get(other, () => Promise.resolve("theirs"))).toBe("theirs")
})

test("what was asked for in the last days is made before it is asked for again, of the weeks of then", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  const answers = openAnswers({ db, age: AGE, onError })
  const asked: string[] = []
  const get = (now: Date) =>
    answers.get({
      orgId,
      of: { page: "ladder" },
      now,
      at: (time) => {
        const day = time.toISOString().slice(0, 10)
        return { period: { day }, ask: () => Promise.resolve(asked.push(day)) }
      },
    })
  await get(NOW)
  await answers.prepare(later(60_000), [])
  expect(asked).toEqual(["2026-11-20"])
  await answers.prepare(later(AGE.staleMs - 60_000), [])
  expect(asked).toEqual(["2026-11-20", "2026-11-20"])
  // On the Monday after it is there before anybody comes.
  const monday = later(3 * 86_400_000)
  await answers.prepare(monday, [])
  expect(await get(monday)).toBe(3)
  expect(asked.at(-1)).toBe("2026-11-23")
  await answers.prepare(later(12 * 86_400_000), [])
  expect(asked).toHaveLength(3)
})

test("what is standing is made before anybody asks, by organizations in turn, and not again while it is new", async ({
  database,
  db,
}) => {
  const [one, other] = [await makeOrganization(database), await makeOrganization(database)]
  const answers = openAnswers({ db, age: AGE, onError })
  const asked: string[] = []
  const question = (orgId: string, page: string) => ({
    orgId,
    of: { page },
    now: NOW,
    at: () => ({ period: {}, ask: () => Promise.resolve(asked.push(page)) }),
  })
  const standing = [...["a", "b", "c"].map((page) => question(one, page)), question(other, "x")]
  await answers.prepare(NOW, standing)
  expect(asked).toEqual(["a", "x", "b", "c"])
  expect(await answers.get(question(one, "b"))).toBe(3)
  await answers.prepare(later(60_000), standing)
  expect(asked).toHaveLength(4)
  // Whose turn was longest ago begins, with the oldest of its answers.
  await answers.get({ ...question(one, "a"), now: later(AGE.staleMs) })
  asked.length = 0
  await answers.prepare(later(AGE.staleMs + 1), standing)
  expect(asked).toEqual(["x", "b", "c"])
})

test("whoever asks for what is being prepared waits for that", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  const answers = openAnswers({ db, age: AGE, onError })
  const { promise, resolve } = Promise.withResolvers<string>()
  const begun = Promise.withResolvers<null>()
  let asked = 0
  const question = {
    orgId,
    of: { page: "ladder" },
    now: NOW,
    at: () => ({
      period: {},
      ask: () => {
        asked++
        begun.resolve(null)
        return promise
      },
    }),
  }
  const preparing = answers.prepare(NOW, [question])
  await begun.promise
  const got = answers.get(question)
  resolve("figures")
  expect([await got, asked]).toEqual(["figures", 1])
  await preparing
})
