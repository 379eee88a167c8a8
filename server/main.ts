import { parseArgs } from "node:util"
import { readConfig } from "./config.ts"
import { startBelay } from "./start.ts"

const { values } = parseArgs({ options: { demo: { type: "boolean" }, dev: { type: "boolean" } } })

try {
  const belay = await startBelay(readConfig(process.env), { isDemo: values.demo ?? false, isDev: values.dev ?? false })
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      belay.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error)
          process.exit(1)
        },
      )
    })
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
