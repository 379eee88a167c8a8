import { parseArgs } from "node:util"
import { readConfig } from "./config.ts"
import { startBelay } from "./start.ts"

const { values } = parseArgs({ options: { demo: { type: "boolean" }, dev: { type: "boolean" } } })

async function run(): Promise<void> {
  const starting = startBelay(readConfig(process.env), { isDemo: values.demo ?? false, isDev: values.dev ?? false })
  // Before anything says that Belay is ready: whoever waits for that may stop it at once.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      starting.then((belay) => belay.stop()).then(() => process.exit(0), fail)
    })
  }
  await starting
}

function fail(error: unknown): never {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

run().catch(fail)
