import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { Client } from "pg"
import { to as copyTo } from "pg-copy-streams"
import { openDatabase } from "#server/db/client.ts"
import { countAll, startRollups } from "#server/rollup/loop.ts"
import { type BelayProcess, spawnBelay } from "../spawn.ts"
import type { CopyJob, CopyResult, LoadJob, LoadResult } from "./load.ts"

/**
 * `npm run bench:ingest`: what the way in takes, beside bare binary COPY of the same rows into the same table and beside
 * a bare HTTP server.
 *
 * Postgres, Belay and whoever sends are processes of their own. The measurements of a round follow one another, rounds
 * are repeated, and medians over the rounds are printed; every ratio is made within its round.
 */

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    /** Only these measurements, separated by commas. */
    only: { type: "string" },
    /** Folder for a CPU profile of Belay. */
    profile: { type: "string" },
  },
})
const rounds = Number(flags.rounds ?? 3)
const seconds = Number(flags.seconds ?? (flags.quick ? 1.5 : 8))

const SPANS = 512
const CONNECTIONS = 8
const SINGLE_CONNECTIONS = 32
/** Ten times as many as keep the server busy. */
const OVERLOAD_CONNECTIONS = 10 * SINGLE_CONNECTIONS
const PEOPLE = 32
const COPY_CONNECTIONS = 2
const COPY_ROWS = 8192
const INGEST_KEY = "blk_bench_0123456789abcdefghijklmn"

interface Use {
  /** Cores, where 1 is one core busy all the time. */
  readonly cores: number
  readonly rssMiB: number
}

