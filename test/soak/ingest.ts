import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { loadavg, tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs, promisify } from "node:util"
import { Client } from "pg"
import { createRandom, type Random } from "#server/demo/random.ts"
import { makePayload } from "../bench/payload.ts"
import { makeSession } from "../session.ts"
import { type BelayProcess, readPostmasterPid, spawnBelay } from "../spawn.ts"

/**
 * `npm run soak:ingest`: clients send every batch three times, now and then at once, while Belay and its Postgres are
 * killed with SIGKILL at moments that the seed decides. Afterwards everything that was acknowledged has to be stored,
 * whole and once, and the rollups have to be what a rebuild gives.
 */

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "belay" },
  },
})
const minutes = Number(flags.minutes)

const ROOT = path.join(import.meta.dirname, "../..")
const INGEST_KEY = "blk_soak_0123456789abcdefghijklmno"
const KINDS = ["traces", "logs", "sessions"] as const
/** Clients of each kind. */
const CLIENTS = 2
const ITEMS = 32
const SENDS = 3
/** Between batches of a client: more would only fill the disk. */
const PAUSE_MS = 40
const SEND_TIMEOUT_MS = 15_000
/** Between kills: sometimes while the last one is still being recovered from. */
const KILL_EVERY_MS = { least: 300, most: 12_000 }

/** They follow the signals by some seconds, and after a kill have some catching up to do. */
const ROLLUP_ATTEMPTS = 20
const ROLLUP_PAUSE_MS = 3000

type Kind = (typeof KINDS)[number]

interface Batch {
  readonly kind: Kind
  /** As it stands in what is stored. */
  readonly name: string
  readonly path: string
  readonly contentType: string
  readonly body: Uint8Array<ArrayBuffer>
}

interface Sent {
  sends: number
  batches: number
  /** Names of batches, by kind and name, of which at least one sending was acknowledged. */
  readonly acknowledged: Set<string>
}

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-soak-"))
const environment = { BELAY_INGEST_KEY: INGEST_KEY, BELAY_INGEST_REQUESTS_PER_MINUTE: "100000000" }
let belay = await spawnBelay(dataDir, environment)
let nextCounter = 1

try {
  await run()
} finally {
  await belay.end("SIGTERM")
  await rm(dataDir, { recursive: true, force: true })
}

