import { randomUUID } from "node:crypto"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { test as base } from "vitest"
import { type BelayProcess, spawnBelay } from "./spawn.ts"

/** `test` with a data folder of its own, and Belay processes that are ended with it. */
export const test = base
  .extend("dataDir", async ({}, { onCleanup }) => {
    const dataDir = path.join(tmpdir(), `belay-data-${randomUUID()}`)
    onCleanup(() => rm(dataDir, { recursive: true, force: true }))
    return dataDir
  })
  .extend("start", async ({ dataDir }, { onCleanup }) => {
    const started: BelayProcess[] = []
    onCleanup(async () => {
      for (const belay of started) await belay.end("SIGTERM")
    })
    return async (env: Record<string, string> = {}) => {
      const belay = await spawnBelay(dataDir, env)
      started.push(belay)
      return belay
    }
  })
