import { spawn, type SpawnOptions } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

import { sql } from "kysely"
import { expect, test as base } from "vitest"

import { openDatabase } from "./client.ts"
import { lockDataFolder } from "./data-lock.ts"
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded.ts"
import { processIdentity } from "./processes.ts"

/** What a query may be told when its server goes. */
const LOST = /ECONNRESET|connection/
const isRoot = process.getuid?.() === 0

const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from it which fixtures are used
  .extend("dataDir", async ({}, { onCleanup }) => {
    const dataDir = join(tmpdir(), `belay-embedded-${randomUUID()}`)
    onCleanup(() => rm(dataDir, { recursive: true, force: true }))
    return dataDir
  })
  .extend("start", ({ dataDir }, { onCleanup }) => {
    const cleanups: (() => Promise<void>)[] = []
    onCleanup(async () => {
      for (const cleanup of cleanups.toReversed()) await cleanup()
    })
    return async (options: Partial<EmbeddedPostgresOptions> = {}) => {
      const embedded = await startEmbeddedPostgres({ dataDir, ...options })
      cleanups.push(() => embedded.stop())
      const { kysely, close } = openDatabase({ url: embedded.url, applicationName: "test" })
      cleanups.push(close)
      return { ...embedded, kysely }
    }
  })

  // oxlint-disable-next-line no-empty-pattern -- vitest reads from it which fixtures are used
  .extend("spawnStranger", ({}, { onCleanup }) => {
    return (options: SpawnOptions = {}) => {
      const stranger = spawn("sleep", ["60"], { ...options, stdio: "ignore" })
      onCleanup(() => void stranger.kill())
      return stranger
    }
  })

async function postmasterPid(directory: string): Promise<number> {
  return Number((await readFile(join(directory, "postmaster.pid"), "utf8")).split("\n")[0])
}

test("data is still there after a restart, under the same password", async ({ start }) => {
  const first = await start()
  await sql`create table kept as select 42 as answer`.execute(first.kysely)
  await first.stop()

  const second = await start()
  expect(new URL(second.url).password).toBe(new URL(first.url).password)
  expect((await sql`select answer from kept`.execute(second.kysely)).rows).toEqual([{ answer: 42 }])
})

test("text is UTF-8, sorted by code point, and passwords are checked", async ({ start }) => {
  const { kysely, url } = await start()
  const { rows } = await sql`
    select current_setting('server_encoding') as encoding, (select datcollate from pg_database where datname = 'belay'),
      current_setting('data_checksums') as checksums`.execute(kysely)
  expect(rows).toEqual([{ encoding: "UTF8", datcollate: "C", checksums: "on" }])

  const wrong = Object.assign(new URL(url), { password: "wrong" }).href
  const database = openDatabase({ url: wrong, applicationName: "test" })
  await expect(sql`select 1`.execute(database.kysely)).rejects.toThrow("password authentication failed")
  await database.close()
})

test("a killed server comes back on its port with what was committed", async ({ start, dataDir }) => {
  const { kysely, port } = await start()
  await sql`create table kept as select 42 as answer`.execute(kysely)
  const interrupted = kysely.transaction().execute(async (tx) => {
    await sql`insert into kept values (43)`.execute(tx)
    process.kill(await postmasterPid(join(dataDir, "postgres")), "SIGKILL")
    return sql`select pg_sleep(60)`.execute(tx)
  })
  await expect(interrupted).rejects.toThrow(LOST)

  expect((await sql`select answer from kept`.execute(kysely)).rows).toEqual([{ answer: 42 }])
  const { rows } = await sql`select current_setting('port')::int as port`.execute(kysely)
  expect(rows).toEqual([{ port }])
})

test("a busy process that survives its killed server does not keep it from coming back", async ({ start, dataDir }) => {
  const { kysely } = await start()
  const endless = sql`select count(*) from generate_series(1, 100000000000)`.execute(kysely)
  const isRunning = sql`
    select from pg_stat_activity where query like '%generate_series%' and state = 'active' and pid <> pg_backend_pid()`
  await expect.poll(async () => (await isRunning.execute(kysely)).rows.length).toBe(1)
  process.kill(await postmasterPid(join(dataDir, "postgres")), "SIGKILL")

  await expect(endless).rejects.toThrow(LOST)
  expect((await sql`select 1 as alive`.execute(kysely)).rows).toEqual([{ alive: 1 }])
})

