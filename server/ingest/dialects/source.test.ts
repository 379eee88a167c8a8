import { expect, test } from "vitest"
import { aRecord } from "./requests.ts"
import { identityOf, recordKey } from "./source.ts"

const everything = {
  "installation.id": "machine",
  "user.id": "install",
  "user.name": "dev",
  "user.account_uuid": "account",
  "user.email": "Dev@Example.com",
  "enduser.id": "u-1",
}

test("who is named best is who acted: set by an administrator, a person, an account, an installation", () => {
  const keys = Object.keys(everything).toReversed()
  const found = keys.map((_, index) => {
    const left = Object.entries(everything).filter(([key]) => keys.indexOf(key) >= index)
    return identityOf(new Map(), new Map(left), "installation")
  })
  expect(found).toEqual([
    { kind: "user", value: "u-1" },
    { kind: "email", value: "dev@example.com" },
    { kind: "account", value: "account" },
    { kind: "user", value: "dev" },
    { kind: "installation", value: "install" },
    { kind: "installation", value: "machine" },
  ])
})

test("the resource names the person where the item does not, and only there", () => {
  const resource = new Map([["enduser.id", "team-bot"]])
  expect(identityOf(resource, new Map([["user.email", "dev@example.com"]]))?.value).toBe("team-bot")
  expect(identityOf(resource, new Map([["enduser.id", "u-1"]]))?.value).toBe("u-1")
})

test("an end user that is an address is the person of that address", () => {
  const attributes = new Map([["enduser.id", " Dev@Example.com"]])
  expect(identityOf(new Map(), attributes)).toEqual({ kind: "email", value: "dev@example.com" })
})

test.each(["unknown", "Anonymous", "", "-"])("%j is nobody", (value) => {
  expect(identityOf(new Map(), new Map([["enduser.id", value]]))).toBeNull()
})

test("a record without ids of its own is known by all that it says", () => {
  const keyOf = (record: ReturnType<typeof aRecord>) => recordKey("event", record, "s", null)
  const record = aRecord({ a: "1", b: 2 })
  expect(keyOf(record)).toBe(keyOf(aRecord({ a: "1", b: 2 })))
  const others = [
    aRecord({ a: "1", b: 3 }),
    aRecord({ a: "1", b: 2 }, { atMs: 1 }),
    aRecord({ a: "1", b: 2 }, { body: "x" }),
  ]
  for (const other of others) expect(keyOf(other)).not.toBe(keyOf(record))
})

test("a record with an id of its own is known by it, its time and its session", () => {
  const record = aRecord({ a: "1" })
  const key = recordKey("event", record, "s", 7)
  expect(recordKey("event", aRecord({ a: "changed" }), "s", 7)).toBe(key)
  expect(recordKey("event", record, "other", 7)).not.toBe(key)
  expect(recordKey("event", aRecord({ a: "1" }, { atMs: 1 }), "s", 7)).not.toBe(key)
})