interface Measured {
  readonly rate: number
  readonly acknowledged: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly refused: number
  readonly server: Use
  readonly postgres: Use
  readonly sender: Use
}

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
const children: ChildProcess[] = []
let belay: BelayProcess | undefined
try {
  belay = await spawnBelay(dataDir, {
    // Counting is measured by itself, by whom the bench starts for it.
    BELAY_BACKGROUND_WORK: "off",
    BELAY_INGEST_KEY: INGEST_KEY,
    BELAY_INGEST_REQUESTS_PER_MINUTE: "100000000",
    ...(flags.profile !== undefined && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${flags.profile}` }),
  })
  belay.process.stderr?.pipe(process.stderr)
  await run(belay)
} finally {
  for (const child of children) child.disconnect()
  await belay?.end("SIGTERM")
  await rm(dataDir, { recursive: true, force: true })
}

async function run({ ready, process: server }: BelayProcess): Promise<void> {
  const database = new Client({ connectionString: ready.databaseUrl })
  await database.connect()
  const worker = openDatabase({
    url: ready.databaseUrl,
    role: "belay_worker",
    max: 1,
    applicationName: "bench rollups",
  })
  await countAll(worker.kysely, new Date())
  const postmaster = parentOf(Number((await query(database, "select pg_backend_pid() as value"))[0]?.["value"]))
  const serverPid = server.pid ?? 0
  const sender = forkModule("load.ts")
  const echo = forkModule("echo.ts")
  const [address] = await once(echo, "message")
  const echoUrl = `http://127.0.0.1:${address.port}`
  let counter = 1

  const measure = async <Result>(work: () => Promise<Result>): Promise<{ result: Result; uses: Use[] }> => {
    // Connections come and go, and with them the processes of Postgres.
    const groups = () => [[serverPid], [postmaster, ...childrenOf(postmaster)], [sender.pid ?? 0]]
    const before = groups().map(cpuSecondsOf)
    const peaks = groups().map(rssMiBOf)
    const sampling = setInterval(() => {
      groups().forEach((pids, index) => (peaks[index] = Math.max(peaks[index] ?? 0, rssMiBOf(pids))))
    }, 100)
    const started = performance.now()
    const result = await work()
    const elapsed = (performance.now() - started) / 1000
    clearInterval(sampling)
    const uses = groups().map((pids, index) => ({
      cores: (cpuSecondsOf(pids) - (before[index] ?? 0)) / elapsed,
      rssMiB: peaks[index] ?? 0,
    }))
    return { result, uses }
  }

  const load = async (args: Partial<LoadJob> = {}): Promise<Measured> => {
    await empty(database)
    const job: LoadJob = {
      kind: "load",
      url: ready.otlpUrl,
      ingestKey: INGEST_KEY,
      signal: "traces",
      encoding: "protobuf",
      items: SPANS,
      people: PEOPLE,
      connections: CONNECTIONS,
      durationMs: seconds * 1000,
      firstCounter: counter,
      ...args,
    }
    const { result, uses } = await measure(() => ask(sender, job))
    counter = result.nextCounter
    if (job.url === ready.otlpUrl) await requireStored(database, result.acknowledged)
    const latencies = result.latenciesMs.toSorted((a, b) => a - b)
    const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
    return {
      rate: result.acknowledged / result.seconds,
      acknowledged: result.acknowledged,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      refused: result.refused,
      ...namedUses(uses),
    }
  }

  let space: Space | null = null
  let template: { rows: string; columns: string } | undefined
  const copy = async (): Promise<Measured> => {
    // What the server stored is what COPY stores.
    template ??= await readTemplate(database)
    await empty(database)
    const job: CopyJob = {
      kind: "copy",
      databaseUrl: ready.databaseUrl,
      ...template,
      connections: COPY_CONNECTIONS,
      durationMs: seconds * 1000,
    }
    const { result, uses } = await measure(() => ask(sender, job))
    await requireStored(database, result.rows)
    return {
      rate: result.rows / result.seconds,
      acknowledged: result.rows,
      p50Ms: 0,
      p99Ms: 0,
      refused: 0,
      ...namedUses(uses),
    }
  }

  /** As fast as signals are stored and counted: until the last one of the load is in the rollups. */
  const loadAndCount = async (): Promise<Measured> => {
    const log = (message: string, error: unknown) => console.error(message, error)
    const rollups = startRollups({ db: worker.kysely, now: () => new Date(), log })
    const started = performance.now()
    const measured = await load()
    await rollups.stop()
    const { result: caughtUp, uses } = await measure(async () => {
      await countAll(worker.kysely, new Date())
      return (performance.now() - started) / 1000
    })
    const left = Number((await query(database, "select count(*)::int as value from signal_batch"))[0]?.["value"])
    if (left > 0) throw new Error(`${left} batches were not counted`)
    const { postgres } = namedUses(uses)
    return {
      ...measured,
      rate: measured.acknowledged / caughtUp,
      postgres: { ...measured.postgres, rssMiB: Math.max(measured.postgres.rssMiB, postgres.rssMiB) },
    }
  }

  const single = { items: 1, connections: SINGLE_CONNECTIONS } as const
  const measurements: Record<string, () => Promise<Measured>> = {
    async protobuf() {
      const measured = await load()
      space = await readSpace(database)
      return measured
    },
    copy,
    json: () => load({ encoding: "json" }),
    logs: () => load({ signal: "logs" }),
    single: () => load(single),
    echo: () => load({ ...single, url: echoUrl }),
    rollups: loadAndCount,
    overload: () => load({ connections: OVERLOAD_CONNECTIONS }),
  }
  const names = flags.only === undefined ? Object.keys(measurements) : flags.only.split(",")

  console.log(
    `Ingest: ${SPANS} spans or records a request over ${CONNECTIONS} connections, ${PEOPLE} people; COPY over ${COPY_CONNECTIONS}, ${COPY_ROWS} rows each;`,
  )
  console.log(
    `one-span requests over ${SINGLE_CONNECTIONS}; overload: ${OVERLOAD_CONNECTIONS} connections of ${SPANS} spans.`,
  )
  console.log(
    `${rounds} rounds of ${seconds} s each, after one to warm up; node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(2)}.\n`,
  )
  await load()
  const results = new Map<string, Measured[]>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const measured = await measurements[name]?.()
      if (measured !== undefined) results.get(name)?.push(measured)
    }
  }
  await worker.close()
  await database.end()
  report(results, space)
}

function report(results: ReadonlyMap<string, readonly Measured[]>, space: Space | null): void {
  const middle = (name: string, pick: (measured: Measured) => number) => median((results.get(name) ?? []).map(pick))
  const columns = [12, 12, 9, 9, 9, 22, 22, 22]
  const line = (cells: readonly string[]) =>
    console.log(
      cells
        .map((cell, index) => (index === 0 ? cell.padEnd(columns[0] ?? 0) : cell.padStart(columns[index] ?? 0)))
        .join(" "),
    )
  const titles = ["", "per second", "p50 ms", "p99 ms", "refused", "Belay", "Postgres", "sender"]
  line(titles)
  for (const name of results.keys()) {
    const use = (who: "server" | "postgres" | "sender") =>
      `${middle(name, (m) => m[who].cores).toFixed(2)} cores ${middle(name, (m) => m[who].rssMiB).toFixed(0)} MiB`
    line([
      name,
      middle(name, (m) => m.rate).toFixed(0),
      middle(name, (m) => m.p50Ms).toFixed(1),
      middle(name, (m) => m.p99Ms).toFixed(1),
      middle(name, (m) => m.refused).toFixed(0),
      use("server"),
      use("postgres"),
      use("sender"),
    ])
  }
  const ratio = (name: string, floor: string) => {
    const [own, other] = [results.get(name) ?? [], results.get(floor) ?? []]
    const each = own.map((measured, round) => measured.rate / (other[round]?.rate ?? Number.NaN))
    return each.length === 0 || other.length === 0 ? null : Number(median(each).toFixed(3))
  }
  const ratios = {
    protobuf_vs_copy: ratio("protobuf", "copy"),
    logs_vs_copy: ratio("logs", "copy"),
    json_vs_copy: ratio("json", "copy"),
    with_rollups_vs_copy: ratio("rollups", "copy"),
    single_span_vs_echo: ratio("single", "echo"),
  }
  const whole = (value: number) => (Number.isNaN(value) ? null : Math.round(value))
  const most = (pick: (measured: Measured) => number) => Math.max(...[...results.values()].flat().map(pick))
  const figures = {
    signals_per_s: whole(middle("protobuf", (m) => m.rate)),
    log_signals_per_s: whole(middle("logs", (m) => m.rate)),
    json_signals_per_s: whole(middle("json", (m) => m.rate)),
    counted_signals_per_s: whole(middle("rollups", (m) => m.rate)),
    copy_rows_per_s: whole(middle("copy", (m) => m.rate)),
    single_span_requests_per_s: whole(middle("single", (m) => m.rate)),
    echo_requests_per_s: whole(middle("echo", (m) => m.rate)),
    acknowledge_p50_ms: whole(middle("protobuf", (m) => m.p50Ms)),
    acknowledge_p99_ms: whole(middle("protobuf", (m) => m.p99Ms)),
    overload_signals_per_s: whole(middle("overload", (m) => m.rate)),
    overload_refused: whole(middle("overload", (m) => m.refused)),
    heap_bytes_per_signal: whole(space?.heapBytesPerRow ?? Number.NaN),
    heap_and_key_vs_heap: space === null ? null : Number(space.heapAndKeyVsHeap.toFixed(3)),
    server_peak_mib: whole(most((m) => m.server.rssMiB)),
    load_after: Number(loadavg()[0]?.toFixed(2)),
  }
  const run = { quick: flags.quick, rounds, seconds, spans: SPANS, connections: CONNECTIONS }
  console.log(`\n${JSON.stringify({ bench: "ingest", ratios, figures, run })}`)
}

function namedUses(uses: readonly Use[]) {
  const none: Use = { cores: 0, rssMiB: 0 }
  return { server: uses[0] ?? none, postgres: uses[1] ?? none, sender: uses[2] ?? none }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** Rows that the server stored, as binary COPY writes them. */
async function readTemplate(database: Client): Promise<{ rows: string; columns: string }> {
  const named = await query(
    database,
    "select string_agg(attname, ',' order by attnum) as value from pg_attribute where attrelid = 'signal'::regclass and attnum > 0",
  )
  const columns = String(named[0]?.["value"])
  const stream = database.query(
    copyTo(`copy (select ${columns} from signal limit ${COPY_ROWS}) to stdout (format binary)`),
  )
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return { rows: Buffer.concat(chunks).toString("base64"), columns }
}

interface Space {
  readonly heapBytesPerRow: number
  /** Of table and primary key together, as a multiple of the table. */
  readonly heapAndKeyVsHeap: number
}

/** What the stored rows take on disk. */
async function readSpace(database: Client): Promise<Space> {
  const [sizes] = await query(
    database,
    `with leaf as (select inhrelid as oid from pg_inherits where inhparent = 'signal'::regclass)
     select sum(pg_relation_size(leaf.oid))::float8 as heap, sum(pg_relation_size(key.indexrelid))::float8 as key,
       (select count(*) from signal)::float8 as rows
     from leaf join pg_index key on key.indrelid = leaf.oid and key.indisprimary`,
  )
  const [heap, key, rows] = [Number(sizes?.["heap"]), Number(sizes?.["key"]), Number(sizes?.["rows"])]
  return { heapBytesPerRow: heap / rows, heapAndKeyVsHeap: (heap + key) / heap }
}

/** As after a fresh start: every measurement finds the same tables. */
async function empty(database: Client): Promise<void> {
  await query(
    database,
    `truncate signal, signal_occurrence, signal_batch, signal_retraction, signal_minute, signal_hour, latency_hour,
       signal_day, developer_usage_day, developer_day, operation`,
  )
  await query(database, "checkpoint")
}

async function requireStored(database: Client, acknowledged: number): Promise<void> {
  const stored = Number((await query(database, "select count(*)::int as value from signal"))[0]?.["value"])
  if (stored !== acknowledged) throw new Error(`${acknowledged} acknowledged, ${stored} stored`)
}

async function query(database: Client, text: string): Promise<Record<string, unknown>[]> {
  return (await database.query<Record<string, unknown>>(text)).rows
}

function forkModule(name: string): ChildProcess {
  const child = fork(path.join(import.meta.dirname, name), { serialization: "advanced" })
  children.push(child)
  return child
}

async function ask(child: ChildProcess, job: LoadJob): Promise<LoadResult>
async function ask(child: ChildProcess, job: CopyJob): Promise<CopyResult>
async function ask(child: ChildProcess, job: LoadJob | CopyJob): Promise<unknown> {
  child.send(job)
  const [answer] = await once(child, "message")
  if ("error" in answer) throw new Error(answer.error)
  return answer.result
}

// What Linux says of processes; elsewhere the columns are zero.

function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")
  } catch {
    return []
  }
}

function parentOf(pid: number): number {
  return Number(statOf(pid)[1] ?? 0)
}

function childrenOf(parent: number): number[] {
  try {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
    return pids.map(Number).filter((pid) => parentOf(pid) === parent)
  } catch {
    return []
  }
}

/** Of the processes and of those of their children that have ended. A tick is a hundredth of a second. */
function cpuSecondsOf(pids: readonly number[]): number {
  const ticksOf = (pid: number) =>
    statOf(pid)
      .slice(11, 15)
      .reduce((sum, ticks) => sum + Number(ticks), 0)
  return pids.reduce((sum, pid) => sum + ticksOf(pid) / 100, 0)
}

/** Memory of the processes' own: what they share counts once, with the largest. */
function rssMiBOf(pids: readonly number[]): number {
  const sizes = pids.map((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "latin1")
      const kibOf = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0)
      return { own: kibOf("RssAnon"), shared: kibOf("RssFile") + kibOf("RssShmem") }
    } catch {
      return { own: 0, shared: 0 }
    }
  })
  const shared = Math.max(0, ...sizes.map((size) => size.shared))
  return (sizes.reduce((sum, size) => sum + size.own, 0) + shared) / 1024
}
