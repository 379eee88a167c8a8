import * as fs from "node:fs"
import path from "node:path"
import type { PathScope } from "./ladder.ts"

/** What a task may touch. Names with `*` (any within a folder) and `**` (any number of folders). */
export interface Boundary {
  /** Relative to the workspace, or absolute; all of the workspace unless said otherwise. */
  readonly allow?: readonly string[] | undefined
  /** Touching it is worth knowing even within what is allowed; secrets and keys unless said otherwise. */
  readonly sensitive?: readonly string[] | undefined
}

const ALLOWED = ["."]
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

/** As file systems of these machines are made. */
const IS_CASE_KEPT = process.platform !== "win32" && process.platform !== "darwin"

/** Judges where a path lies; nothing of the path is kept. */
export interface ScopeJudge {
  /** A relative path is one of the workspace. Resolves links; never rejects: what cannot be found out is undefined. */
  judge(file: string): Promise<PathScope | undefined>
}

export function createScopeJudge(workspace: string, boundary: Boundary, isCaseKept = IS_CASE_KEPT): ScopeJudge {
  const patternsOf = async (places: readonly Place[]) => {
    const root = await resolveLinks(path.resolve(workspace))
    return Promise.all(
      places.map(async (place) => toPattern(place, await resolveLinks(path.resolve(root, place.base)), isCaseKept)),
    )
  }
  const ready = Promise.all([
    patternsOf(placesOf(boundary.allow ?? ALLOWED)),
    patternsOf(placesOf(boundary.sensitive ?? SENSITIVE)),
  ])
  // Whoever judges sees it.
  ready.catch(() => {})
  return {
    async judge(file) {
      try {
        const [allowed, sensitive] = await ready
        return judgeResolved(await resolveLinks(path.resolve(workspace, file)), allowed, sensitive, isCaseKept)
      } catch {
        return undefined
      }
    },
  }
}

/** As a judge with no boundary but the workspace, before it returns: for a process that lives for one file. */
export function judgeScopeSync(file: string, workspace: string, isCaseKept = IS_CASE_KEPT): PathScope | undefined {
  try {
    const root = resolveLinksSync(path.resolve(workspace))
    const patternsOf = (places: readonly Place[]) => places.map((place) => toPattern(place, root, isCaseKept))
    const resolved = resolveLinksSync(path.resolve(workspace, file))
    return judgeResolved(resolved, patternsOf(placesOf(ALLOWED)), patternsOf(placesOf(SENSITIVE)), isCaseKept)
  } catch {
    return undefined
  }
}

/** A pattern in two parts: the first has no stars, and its links are resolved as those of the path will be. */
interface Place {
  readonly base: string
  readonly rest: string
  /** Whether it is to be found in any folder, of the workspace or not. */
  readonly isAnywhere: boolean
}

function placesOf(patterns: readonly string[]): readonly Place[] {
  return patterns.map((pattern) => {
    if (pattern.startsWith("**")) return { base: ".", rest: pattern, isAnywhere: true }
    const [base = "", ...rest] = pattern.split(/(?=[^/\\]*\*)/)
    return { base, rest: rest.join(""), isAnywhere: false }
  })
}

function toPattern({ rest, isAnywhere }: Place, resolved: string, isCaseKept: boolean): RegExp {
  return toRegExp(
    isAnywhere ? "" : fold(slashed(resolved), isCaseKept),
    fold(isAnywhere ? rest : slashed(rest), isCaseKept),
  )
}

function judgeResolved(
  file: string,
  allowed: readonly RegExp[],
  sensitive: readonly RegExp[],
  isCaseKept: boolean,
): PathScope {
  const name = fold(slashed(file), isCaseKept)
  if (sensitive.some((pattern) => pattern.test(name))) return "sensitive"
  return allowed.some((pattern) => pattern.test(name)) ? "in_scope" : "out_of_scope"
}

function fold(text: string, isCaseKept: boolean): string {
  return isCaseKept ? text : text.toLowerCase()
}

/** The path without links; of one that is not there yet, its nearest folder that is. */
async function resolveLinks(file: string): Promise<string> {
  try {
    return await fs.promises.realpath(file)
  } catch (error) {
    const folder = path.dirname(file)
    if (!isMissing(error) || folder === file) throw error
    return path.join(await resolveLinks(folder), path.basename(file))
  }
}

function resolveLinksSync(file: string): string {
  try {
    return fs.realpathSync.native(file)
  } catch (error) {
    const folder = path.dirname(file)
    if (!isMissing(error) || folder === file) throw error
    return path.join(resolveLinksSync(folder), path.basename(file))
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT"
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
