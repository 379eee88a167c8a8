import path from "node:path"
import { parseArgs } from "node:util"
import { readConfig } from "../config.ts"
import { openDatabase } from "../db/client.ts"
import { startConfiguredPostgres } from "../db/configured.ts"
import { verifyRollups } from "./rebuild.ts"

/**
 * `npm run rollup:verify`: rebuilds the rollups of every organization from the signals that are kept, and compares them
 * with those that there are. Changes nothing, unless with `--repair`; ends with 1 when something differed.
 */
async function run(): Promise<void> {
  const { values } = parseArgs({ options: { repair: { type: "boolean", default: false } } })
  const config = readConfig(process.env)
  const dataDir = path.resolve(config.BELAY_DATA_DIR)
  const { url, stop } = await startConfiguredPostgres({ databaseUrl: config.DATABASE_URL, dataDir })
  const database = openDatabase({ url, role: "belay_worker", max: 1, applicationName: "rollup:verify" })
  try {
    for (const org of await database.kysely.selectFrom("org").select(["id", "name"]).orderBy("name").execute()) {
      console.log(org.name)
      const differences = await verifyRollups(database.kysely, org.id, { now: new Date(), isRepair: values.repair })
      for (const { table, rows, wrong, missing } of differences) {
        const isEqual = wrong + missing === 0
        if (!isEqual) process.exitCode = 1
        console.log(
          `  ${table.padEnd(20)} ${String(rows).padStart(9)} rows  ${isEqual ? "equal" : `${wrong} WRONG, ${missing} MISSING${values.repair ? ", repaired" : ""}`}`,
        )
      }
    }
  } finally {
    await database.close()
    await stop()
  }
}

await run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
