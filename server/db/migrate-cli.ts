import path from "node:path"
import { parseArgs } from "node:util"
import { readConfig } from "../config.ts"
import { listDistributed } from "./citus.ts"
import { openDatabase } from "./client.ts"
import { startConfiguredPostgres } from "./configured.ts"
import { migrate } from "./migrate.ts"

/**
 * `npm run migrate`: brings the database of `DATABASE_URL`, or the embedded one, to the newest schema. On a Citus cluster
 * it distributes the tables as well; with `--citus` it says how they lie, and fails where there is no cluster.
 */
async function run(): Promise<void> {
  const { values } = parseArgs({ options: { citus: { type: "boolean", default: false } } })
  const config = readConfig(process.env)
  const dataDir = path.resolve(config.BELAY_DATA_DIR)
  const { url, stop } = await startConfiguredPostgres({ databaseUrl: config.DATABASE_URL, dataDir })
  try {
    const ran = await migrate(url)
    console.log(ran.length === 0 ? "The database is up to date." : `Migrated: ${ran.join(", ")}`)
    if (values.citus) await tellDistribution(url)
  } finally {
    await stop()
  }
}

async function tellDistribution(url: string): Promise<void> {
  const database = openDatabase({ url, max: 1, applicationName: "belay migrate" })
  try {
    for (const { name, place } of await listDistributed(database.kysely)) console.log(`  ${name.padEnd(24)} ${place}`)
  } finally {
    await database.close()
  }
}

await run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
