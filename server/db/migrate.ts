import { sql } from "kysely"
import { FileMigrationProvider, Migrator } from "kysely/migration"
import * as fs from "node:fs/promises"
import * as path from "node:path"

import { distributeTables } from "./citus.ts"
import { installQueue } from "../jobs/queue.ts"
import { openDatabase } from "./client.ts"

const MIGRATIONS = path.resolve(import.meta.dirname, "../../migrations")
const OLDEST_POSTGRES = 15

/**
 * Brings the database to the newest schema and returns the names of the migrations that it lacked, oldest first.
 *
 * All in one transaction and under a lock of the database: several processes may start together, one migrates and
 * the others wait and find nothing to do. On a Citus cluster it then distributes the tables. The job queue gets its own. `folder` replaces the migrations of this repository, for tests.
 *
 * Throws and changes nothing when a migration fails, when the server is older than Postgres 15 or cannot be reached
 * within 10 seconds, when a newer Belay has migrated the database, and when a migration that ran has since been
 * renamed, or a new one sorts before it.
 */
export async function migrate(url: string, options: { folder?: string } = {}): Promise<string[]> {
  const database = openDatabase({ url, max: 1, applicationName: "belay migrate" })
  try {
    const { rows } = await sql<{ version: string }>`
      select current_setting('server_version') as version`
      .execute(database.kysely)
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`The database cannot be reached (${reason}). Check DATABASE_URL, and that the server runs.`, {
          cause: error,
        })
      })
    const version = rows[0]?.version ?? "unknown"
    if (!(Number.parseInt(version) >= OLDEST_POSTGRES)) {
      throw new Error(`Belay needs Postgres ${OLDEST_POSTGRES} or newer, and the server of DATABASE_URL is ${version}.`)
    }

    const provider = new FileMigrationProvider({ fs, path, migrationFolder: options.folder ?? MIGRATIONS })
    const migrator = new Migrator({ db: database.kysely, provider })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error !== undefined) {
      const failed = results.find((result) => result.status === "Error")
      const reason = error instanceof Error ? error.message : "for an unknown reason"
      throw new Error(explain(failed?.migrationName, reason), { cause: error })
    }
    // Under a lock of its own, as processes that start together would all distribute.
    await sql`select pg_advisory_lock(hashtext('belay_distribute'))`.execute(database.kysely)
    await distributeTables(database.kysely)
    if (options.folder === undefined) await installQueue(url, database.kysely)
    return results.map((result) => result.migrationName)
  } finally {
    await database.close()
  }
}

function explain(failedMigration: string | undefined, reason: string): string {
  if (failedMigration !== undefined) return `Migration ${failedMigration} failed, and nothing was changed: ${reason}`
  if (/previously executed migration .* is missing/.test(reason)) {
    return `A newer Belay has migrated this database; start that version, or restore a backup. (${reason})`
  }
  return `The database could not be migrated: ${reason}`
}