async function run(): Promise<void> {
  console.log(
    `Soak: ${CLIENTS} clients each of ${KINDS.join(", ")}; ${ITEMS} items a batch, each sent ${SENDS} times; ${minutes} minutes, seed ${flags.seed}.`,
  )
  const end = performance.now() + minutes * 60_000
  const sent: Sent = { sends: 0, batches: 0, acknowledged: new Set() }
  const clients = KINDS.flatMap((kind) =>
    Array.from({ length: CLIENTS }, (_, client) =>
      sendUntil(end, kind, createRandom(`${flags.seed} ${kind} ${client}`), sent),
    ),
  )
  const kills = await killUntil(end, createRandom(flags.seed))
  await Promise.all(clients)

  const faults: string[] = []
  const stored = await countStored(belay)
  const missing = [...sent.acknowledged].filter((batch) => !stored.has(batch))
  const partial = [...stored].filter(([, count]) => count < ITEMS)
  const repeated = [...stored].filter(([, count]) => count > ITEMS)
  if (missing.length > 0)
    faults.push(`${missing.length} acknowledged batches are not stored: ${missing.slice(0, 5).join(", ")}`)
  if (partial.length > 0) faults.push(`${partial.length} batches are stored in part: ${partial.slice(0, 5).join(", ")}`)
  if (repeated.length > 0)
    faults.push(`${repeated.length} batches are stored more than once: ${repeated.slice(0, 5).join(", ")}`)
  const rollups = await verifyRollups(belay)
  if (rollups === "differ") faults.push("the rollups are not what a rebuild gives")

  const unacknowledged = [...stored.keys()].filter((batch) => !sent.acknowledged.has(batch)).length
  const signals = [...stored.values()].reduce((sum, count) => sum + count, 0)
  for (const [title, value] of [
    ["batches made", sent.batches],
    ["sendings", sent.sends],
    ["acknowledged", sent.acknowledged.size],
    ["stored", stored.size],
    ["stored, not acknowledged", unacknowledged],
    ["signals stored", signals],
    ["kills of Belay", kills.server],
    ["kills of Postgres", kills.postgres],
    ["rollups", rollups],
  ] as const) {
    console.log(`${title.padEnd(26)} ${String(value).padStart(10)}`)
  }
  for (const fault of faults) console.log(fault)
  const figures = {
    batches: sent.batches,
    sends: sent.sends,
    acknowledged: sent.acknowledged.size,
    stored: stored.size,
    signals,
    missing: missing.length,
    partial: partial.length,
    repeated: repeated.length,
    server_kills: kills.server,
    postgres_kills: kills.postgres,
    rollups,
    load_after: Number(loadavg()[0]?.toFixed(2)),
  }
  console.log(`\n${JSON.stringify({ soak: "ingest", seed: flags.seed, minutes, figures })}`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

async function sendUntil(end: number, kind: Kind, random: Random, sent: Sent): Promise<void> {
  while (performance.now() < end) {
    const batch = makeBatch(kind, nextCounter++)
    sent.batches++
    const send = async () => {
      sent.sends++
      if (await isAcknowledged(batch)) sent.acknowledged.add(`${kind} ${batch.name}`)
      else await sleep(random.between(50, 400))
    }
    if (random.chance(0.3)) await Promise.all(Array.from({ length: SENDS }, send))
    else for (let time = 0; time < SENDS; time++) await send()
    await sleep(PAUSE_MS)
  }
}

function makeBatch(kind: Kind, counter: number): Batch {
  const name = counter.toString(16).padStart(8, "0")
  if (kind === "sessions") {
    const body = Buffer.from(makeSession(name, ITEMS, new Date()))
    return { kind, name, path: "/v1/logs", contentType: "application/json", body }
  }
  const encoding = kind === "traces" ? "protobuf" : "json"
  const payload = makePayload({ signal: kind, encoding, items: ITEMS, person: counter % 20 })
  payload.renew(counter, BigInt(Date.now()) * 1_000_000n)
  const contentType = encoding === "json" ? "application/json" : "application/x-protobuf"
  return { kind, name, path: `/v1/${kind}`, contentType, body: new Uint8Array(payload.body) }
}

async function isAcknowledged({ path: to, contentType, body }: Batch): Promise<boolean> {
  try {
    const response = await fetch(belay.ready.otlpUrl + to, {
      method: "POST",
      headers: { "content-type": contentType, authorization: `Bearer ${INGEST_KEY}` },
      body,
      signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
    })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    // Cut off: it may be stored or not.
    return false
  }
}

async function killUntil(end: number, random: Random): Promise<{ server: number; postgres: number }> {
  const kills = { server: 0, postgres: 0 }
  for (;;) {
    const pause = random.between(KILL_EVERY_MS.least, KILL_EVERY_MS.most)
    if (performance.now() + pause > end) {
      await sleep(Math.max(0, end - performance.now()))
      return kills
    }
    await sleep(pause)
    if (random.chance(0.5)) {
      await belay.end("SIGKILL")
      belay = await spawnBelay(dataDir, environment)
      kills.server++
    } else if (await killPostgres()) kills.postgres++
    if (belay.process.exitCode !== null) throw new Error("Belay ended when its Postgres was killed")
  }
}

/** False when there was none to kill, as it was just starting again. */
async function killPostgres(): Promise<boolean> {
  try {
    process.kill(await readPostmasterPid(dataDir), "SIGKILL")
    return true
  } catch {
    return false
  }
}

/** How many signals there are of each batch. */
async function countStored({ ready }: BelayProcess): Promise<Map<string, number>> {
  const database = await connect(ready.databaseUrl)
  // Ids of operations begin with the number of their batch, in traces after the first four bytes.
  const { rows } = await database.query<{ batch: string; count: number }>(`
    select case
        when t.value = 'bench-agent' then 'traces ' || substr(s.operation_id, 9, 8)
        when t.value = 'bench-editor' then 'logs ' || substr(s.operation_id, 1, 8)
        else 'sessions ' || s.session_id
      end as batch, count(*)::int as count
    from signal s join dimension t on t.id = s.agent_tool_id group by 1`)
  await database.end()
  return new Map(rows.map(({ batch, count }) => [batch, count]))
}

/** Waits for Postgres, which may have been killed a moment ago. */
async function connect(connectionString: string): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    const client = new Client({ connectionString })
    try {
      await client.connect()
      return client
    } catch (error) {
      if (attempt === 100) throw error
      await sleep(300)
    }
  }
}

/** Compares the rollups with a rebuild, where this Belay has any. */
async function verifyRollups({ ready }: BelayProcess): Promise<"equal" | "differ" | "none"> {
  const { scripts } = JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>
  }
  const script = scripts["rollup:verify"]
  if (script === undefined) return "none"
  for (let attempt = 1; ; attempt++) {
    try {
      const { stdout } = await promisify(execFile)(process.execPath, script.replace(/^node /, "").split(" "), {
        cwd: ROOT,
        env: { ...process.env, DATABASE_URL: ready.databaseUrl },
      })
      console.log(stdout.trimEnd())
      return "equal"
    } catch (error) {
      if (attempt < ROLLUP_ATTEMPTS) await sleep(ROLLUP_PAUSE_MS)
      else {
        console.log(error instanceof Error && "stdout" in error ? error.stdout : error)
        return "differ"
      }
    }
  }
}
