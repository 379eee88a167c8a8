import { realpath } from "node:fs/promises"
import path from "node:path"
import type { PathScope } from "./ladder.ts"

/** What a task may touch. Names with `*` (any within a folder) and `**` (any number of folders). */
export interface Boundary {
  /** Relative to the workspace, or absolute; all of the workspace unless said otherwise. */
  readonly allow?: readonly string[] | undefined
  /** Touching it is worth knowing even within what is allowed; secrets and keys unless said otherwise. */
  readonly sensitive?: readonly string[] | undefined
}

const SENSITIVE = [
  "**/.env",
  "**/.env.*",
  "**/.ssh/**",
  "**/.aws/**",
  "**/*.pem",
  "**/*.key",
  "**/id_rsa*",
  "**/id_ed25519*",
  "**/.npmrc",
  "**/.git/**",
]

/** Judges where a path lies; nothing of the path is kept. */
export interface ScopeJudge {
  /** A relative path is one of the workspace. Resolves links; never rejects: what cannot be found out is undefined. */
  judge(file: string): Promise<PathScope | undefined>
}

export function createScopeJudge(
  workspace: string,
  boundary: Boundary,
  // As file systems of these machines are made.
  isCaseKept = process.platform !== "win32" && process.platform !== "darwin",
): ScopeJudge {
  const fold = (text: string) => (isCaseKept ? text : text.toLowerCase())
  const patternsOf = async (patterns: readonly string[]) => {
    const root = await resolveLinks(path.resolve(workspace))
    return Promise.all(
      patterns.map(async (pattern) => {
        // Links in the part without stars are resolved as those of the path will be.
        const [fixed = "", ...rest] = pattern.split(/(?=[^/\\]*\*)/)
        const base = pattern.startsWith("**") ? "" : await resolveLinks(path.resolve(root, fixed))
        return toRegExp(fold(slashed(base)), fold(pattern.startsWith("**") ? pattern : slashed(rest.join(""))))
      }),
    )
  }
  const ready = Promise.all([patternsOf(boundary.allow ?? ["."]), patternsOf(boundary.sensitive ?? SENSITIVE)])
  // Whoever judges sees it.
  ready.catch(() => {})
  return {
    async judge(file) {
      try {
        const [allowed, sensitive] = await ready
        const resolved = fold(slashed(await resolveLinks(path.resolve(workspace, file))))
        if (sensitive.some((pattern) => pattern.test(resolved))) return "sensitive"
        return allowed.some((pattern) => pattern.test(resolved)) ? "in_scope" : "out_of_scope"
      } catch {
        return undefined
      }
    },
  }
}

/** The path without links; of one that is not there yet, its nearest folder that is. */
async function resolveLinks(file: string): Promise<string> {
  try {
    return await realpath(file)
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT"
    const folder = path.dirname(file)
    if (!isMissing || folder === file) throw error
    return path.join(await resolveLinks(folder), path.basename(file))
  }
}

function slashed(file: string): string {
  return path.sep === "/" ? file : file.replaceAll(path.sep, "/")
}

/** What lies at or under `base`, or matches the pattern from there. */
function toRegExp(base: string, pattern: string): RegExp {
  const start = escape(base.replace(/\/$/, ""))
  if (pattern === "") return new RegExp(`^${start}(?:/.*)?$`)
  const rest = pattern
    .split(/(\*\*\/|\*\*|\*)/)
    .map((part) => ({ "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*" })[part] ?? escape(part))
    .join("")
  return new RegExp(`^${base === "" ? "/?(?:.*/)?" : `${start}/`}${rest}(?:/.*)?$`)
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
}