test("the pool goes on after one of its connections was killed", async ({ start }) => {
  const { kysely } = await start()
  const killed = kysely.transaction().execute(async (tx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
    process.kill(rows[0]?.pid ?? 0, "SIGKILL")
    return sql`select 1`.execute(tx)
  })
  await expect(killed).rejects.toThrow(LOST)
  expect((await sql`select 1 as alive`.execute(kysely)).rows).toEqual([{ alive: 1 }])
})

test("it can be stopped while it is being brought back", async ({ start, dataDir }) => {
  const { stop } = await start()
  process.kill(await postmasterPid(join(dataDir, "postgres")), "SIGKILL")
  await stop()
  await stop()
  expect(await readdir(dataDir)).not.toContain("belay.lock")
})

test("a second Belay on the folder is told which process has it and what to do", async ({ start, dataDir }) => {
  await start()
  await expect(start()).rejects.toThrow(`data folder ${dataDir} (process ${process.pid})`)
  await expect(start()).rejects.toThrow("BELAY_DATA_DIR")
})

test("of many that find a stale lock, one gets it", async ({ dataDir }) => {
  await mkdir(dataDir)
  for (let round = 0; round < 20; round++) {
    await writeFile(join(dataDir, "belay.lock"), "999999999\nno such process\n")
    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataFolder(dataDir)))
    const locks = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []))
    expect(locks).toHaveLength(1)
    await locks[0]?.release()
  }
  expect(await readdir(dataDir)).toEqual([])
})

test("a lock is stale when its process id went to another process, and when it is unreadable", async ({
  dataDir,
  spawnStranger,
}) => {
  await mkdir(dataDir)
  const stranger = spawnStranger()
  for (const content of [`${stranger.pid}\nanother boot 1\n`, "", `${process.pid}\n`]) {
    await writeFile(join(dataDir, "belay.lock"), content)
    await (await lockDataFolder(dataDir)).release()
  }
  await writeFile(join(dataDir, "belay.lock"), `${stranger.pid}\n${await processIdentity(stranger.pid ?? 0)}\n`)
  await expect(lockDataFolder(dataDir)).rejects.toThrow(`process ${stranger.pid}`)
})

