import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { createRequire } from "node:module"
import path from "node:path"
import { promisify } from "node:util"
import type { ServerBuild } from "@remix-run/node"
import type { PageServer } from "./http.ts"
import type { ListStanding } from "./standing.ts"

const ROOT = path.join(import.meta.dirname, "..")
const SERVER_BUILD = path.join(ROOT, "build/server/index.js")
/** What app/entry.server.tsx gives besides what Remix asks for. */
type OwnEntry = ServerBuild["entry"]["module"] & { readonly listStanding: ListStanding }
/** What the build is made from. */
const SOURCES = ["app", "server", "sdk", "public", "package.json", "package-lock.json", "vite.config.ts"]

/**
 * The pages: the production build, made first when it is missing or older than its sources, or Vite's development
 * server with hot reload.
 */
export async function loadPages(mode: { isDev: boolean }): Promise<PageServer & { close?: () => Promise<void> }> {
  if (mode.isDev) {
    const { createServer } = await import("vite")
    const vite = await createServer({ server: { middlewareMode: true } })
    return {
      build: () => vite.ssrLoadModule("virtual:remix/server-build") as Promise<ServerBuild>,
      middleware: vite.middlewares,
      close: () => vite.close(),
    }
  }
  await ensureBuilt()
  const build = (await import(SERVER_BUILD)) as ServerBuild
  const { listStanding } = build.entry.module as OwnEntry
  return { build, listStanding }
}

async function ensureBuilt(): Promise<void> {
  const remix = findRemix()
  const builtAt = await stat(SERVER_BUILD).then(
    (file) => file.mtimeMs,
    () => null,
  )
  // Where the development packages were left out, the build that was shipped is the one there is.
  if (
    builtAt !== null &&
    (remix === null || (await newestOf(SOURCES.map((name) => path.join(ROOT, name)))) < builtAt)
  ) {
    return
  }
  if (remix === null)
    throw new Error("The pages are not built and Remix is not installed: run `npm ci && npm run build`.")
  process.stderr.write("Building the pages…\n")
  // Whatever started us may say development or test, and these are the pages that people get.
  await promisify(execFile)(process.execPath, [remix, "vite:build", "--logLevel", "warn"], {
    cwd: ROOT,
    env: { NODE_ENV: "production" },
  }).catch((error: unknown) => {
    const output = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error)
    throw new Error(`The pages could not be built:\n${output}`)
  })
}

function findRemix(): string | null {
  const manifest = path.join(ROOT, "node_modules/@remix-run/dev/package.json")
  return existsSync(manifest) ? createRequire(manifest).resolve("./dist/cli.js") : null
}

/** When the newest of these files and folders was changed, in Unix milliseconds. */
async function newestOf(places: readonly string[]): Promise<number> {
  const times = await Promise.all(
    places.map(async (place) => {
      const found = await stat(place).catch(() => null)
      if (found === null) return 0
      if (!found.isDirectory()) return found.mtimeMs
      const inside = await readdir(place)
      return newestOf(
        inside.filter((name) => name !== "dist" && name !== "node_modules").map((name) => path.join(place, name)),
      )
    }),
  )
  return Math.max(0, ...times)
}
