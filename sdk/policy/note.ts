/**
 * What is remembered of a policy beside it: what holds when it cannot be read, and when it was last asked for. Hooks look at
 * this before anything else, so nothing is loaded for it that takes time.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs"
import path from "node:path"
import { crc32 } from "../crc32.ts"
import { AVAILABILITIES, RULE_ACTIONS, type RuleAction } from "./vocabulary.ts"

/** What happens to an action while there is no policy to go by. */
export type Availability = (typeof AVAILABILITIES)[number]

/** What happens per action while there is no policy to go by; what is absent is asked about. */
export type Unavailable = Readonly<Partial<Record<RuleAction, Availability>>>

/** Whose policy, from where. */
export interface PolicyOwner {
  /** Of Belay, without a path. */
  readonly endpoint: string
  /** A key with `policy:read`; it says which organization. */
  readonly key: string
  /** The person; undefined for everyone about whom nothing is known. */
  readonly enduser: string | undefined
}

/** The files of one organization's policy for one person. */
export interface PolicyFiles {
  readonly policy: string
  readonly note: string
  readonly budgets: string
}

/** Where the policy of `owner` is kept under `folder`. Nothing of the owner can be read from the names. */
export function policyFiles(folder: string, { endpoint, key, enduser = "" }: PolicyOwner): PolicyFiles {
  const bytes = new TextEncoder().encode([endpoint.replace(/\/+$/, ""), key, enduser.trim()].join("\n"))
  const name = crc32(bytes).toString(16).padStart(8, "0")
  const file = (kind: string) => path.join(folder, `${name}${kind}.json`)
  return { policy: file(""), note: file(".note"), budgets: file(".budgets") }
}

/** What is remembered. */
export interface PolicyNote {
  /** As the last policy that was in force has it; null when there never was one. */
  readonly unavailable: Unavailable | null
  /** When Belay last answered, in milliseconds since the epoch; 0 for never. */
  readonly checkedAt: number
  /** Why what Belay answered was not taken; null when it was. */
  readonly refusal: string | null
}

const NOTHING: PolicyNote = { unavailable: null, checkedAt: 0, refusal: null }

/** What is remembered; as if nothing ever was where it cannot be read. Never throws. */
export function readNote(files: PolicyFiles): PolicyNote {
  try {
    const value: unknown = JSON.parse(readFileSync(files.note, "utf8"))
    if (typeof value !== "object" || value === null) return NOTHING
    const { unavailable, checkedAt, refusal } = value as Partial<Record<keyof PolicyNote, unknown>>
    return {
      unavailable: readUnavailable(unavailable),
      checkedAt: typeof checkedAt === "number" ? checkedAt : 0,
      refusal: typeof refusal === "string" ? refusal : null,
    }
  } catch {
    return NOTHING
  }
}

function readUnavailable(value: unknown): Unavailable | null {
  if (typeof value !== "object" || value === null) return null
  const unavailable: Partial<Record<RuleAction, Availability>> = {}
  for (const [key, said] of Object.entries(value)) {
    const action = RULE_ACTIONS.find((known) => known === key)
    const availability = AVAILABILITIES.find((known) => known === said)
    if (action !== undefined && availability !== undefined) unavailable[action] = availability
  }
  return unavailable
}

/** Throws where it cannot be written. */
export function writeNote(files: PolicyFiles, note: PolicyNote): void {
  replaceFile(files.note, `${JSON.stringify(note)}\n`)
}

/** Milliseconds since the epoch at which the note was written; 0 when there is none. */
export function notedAt(files: PolicyFiles): number {
  return statSync(files.note, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** In one step and for the person alone, so that a reader sees one or the other, also after a power cut. Throws. */
export function replaceFile(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}`
  try {
    const handle = openSync(fresh, "w", 0o600)
    try {
      writeSync(handle, text)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(fresh, file)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
}

/** Forgets what is kept, keys with it: the next connection gives them anew. */
export function forgetPolicy({ policy, note, budgets }: PolicyFiles): void {
  for (const file of [policy, note, budgets]) rmSync(file, { force: true })
}
