import path from "node:path"
import { readConfig } from "../config.ts"
import { openDatabase } from "../db/client.ts"
import { startConfiguredPostgres } from "../db/configured.ts"
import { verifyAudit } from "./queries.ts"

/**
 * `npm run audit:verify`: checks every organization's audit log; ends with 1 when one was tampered with. Note the last
 * hash somewhere else: that newer entries than the last one sent on were cut off shows in nothing but that.
 */
async function run(): Promise<void> {
  const config = readConfig(process.env)
  const dataDir = path.resolve(config.BELAY_DATA_DIR)
  const { url, stop } = await startConfiguredPostgres({ databaseUrl: config.DATABASE_URL, dataDir })
  const database = openDatabase({ url, role: "belay_worker", max: 1, applicationName: "audit:verify" })
  try {
    for (const org of await database.kysely.selectFrom("org").select(["id", "name"]).orderBy("name").execute()) {
      const result = await verifyAudit(database.kysely, org.id)
      if (!result.ok) process.exitCode = 1
      console.log(
        result.ok
          ? `${org.name}: whole, ${result.entries} entries${result.head === null ? "" : `, the last ${result.head}`}`
          : `${org.name}: TAMPERED at entry ${result.sequence}: ${result.problem}`,
      )
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
