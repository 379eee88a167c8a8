import path from "node:path"
import { readConfig } from "../config.ts"
import { startEmbeddedPostgres } from "./embedded.ts"
import { migrate } from "./migrate.ts"

/** `npm run migrate`: brings the database of `DATABASE_URL`, or the embedded one, to the newest schema. */
async function run(): Promise<void> {
  const config = readConfig(process.env)
  const embedded =
    config.DATABASE_URL === undefined
      ? await startEmbeddedPostgres({ dataDir: path.resolve(config.BELAY_DATA_DIR) })
      : null
  try {
    const ran = await migrate(embedded?.url ?? config.DATABASE_URL ?? "")
    console.log(ran.length === 0 ? "The database is up to date." : `Migrated: ${ran.join(", ")}`)
  } finally {
    await embedded?.stop()
  }
}

await run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
