import type { PeerCertificate } from "node:tls"

import { expect, test } from "vitest"

import { parseDatabaseUrl } from "./database-url.ts"

test("host, login and database come out as they were meant", () => {
  expect(parseDatabaseUrl("postgres://belay%40x:p%3Ass%2Fw@db.example.com:6432/be%20lay")).toEqual({
    endpoints: [{ host: "db.example.com", port: 6432 }],
    login: { user: "belay@x", pass: "p:ss/w", database: "be lay" },
    ssl: false,
    parameters: {},
  })
})

test("what is left out is left to the defaults", () => {
  const { endpoints, login } = parseDatabaseUrl("postgresql://")
  expect(endpoints).toEqual([{ host: "localhost", port: 5432 }])
  expect(login).toEqual({})
})

test.for([
  [
    "postgres://a:1,b:2/d",
    [
      { host: "a", port: 1 },
      { host: "b", port: 2 },
    ],
  ],
  ["postgres://[::1]:6432/d", [{ host: "::1", port: 6432 }]],
  ["postgres://u@%2Fvar%2Frun%2Fpostgresql/d", [{ path: "/var/run/postgresql/.s.PGSQL.5432" }]],
  ["postgres://u@%2Fvar%2Frun%2Fpostgresql:6432/d", [{ path: "/var/run/postgresql/.s.PGSQL.6432" }]],
  ["postgres:///d?host=/tmp", [{ path: "/tmp/.s.PGSQL.5432" }]],
] as const)("%s leads to its hosts", ([url, endpoints]) => {
  expect(parseDatabaseUrl(url).endpoints).toEqual(endpoints)
})

test.for([
  ["", false],
  ["?sslmode=disable", false],
  ["?sslmode=allow", "prefer"],
  ["?sslmode=prefer", "prefer"],
  ["?sslmode=require", { rejectUnauthorized: false }],
  ["?ssl=true", { rejectUnauthorized: false }],
  ["?sslmode=verify-full", { rejectUnauthorized: true, checkServerIdentity: expect.any(Function) }],
  ["?sslrootcert=system", { rejectUnauthorized: true, checkServerIdentity: expect.any(Function) }],
] as const)("%s asks for the security that libpq would give", ([query, ssl]) => {
  expect(parseDatabaseUrl(`postgres://h/d${query}`).ssl).toEqual(ssl)
})

test("having an authority means checking against it", () => {
  const { ssl } = parseDatabaseUrl(`postgres://h/d?sslmode=require&sslrootcert=${import.meta.filename}`)
  expect(ssl).toMatchObject({ rejectUnauthorized: true, ca: expect.any(Buffer) })
})

test("a certificate has to name the host, also when that is an address", () => {
  const certificate = { subjectaltname: "DNS:localhost, DNS:db.example.com, IP Address:10.0.0.1" }
  const isAccepted = (host: string) => {
    const { ssl } = parseDatabaseUrl(`postgres://${host}/d?sslmode=verify-full`)
    if (typeof ssl !== "object") throw new Error("no TLS")
    // A name of no meaning, as the driver hands it on.
    return ssl.checkServerIdentity?.("localhost", certificate as PeerCertificate) === undefined
  }
  expect(isAccepted("db.example.com")).toBe(true)
  expect(isAccepted("10.0.0.1")).toBe(true)
  expect(isAccepted("127.0.0.1")).toBe(false)
  expect(isAccepted("other.example.com")).toBe(false)
})

test("the server is told its settings, and nothing that is meant for the client", () => {
  const url =
    "postgres://h/d?sslmode=require&channel_binding=require&connect_timeout=3&search_path=app&options=-cgeqo%3Doff"
  expect(parseDatabaseUrl(url).parameters).toEqual({ search_path: "app", options: "-cgeqo=off" })
})

test.for(["mysql://h/d", "h:5432", "postgres://user:secret@h:port/d", "postgres://user:secret@h/d?sslmode=maybe"])(
  "%s is refused without naming the password",
  (url) => {
    expect(() => parseDatabaseUrl(url)).toThrow(/database URL/)
    expect(() => parseDatabaseUrl(url)).not.toThrow(/secret/)
  },
)
