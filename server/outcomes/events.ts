import { hash } from "node:crypto"
import { z } from "zod"
import { branchDigestOf } from "#sdk/branch.ts"
import { FILE_KINDS, type FileKind, fileKindOf } from "#sdk/file-kind.ts"

/**
 * What a code host says, in the words of none: ids, numbers, times and kinds. No titles, names of people, messages or
 * paths; of a branch a digest, of whoever made a commit a keyed one.
 */

export const PROVIDERS = ["github", "gitlab"] as const
export type Provider = (typeof PROVIDERS)[number]

export type FileKinds = Readonly<Record<FileKind, number>>

const time = z.iso.datetime()
const commitId = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/)
const repository = z.string().min(1).max(400)
/** Of the column. */
const NUMBER_MAX = 2_147_483_647
const number = z.int().positive().max(NUMBER_MAX)
const count = z.int().nonnegative().max(NUMBER_MAX)
const tokens = z.array(z.string()).max(100)

/** A pull or merge request as it stood at a time. */
const stateSchema = z.object({
  kind: z.literal("state"),
  repository,
  number,
  at: time,
  openedAt: time,
  /** Null while it is open; of a merged one when that was. */
  closedAt: time.nullable(),
  mergedAt: time.nullable(),
  branch: z.string(),
  headCommit: commitId.nullable(),
  mergeCommit: commitId.nullable(),
  linesAdded: count.nullable(),
  linesRemoved: count.nullable(),
  filesChanged: count.nullable(),
  operations: tokens,
  /** Changes and commits that it says to take back, once it is merged. */
  revertsNumbers: z.array(number).max(100),
  reverts: z.array(z.string()).max(100),
})

const reviewSchema = z.object({
  kind: z.literal("review"),
  repository,
  number,
  at: time,
  verdict: z.enum(["approved", "changes_requested", "commented"]),
})

/** A commit that was pushed to a branch. */
const commitSchema = z.object({
  kind: z.literal("commit"),
  repository,
  commitId,
  /** When it was pushed, as far as the host says. */
  at: time,
  /** When it was made; null where the host does not say, and in what was stored before this was asked. */
  madeAt: time.nullable().default(null),
  /** Who made it, as `Identify` has it; null as `madeAt` is. */
  author: z.string().max(64).nullable().default(null),
  branch: z.string(),
  /** Whether the branch is the one that changes are merged into. */
  isDefault: z.boolean(),
  operations: tokens,
  reverts: z.array(z.string()).max(100),
  files: z.record(z.enum(FILE_KINDS), count),
})

const checkSchema = z.object({
  kind: z.literal("check"),
  repository,
  commitId,
  at: time,
  conclusion: z.enum(["passed", "failed", "other"]),
})

const deploymentSchema = z.object({
  kind: z.literal("deployment"),
  repository,
  commitId,
  at: time,
  isProduction: z.boolean(),
})

export const changeEventSchema = z.discriminatedUnion("kind", [
  stateSchema,
  reviewSchema,
  commitSchema,
  checkSchema,
  deploymentSchema,
])
export type ChangeEvent = z.infer<typeof changeEventSchema>
export type StateEvent = z.infer<typeof stateSchema>
export type CommitEvent = z.infer<typeof commitSchema>

/** What stands for the person with an e-mail address: the keyed hash that `developer_identity` has of it. */
export type Identify = (email: string) => string

/** What a provider's payload says that matters; null when it is not what its event should be. */
export type Reduce = (event: string, payload: unknown, identify: Identify) => readonly ChangeEvent[] | null

/** Reads of a payload what `schema` names, and makes events of it; null when it is not so. */
export function reading<T>(schema: z.ZodType<T>, reduce: (payload: T, identify: Identify) => readonly ChangeEvent[]) {
  return (payload: unknown, identify: Identify): readonly ChangeEvent[] | null => {
    const parsed = schema.safeParse(payload)
    return parsed.success ? reduce(parsed.data, identify) : null
  }
}

/** Events that none of the reducers is for say nothing that matters here. */
export function createReduce(reducers: Readonly<Record<string, ReturnType<typeof reading>>>): Reduce {
  const byEvent = new Map(Object.entries(reducers))
  return (event, payload, identify) => {
    const reducer = byEvent.get(event)
    if (reducer === undefined) return []
    const events = z.array(changeEventSchema).safeParse(reducer(payload, identify))
    return events.success ? events.data : null
  }
}

/**
 * ISO 8601 in UTC, also of seconds since 1970 and of `2026-11-20 12:00:00 UTC` and `2026-11-20 12:00:00 +0000`, which
 * GitLab writes too. Of what is no time it is empty, which no event may be.
 */
export function toTime(value: string | number): string {
  const iso =
    typeof value === "number"
      ? value * 1000
      : value.replace(
          /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (UTC|[+-]\d{4})$/,
          (_, day: string, clock: string, zone: string) => `${day}T${clock}${zone === "UTC" ? "Z" : zone}`,
        )
  const at = new Date(iso)
  return Number.isNaN(at.getTime()) ? "" : at.toISOString()
}

/** As `toTime`; null of what is no time. */
export function toTimeOrNull(value: string): string | null {
  return toTime(value) || null
}

/** 16 bytes that tell it from all that says something else. */
export function eventIdOf(provider: Provider, event: ChangeEvent): Buffer {
  const said = Object.entries(event).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return hash("sha256", JSON.stringify([provider, said]), "buffer").subarray(0, 16)
}

/** Equal for the same branch of a repository, as agents say it too. */
export function branchDigest(repositoryName: string, branch: string): string {
  return branchDigestOf((text) => hash("sha256", text, "hex"), { repository: repositoryName, branch })
}

/** Who made a commit, where its address can be one. Null also of those that hosts make themselves. */
export function authorOf(author: { email?: string | null | undefined } | null | undefined, identify: Identify) {
  const email = author?.email ?? ""
  return /^[^\s@]+@[^\s@]+$/.test(email) && !/^noreply@/i.test(email) ? identify(email) : null
}

const SAID_MAX = 100

/** Numbers of changes among texts of digits. */
export function toNumbers(texts: readonly string[]): number[] {
  return [...new Set(texts.map(Number))].filter((value) => value > 0 && value <= NUMBER_MAX).slice(0, SAID_MAX)
}

export function countKinds(paths: readonly string[]): FileKinds {
  const kinds = { source: 0, test: 0, docs: 0, generated: 0, lock_file: 0 }
  for (const path of new Set(paths)) kinds[fileKindOf(path)]++
  return kinds
}
