import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { sql } from "kysely"
import { openDatabase } from "../db/client.ts"
import { startEmbeddedPostgres } from "../db/embedded.ts"
import { migrate } from "../db/migrate.ts"
import { replayOrganizations, type ReplayOrganization } from "./replay-events.ts"
import {
  preparePartitions,
  readEvents,
  type ReplayedIncident,
  type ReplayedOrganization,
  replayOrganization,
} from "./replay.ts"
import { SETTINGS } from "./settings.ts"

const USAGE = `npm run breakage:replay -- --data DIR --out incidents.json [--stride HOURS] [--only org,…] [--at-once N] [--set SETTING=NUMBER]…

Lets every organization of DIR/orgs.json live through DIR/events/<org>.jsonl.gz, in a database of its own that is
removed afterwards, and writes the incidents that are found. SETTING is one of server/detect/settings.ts.`

const { values: flags } = parseArgs({
  options: {
    data: { type: "string" },
    out: { type: "string" },
    stride: { type: "string", default: "24" },
    only: { type: "string" },
    "at-once": { type: "string", default: "2" },
    set: { type: "string", multiple: true, default: [] },
  },
})

async function run(): Promise<void> {
  const { data, out } = flags
  if (data === undefined || out === undefined) throw new Error(USAGE)
  changeSettings(flags.set)
  const startedAt = performance.now()
  const { orgs } = replayOrganizations.parse(JSON.parse(await readFile(path.join(data, "orgs.json"), "utf8")))
  const only = flags.only?.split(",")
  const chosen = orgs.filter(({ org }) => only === undefined || only.includes(org))
  const dataDir = await mkdtemp(path.join(tmpdir(), "belay-replay-"))
  const postgres = await startEmbeddedPostgres({
    dataDir,
    durable: false,
    settings: { autovacuum: "off", max_wal_size: "4GB", jit: "off" },
  })
  try {
    const results = await replayAll({ url: postgres.url, data, orgs: chosen })
    const incidents = results.flatMap((result) => result.incidents)
    await writeFile(out, `${JSON.stringify(incidents, null, 1)}\n`)
    report(results, incidents, (performance.now() - startedAt) / 1000)
  } finally {
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

function changeSettings(changes: readonly string[]): void {
  for (const change of changes) {
    const [name = "", value = ""] = change.split("=")
    if (!(name in SETTINGS) || value === "" || Number.isNaN(Number(value))) {
      throw new Error(`--set ${change}: take one of ${Object.keys(SETTINGS).join(", ")}, and a number.`)
    }
    Object.assign(SETTINGS, { [name]: Number(value) })
  }
}

interface Replaying {
  readonly url: string
  readonly data: string
  readonly orgs: readonly ReplayOrganization[]
}

/** In the order of the organizations, however many are replayed at once. */
async function replayAll({ url, data, orgs }: Replaying): Promise<readonly ReplayedOrganization[]> {
  const strideHours = Number(flags.stride)
  if (!(strideHours >= 1)) throw new Error(USAGE)
  const admin = openDatabase({ url: databaseUrl(url, "postgres"), max: 2, applicationName: "replay" })
  const results: ReplayedOrganization[] = []
  const waiting = [...orgs.entries()]
  let template: Promise<void> | null = null
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, org] = next
      const events = await readEvents(path.join(data, "events", `${org.org}.jsonl.gz`))
      const [from, to] = [events[0]?.rx ?? 0, events.at(-1)?.rx ?? 0]
      template ??= makeTemplate(url, { from, to })
      await template
      const name = `replay_${index}`
      await sql`create database ${sql.id(name)} template belay strategy file_copy`.execute(admin.kysely)
      results[index] = await replayIn(databaseUrl(url, name), { org, events, strideHours })
      await sql`drop database ${sql.id(name)} with (force)`.execute(admin.kysely)
      const { spent, incidents } = results[index]
      const seconds = Object.entries(spent).map(([what, duration]) => `${what} ${duration.toFixed(1)} s`)
      console.log(
        `${org.org.padEnd(12)} ${String(events.length).padStart(7)} events  ${seconds.join("  ")}  ${incidents.length} incidents`,
      )
    }
  }
  try {
    await Promise.all(Array.from({ length: Number(flags["at-once"]) }, work))
  } finally {
    await admin.close()
  }
  return results
}

/** The database that each organization's is a copy of. All organizations of a data set live through the same weeks. */
async function makeTemplate(url: string, range: { from: number; to: number }): Promise<void> {
  await migrate(url)
  const worker = openDatabase({ url, role: "belay_worker", max: 1, applicationName: "replay" })
  await preparePartitions(worker.kysely, range)
  await worker.close()
}

async function replayIn(url: string, args: Parameters<typeof replayOrganization>[1]): Promise<ReplayedOrganization> {
  const open = (role?: string) =>
    openDatabase({ url, max: 2, applicationName: "replay", ...(role !== undefined && { role }) })
  const [owner, ingest, worker] = [open(), open("belay_ingest"), open("belay_worker")]
  try {
    return await replayOrganization({ url, owner: owner.kysely, ingest: ingest.kysely, worker: worker.kysely }, args)
  } finally {
    await Promise.all([owner.close(), ingest.close(), worker.close()])
  }
}

function report(
  results: readonly ReplayedOrganization[],
  incidents: readonly ReplayedIncident[],
  seconds: number,
): void {
  const events = results.reduce((sum, result) => sum + result.events, 0)
  const spent = (what: keyof ReplayedOrganization["spent"]) =>
    Math.round(results.reduce((sum, result) => sum + result.spent[what], 0))
  const figures = {
    organizations: results.length,
    events,
    incidents: incidents.length,
    seconds: Math.round(seconds * 10) / 10,
    events_per_s: Math.round(events / seconds),
    store_s: spent("store"),
    count_s: spent("count"),
    detect_s: spent("detect"),
  }
  console.log(JSON.stringify({ bench: "breakage:replay", figures }))
}

/** The same server and login, another database. */
function databaseUrl(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href
}

await run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
