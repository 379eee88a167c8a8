import { execFileSync } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { startEmbeddedPostgres } from "#server/db/embedded.ts"
import { migrate } from "#server/db/migrate.ts"
import { TYPES_ARGUMENTS } from "./types-command.ts"

/** `npm run db:types`: writes server/db/types.ts from a database that was just migrated. */
const dataDir = await mkdtemp(path.join(tmpdir(), "belay-types-"))
const postgres = await startEmbeddedPostgres({ dataDir, durable: false })
try {
  await migrate(postgres.url)
  execFileSync("kysely-codegen", [...TYPES_ARGUMENTS, "--url", postgres.url], { stdio: "inherit" })
} finally {
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}
