import { randomUUID } from "node:crypto"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

import { openDatabase } from "#server/db/client.ts"
import { startEmbeddedPostgres } from "#server/db/embedded.ts"
import { migrate } from "#server/db/migrate.ts"
import { maintainPartitions } from "#server/ingest/partitions.ts"
import { maintainRollups } from "#server/rollup/retention.ts"
import { sql } from "kysely"
import { NOW } from "../factories.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** On a Citus cluster there is no template to clone, and every database is migrated. */
    postgres: { adminUrl: string; template: string | null }
  }
}

const TEMPLATE = "belay"

/** One Postgres for the whole run, with one migrated database that nobody connects to and every test clones. */
export default async function setup(project: TestProject) {
  // Called once for each of our projects that has tests to run, one after the other.
  const root = project.vitest.getRootProject()
  if ("postgres" in root.getProvidedContext()) return undefined

  const citusUrl = process.env["BELAY_TEST_CITUS_URL"]
  if (citusUrl !== undefined) {
    root.provide("postgres", { adminUrl: citusUrl, template: null })
    return undefined
  }

  const dataDir = join(tmpdir(), `belay-test-${randomUUID()}`)
  const embedded = await startEmbeddedPostgres({
    dataDir,
    durable: false,
    // Autovacuum would connect to the template just when it is cloned.
    settings: { autovacuum: "off", max_connections: "300", shared_buffers: "128MB" },
  })
  await migrate(embedded.url)
  await makePartitions(embedded.url)

  const adminUrl = databaseUrl(embedded.url, "postgres")
  const admin = openDatabase({ url: adminUrl, max: 1, applicationName: "test setup" })
  await sql`alter database ${sql.id(TEMPLATE)} allow_connections false`.execute(admin.kysely)
  await admin.close()
  root.provide("postgres", { adminUrl, template: TEMPLATE })

  return async () => {
    await embedded.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Those of the day that most tests live in: making them takes ten times as long as cloning them. */
async function makePartitions(url: string): Promise<void> {
  const worker = openDatabase({ url, role: "belay_worker", max: 1, applicationName: "test setup" })
  await maintainPartitions(worker.kysely, { now: NOW, retentionDays: 30 })
  await maintainRollups(worker.kysely, { now: NOW, retentionDays: 30 })
  await worker.close()
}

/** The same server and login, another database. */
function databaseUrl(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href
}
