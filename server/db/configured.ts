import { startEmbeddedPostgres } from "./embedded.ts"

/** The Postgres of `DATABASE_URL`, or the embedded one, which `stop` stops. */
export async function startConfiguredPostgres(args: {
  databaseUrl: string | undefined
  dataDir: string
  log?: (line: string) => void
}): Promise<{ url: string; stop: () => Promise<void> }> {
  const { databaseUrl, dataDir, log } = args
  if (databaseUrl !== undefined) return { url: databaseUrl, stop: async () => {} }
  return startEmbeddedPostgres({ dataDir, ...(log && { log }) })
}