test("a killed Belay leaves nothing to repair", async ({ start, dataDir }) => {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "embedded.ts")).href)}
    console.log((await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} })).url)
    setInterval(() => {}, 1000)`
  const belay = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [url] = await once(belay.stdout, "data")
  const abandoned = openDatabase({ url: String(url).trim(), applicationName: "test" })
  await sql`create table kept as select 42 as answer`.execute(abandoned.kysely)
  belay.kill("SIGKILL")
  await once(belay, "exit")
  const orphan = await postmasterPid(join(dataDir, "postgres"))
  expect(await processIdentity(orphan)).toBeDefined()
  await abandoned.close()

  const { kysely } = await start()
  expect(await processIdentity(orphan)).toBeUndefined()
  expect((await sql`select answer from kept`.execute(kysely)).rows).toEqual([{ answer: 42 }])
})

test("a stranger that runs under the dead server's process id is left alone", async ({
  start,
  dataDir,
  spawnStranger,
}) => {
  const first = await start()
  const cluster = join(dataDir, "postgres")
  const pidFile = await readFile(join(cluster, "postmaster.pid"), "utf8")
  await first.stop()
  const { uid, gid } = await stat(cluster)
  const stranger = spawnStranger({ uid, gid })
  await writeFile(join(cluster, "postmaster.pid"), pidFile.replace(/^\d+/, String(stranger.pid)))

  const second = await start()
  expect((await sql`select 1 as alive`.execute(second.kysely)).rows).toEqual([{ alive: 1 }])
  expect(await processIdentity(stranger.pid ?? 0)).toBeDefined()
})

test("what an interrupted first start left behind does not matter", async ({ start, dataDir }) => {
  await mkdir(join(dataDir, "postgres.init-abcdef", "data"), { recursive: true })
  await chmod(dataDir, 0o711)
  await writeFile(join(dataDir, "postgres.init-abcdef", "data", "PG_VERSION"), "18\n")
  await writeFile(join(dataDir, "postgres-password"), "kept from before\n")

  const { url } = await start()
  expect(decodeURIComponent(new URL(url).password)).toBe("kept from before")
  expect((await readdir(dataDir)).toSorted()).toEqual(["belay.lock", "postgres", "postgres-password", "postgres.log"])
})

test("a lost password file is replaced", async ({ start, dataDir }) => {
  await (await start()).stop()
  await rm(join(dataDir, "postgres-password"))

  const { kysely } = await start()
  expect((await sql`select 1 as alive`.execute(kysely)).rows).toEqual([{ alive: 1 }])
  expect((await stat(join(dataDir, "postgres-password"))).mode & 0o777).toBe(0o600)
})

test("data of another major version is refused, and so is a folder that is no cluster", async ({ start, dataDir }) => {
  await (await start()).stop()
  await writeFile(join(dataDir, "postgres", "PG_VERSION"), "17\n")
  await expect(start()).rejects.toThrow(/written by Postgres 17.*brings Postgres 18.*pg_dump/s)

  await rm(join(dataDir, "postgres", "PG_VERSION"))
  await expect(start()).rejects.toThrow("holds no Postgres data")
})

test("a server that does not start says why, and the folder is free again", async ({ start }) => {
  await (await start()).stop()
  await expect(start({ settings: { shared_buffers: "much" } })).rejects.toThrow(/FATAL:.*shared_buffers.*DATABASE_URL/s)
  await start()
})

test.runIf(isRoot)("started as root, Postgres runs as somebody else", async ({ start, dataDir }) => {
  await start()
  const pid = await postmasterPid(join(dataDir, "postgres"))
  const { uid } = await stat(`/proc/${pid}`)
  expect(uid).not.toBe(0)
})

test.runIf(isRoot)(
  "data that Postgres' user cannot reach goes elsewhere, and is found again",
  async ({ start, dataDir }) => {
    const [closed, fallbackRoot] = [join(dataDir, "closed"), join(dataDir, "fallback")]
    await mkdir(closed, { recursive: true })
    await chmod(dataDir, 0o711)
    await chmod(closed, 0o700)
    const options = { dataDir: join(closed, ".belay"), fallbackRoot }

    const first = await start(options)
    await sql`create table kept as select 42 as answer`.execute(first.kysely)
    await first.stop()
    const location = (await readFile(join(closed, ".belay", "LOCATION"), "utf8")).trim()
    expect(location.startsWith(fallbackRoot)).toBe(true)

    await chmod(closed, 0o755)
    const second = await start(options)
    expect((await sql`select answer from kept`.execute(second.kysely)).rows).toEqual([{ answer: 42 }])
    await second.stop()

    await rm(join(location, "postgres"), { recursive: true })
    await expect(start(options)).rejects.toThrow(/LOCATION says that the data is in .*, but it is not/)
  },
)

test.runIf(isRoot)("a cluster that became unreachable is not replaced by an empty one", async ({ start, dataDir }) => {
  const closed = join(dataDir, "closed")
  const options = { dataDir: join(closed, ".belay"), fallbackRoot: join(dataDir, "fallback") }
  await (await start(options)).stop()
  await chmod(closed, 0o700)
  await expect(start(options)).rejects.toThrow(`chmod o+x ${closed}`)
})

test.runIf(isRoot)("data that root copied back is handed to Postgres' user", async ({ start, dataDir }) => {
  await (await start()).stop()
  const cluster = join(dataDir, "postgres")
  for (const name of await readdir(cluster, { recursive: true })) await chown(join(cluster, name), 0, 0)
  await chown(cluster, 0, 0)

  const { kysely } = await start()
  expect((await sql`select 1 as alive`.execute(kysely)).rows).toEqual([{ alive: 1 }])
})
