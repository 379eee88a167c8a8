import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { ServerBuild } from "@remix-run/node"
import type { PageServer } from "./http.ts"

const SERVER_BUILD = new URL("../build/server/index.js", import.meta.url)

/** The pages: the production build, or Vite's development server with hot reload. */
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
  if (!existsSync(fileURLToPath(SERVER_BUILD))) {
    throw new Error("The pages are not built. Run `npm run build` first, or `npm run dev` to work on them.")
  }
  return { build: (await import(SERVER_BUILD.href)) as ServerBuild }
}
