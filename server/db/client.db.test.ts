import { createServer } from "node:net"

import { sql } from "kysely"
import { expect } from "vitest"

import { test } from "../../test/db.ts"
import { openDatabase } from "./client.ts"

test("everything is done as the given role, in UTC and under a name", async ({ db }) => {
  const { rows } = await sql`
    select current_user as role, current_setting('TimeZone') as zone, current_setting('application_name') as name`.execute(
    db,
  )
  expect(rows).toEqual([{ role: "belay_app", zone: "UTC", name: "belay_app" }])
})

test("the role holds after a transaction and whatever it set", async ({ db }) => {
  await db.transaction().execute((tx) => sql`set local role none`.execute(tx))
  expect((await sql`select current_user as role`.execute(db)).rows).toEqual([{ role: "belay_app" }])
})

test("a connection that did not get its role is not used", async ({ database }) => {
  const { kysely, close } = openDatabase({ url: database.url, role: "none", applicationName: "test" })
  await expect(sql`select 1`.execute(kysely)).rejects.toThrow("made us belay_owner where none was asked for")
  await close()
})

test("int8 arrives as a number, alone, in arrays and from count", async ({ db }) => {
  const { rows } =
    await sql`select 9007199254740991::int8 as a, array[1, 2]::int8[] as b, count(*) as c from (values (1)) v`.execute(
      db,
    )
  expect(rows).toEqual([{ a: 9007199254740991, b: [1, 2], c: 1 }])
})

test("an int8 that no number can hold is an error, after which the connection still works", async ({ database }) => {
  const { kysely, close } = openDatabase({ url: database.url, max: 1, applicationName: "test" })
  await expect(sql`select ${1}::int4, 9007199254740993::int8`.execute(kysely)).rejects.toThrow("select it as text")
  expect((await sql`select ${2}::int4 as two`.execute(kysely)).rows).toEqual([{ two: 2 }])
  await close()
})

test("values go in as what they are: dates, objects as jsonb, bytes, arrays", async ({ db }) => {
  const [date, bytes] = [new Date("2026-11-20T22:00:00.123Z"), Buffer.from([0, 255])]
  const { rows } = await sql`
    select ${date}::timestamptz as date, ${{ deep: [1, null] }}::jsonb as document, jsonb_typeof(${{ a: 1 }}::jsonb) as type,
      ${bytes}::bytea as bytes, ${["a", "b,c"]}::text[] as texts`.execute(db)
  expect(rows).toEqual([{ date, document: { deep: [1, null] }, type: "object", bytes, texts: ["a", "b,c"] }])
})

test("a null inside an array is null, and the text NULL is not", async ({ db }) => {
  const texts = [null, "NULL", 'say "NULL", or\\ {not}', "", "a b"]
  const { rows } = await sql`
    select ${texts}::text[] as texts, ${[1.5, null]}::float8[] as floats, array[true, null] as booleans,
      '{{1,NULL},{NULL,4}}'::int8[] as nested, array[null, now()] = array[null, now()] as same,
      array['{"a": null}', null]::jsonb[] as documents, '{}'::int[] as empty`.execute(db)
  expect(rows).toEqual([
    {
      texts,
      floats: [1.5, null],
      booleans: [true, null],
      nested: [
        [1, null],
        [null, 4],
      ],
      same: true,
      documents: [{ a: null }, null],
      empty: [],
    },
  ])
})

test("a database error keeps its code and names the query's caller", async ({ db }) => {
  const error: unknown = await sql`select 1 / 0`.execute(db).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: "22012", stack: expect.stringContaining("client.db.test.ts") })
})

test("text is one statement only", async ({ db }) => {
  await expect(sql`select 1; select 2`.execute(db)).rejects.toThrow("multiple commands")
})

test("more queries than connections wait for their turn, and an aborted transaction gives its connection back", async ({
  database,
}) => {
  const { kysely, close } = openDatabase({ url: database.url, max: 2, applicationName: "crowd" })
  const queries = Array.from({ length: 50 }, (_, i) =>
    kysely.transaction().execute(async (tx) => {
      const { rows } = await sql<{ i: number }>`select ${i}::int4 as i`.execute(tx)
      if (i % 5 === 0) throw new Error("no")
      return rows[0]?.i
    }),
  )
  const results = await Promise.allSettled(queries)
  expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(40)
  const { rows } = await sql<{
    n: number
  }>`select count(*) as n from pg_stat_activity where application_name = 'crowd'`.execute(kysely)
  expect(rows[0]?.n).toBeLessThanOrEqual(2)
  await close()
})

test("closing lets a running transaction finish and refuses the next", async ({ database }) => {
  const { kysely, close } = openDatabase({ url: database.url, applicationName: "test" })
  const begun = Promise.withResolvers<void>()
  const running = kysely.transaction().execute(async (tx) => {
    await sql`select 1`.execute(tx)
    begun.resolve()
    return (await sql`select pg_sleep(0.1), 'finished' as state`.execute(tx)).rows
  })
  await begun.promise
  await close()
  expect(await running).toMatchObject([{ state: "finished" }])
  await expect(sql`select 1`.execute(kysely)).rejects.toThrow("destroyed")
})

test("a statement that takes too long is cancelled", async ({ database }) => {
  const { kysely, close } = openDatabase({ url: database.url, statementTimeoutMs: 50, applicationName: "test" })
  await expect(sql`select pg_sleep(10)`.execute(kysely)).rejects.toThrow("statement timeout")
  await close()
})

test("a server that is not there is given up on in time", async () => {
  const { kysely, close } = openDatabase({
    url: "postgres://nobody@127.0.0.1:1/none",
    connectTimeoutMs: 300,
    applicationName: "test",
  })
  await expect(sql`select 1`.execute(kysely)).rejects.toThrow("ECONNREFUSED")
  await close()
})

test.for(["says nothing", "hangs up"])(
  "a server that accepts the connection and %s is given up on in time",
  async (manner) => {
    const server = createServer((socket) => void (manner === "hangs up" && socket.end()))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = typeof address === "object" ? address?.port : undefined
    const url = `postgres://nobody@127.0.0.1:${port}/none`
    const { kysely, close } = openDatabase({ url, connectTimeoutMs: 500, applicationName: "test" })
    await expect(sql`select 1`.execute(kysely)).rejects.toThrow(/CONNECT_TIMEOUT|closed|lost/i)
    await close()
    server.close()
  },
)

test("of several hosts one that answers is found", async ({ database }) => {
  const url = database.url.replace("@127", "@127.0.0.1:1,127")
  const { kysely, close } = openDatabase({ url, applicationName: "test" })
  expect((await sql`select 1 as alive`.execute(kysely)).rows).toEqual([{ alive: 1 }])
  await close()
})

test("a listener hears again after its connection was cut", async ({ database }) => {
  const opened = openDatabase({ url: database.url, applicationName: "ears" })
  const heard: string[] = []
  let listening = 0
  await opened.sql.listen(
    "news",
    (text) => heard.push(text),
    () => listening++,
  )
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ears'`.execute(
    database.owner,
  )
  await expect.poll(() => listening).toBe(2)
  await opened.sql.notify("news", "back")
  await expect.poll(() => heard).toEqual(["back"])
  await opened.close()
})
