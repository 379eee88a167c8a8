import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { createServer, type Server } from "node:net"
import path from "node:path"
import { expect } from "vitest"
import { openDatabase } from "#server/db/client.ts"
import { sql } from "kysely"
import { test as withDatabase } from "../db.ts"
import { test } from "../process.ts"
import { spawnBelay } from "../spawn.ts"

test("a second Belay on the same data folder says so and ends", async ({ start, dataDir }) => {
  await start()
  await expect(spawnBelay(dataDir)).rejects.toThrow(/BELAY_DATA_DIR/)
})

test("a restart finds the data, stops its Postgres on the way, and does not print secrets again", async ({ start }) => {
  const first = await start({ BELAY_ADMIN_EMAIL: "ada@example.com" })
  expect(first.ready.admin).toEqual({ email: "ada@example.com", password: expect.stringMatching(/^.{16}$/) })
  await first.end("SIGTERM")
  const gone = openDatabase({ url: first.ready.databaseUrl, max: 1, applicationName: "test", connectTimeoutMs: 500 })
  await expect(sql`select 1`.execute(gone.kysely)).rejects.toThrow(/ECONNREFUSED|ENOENT|closed|lost/)
  await gone.close()

  const second = await start({ BELAY_ADMIN_EMAIL: "someone-else@example.com" })
  expect(second.ready.admin).toEqual({ email: "ada@example.com", password: null })
  expect(second.ready.ingestKey).toBe(first.ready.ingestKey)
})

test("the data folder is closed to other users", async ({ start, dataDir }) => {
  await start()
  expect((await stat(path.join(dataDir, "ingest-key"))).mode & 0o077).toBe(0)
})

test("settings that cannot be used are listed by name", async ({ dataDir }) => {
  await expect(spawnBelay(dataDir, { PORT: "eighty", BELAY_ADMIN_PASSWORD: "short" })).rejects.toThrow(
    /PORT: [\s\S]*BELAY_ADMIN_PASSWORD: has at least 12 characters/,
  )
})

test("a standard OTLP port that is taken is gone without; one that was asked for is an error", async ({
  start,
  dataDir,
}) => {
  const squatters = [4317, 4318].map((port) => createServer().listen(port, "127.0.0.1"))
  // Something may be there already, which is what this is about.
  await Promise.all(squatters.map(settled))
  const belay = await start({ OTLP_PORT: "", OTLP_GRPC_PORT: "" })
  expect(belay.ready.grpcUrl).toBeNull()
  expect(belay.ready.otlpUrl).toBe(belay.ready.url)
  const response = await fetch(`${belay.ready.otlpUrl}/v1/logs`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${belay.ready.ingestKey}` },
    body: "{}",
  })
  expect(response.status).toBe(200)
  await expect(spawnBelay(`${dataDir}-asked`, { OTLP_PORT: "4318" })).rejects.toThrow(/Port 4318 is taken/)
  for (const server of squatters) server.close()
  await rm(`${dataDir}-asked`, { recursive: true, force: true })
})

/** Listening, or told that something else does. */
function settled(server: Server): Promise<void> {
  return new Promise((resolve) => server.once("listening", resolve).once("error", () => resolve()))
}

withDatabase("with DATABASE_URL that server is used, by two processes at once", async ({ database }) => {
  const folders = await Promise.all([1, 2].map(() => mkdtemp(path.join(tmpdir(), "belay-start-"))))
  const empty = await database.owner.selectFrom("org").select("id").execute()
  expect(empty).toEqual([])
  const processes = await Promise.all(
    folders.map((folder) =>
      spawnBelay(folder, { DATABASE_URL: database.url, BELAY_INGEST_KEY: "blk_given_0123456789abcdefghijkl" }),
    ),
  )
  const keys = processes.map((belay) => belay.ready.ingestKey)
  for (const belay of processes) expect((await fetch(`${belay.ready.url}/readyz`)).status).toBe(200)
  await Promise.all(processes.map((belay) => belay.end("SIGTERM")))
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })))
  expect(keys).toEqual(["blk_given_0123456789abcdefghijkl", "blk_given_0123456789abcdefghijkl"])
  const orgs = await database.owner
    .selectFrom("org")
    .innerJoin("account", "account.org_id", "org.id")
    .select("role")
    .execute()
  expect(orgs).toEqual([{ role: "owner" }])
})
