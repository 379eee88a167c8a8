import path from "node:path"
import { readConfig } from "../config.ts"
import { startConfiguredPostgres } from "./configured.ts"
import { migrate } from "./migrate.ts"

/** `npm run migrate`: brings the database of `DATABASE_URL`, or the embedded one, to the newest schema. */
async function run(): Promise<void> {
  const config = readConfig(process.env)
  const dataDir = path.resolve(config.BELAY_DATA_DIR)
  const { url, stop } = await startConfiguredPostgres({ databaseUrl: config.DATABASE_URL, dataDir })
  try {
    const ran = await migrate(url)
    console.log(ran.length === 0 ? "The database is up to date." : `Migrated: ${ran.join(", ")}`)
  } finally {
    await stop()
  }
}

await run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
