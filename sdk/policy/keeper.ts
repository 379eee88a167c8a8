/** The policy that a client goes by: checked before it is taken, and kept on disk for the next start. */
import { readFileSync } from "node:fs"
import type { PolicyContext } from "./action.ts"
import { withCanary } from "./canary.ts"
import { type CompiledPolicy, compilePolicy } from "./compile.ts"
import type { PolicyBundle } from "./document.ts"
import { openPolicy, type PolicyKey, type Refusal, type SignedPolicy } from "./envelope.ts"
import { readPolicyKeys } from "./keys.ts"
import { type Availability, type PolicyFiles, readNote, replaceFile, type Unavailable, writeNote } from "./note.ts"
import { AVAILABILITIES, RULE_ACTIONS, type RuleAction } from "./vocabulary.ts"

/** A policy that is in force. */
export interface InForce {
  readonly signed: SignedPolicy
  readonly compiled: CompiledPolicy
  /** With which what comes next is checked. */
  readonly keys: readonly PolicyKey[]
}

/** `not_usable`: it is the organization's, and this version of Belay cannot compile it. */
export type NotTaken = Refusal | "not_usable"

/** What became of an envelope. */
export type Taken =
  | { readonly ok: true; readonly isNew: boolean }
  | {
      readonly ok: false
      readonly reason: NotTaken
    }

/** Keeps one organization's policy for one person. */
export interface Keeper {
  /** What is gone by; null when there is none. */
  inForce(): InForce | null
  /** Of what is in force, as the server named it. */
  etag(): string | null
  /** Whether no key is known, so that nothing can be checked. */
  needsKeys(): boolean
  /** Takes keys that came over the authenticated connection for the first ones. */
  trust(organization: string, keys: readonly PolicyKey[]): void
  /** Checks what was answered, and puts it in force and on disk; otherwise nothing changes. Never throws. */
  take(envelope: string, etag: string | null): Taken
  /** Remembers that Belay answered at `at`, and whether its answer was refused. */
  note(at: number, refusal: string | null): void
  /** What holds without a policy, as the last that was in force has it; null when there never was one. */
  unavailable(): Unavailable | null
  /** Why what was on disk was not taken; null when it was, or nothing was there. */
  readonly problem: NotTaken | null
}

export interface KeeperOptions {
  /** Null keeps nothing on disk. */
  readonly files: PolicyFiles | null
  /** Keys that were given: the only ones to begin with. Empty for those that the connection gives. */
  readonly pinned: readonly PolicyKey[]
  /** Is told what cannot be written. */
  readonly report: (problem: string) => void
}

/** What is on disk. */
interface Stored {
  readonly organization: string | null
  /** The keys that the envelope was checked with. Not believed where keys are pinned. */
  readonly keys: readonly PolicyKey[]
  /**
   * Envelopes that lead from pinned keys to the one that the envelope is signed with, each signed with a key that the one
   * before it announced. So whoever can write the file cannot put a key of theirs among the known ones.
   */
  readonly introductions: readonly string[]
  readonly envelope: string | null
  readonly etag: string | null
}

const NOTHING_STORED: Stored = { organization: null, keys: [], introductions: [], envelope: null, etag: null }

/** Opens what was kept, and checks it again. Never throws. */
export function openKeeper({ files, pinned, report }: KeeperOptions): Keeper {
  const opened = files === null ? { ...NOT_KEPT, keys: pinned } : load(files, pinned)
  let { stored, keys, inForce } = opened
  let unavailable = inForce === null ? (files === null ? null : readNote(files).unavailable) : unavailableOf(inForce)

  const save = (version: number) => {
    if (files === null) return
    try {
      // Of several processes that share the file the one that was told last is right.
      const other = load(files, pinned).inForce
      if (other !== null && other.signed.bundle.version > version) return
      replaceFile(files.policy, `${JSON.stringify(stored)}\n`)
    } catch {
      report("the policy cannot be kept on disk")
    }
  }

  return {
    inForce: () => inForce,
    etag: () => (inForce === null ? null : stored.etag),
    needsKeys: () => keys.length === 0,
    unavailable: () => unavailable,
    problem: opened.problem,
    trust(organization, first) {
      if (keys.length > 0) return
      keys = first
      stored = { ...NOTHING_STORED, organization }
    },
    take(envelope, etag) {
      const { organization } = stored
      const read = openPolicy(envelope, { keys, inForce: inForce?.signed ?? null })
      if (!read.ok) return read
      const { policy } = read
      if (organization !== null && policy.organization !== organization) {
        return { ok: false, reason: "other_organization" }
      }
      const compiled = compile(policy.bundle)
      if (compiled === null) return { ok: false, reason: "not_usable" }
      const isNew = envelope !== stored.envelope
      const isIntroduced = stored.envelope !== null && JSON.stringify(keys) !== JSON.stringify(stored.keys)
      const introductions =
        pinned.length > 0 && isIntroduced && stored.envelope !== null
          ? [...stored.introductions, stored.envelope]
          : stored.introductions
      if (isNew) stored = { organization: policy.organization, keys, introductions, envelope, etag }
      keys = announcedBy(policy, keys)
      inForce = { signed: policy, compiled, keys }
      unavailable = unavailableOf(inForce)
      if (isNew) save(policy.bundle.version)
      return { ok: true, isNew }
    },
    note(checkedAt, refusal) {
      if (files === null) return
      try {
        writeNote(files, { unavailable, checkedAt, refusal })
      } catch {
        report("the policy cannot be kept on disk")
      }
    },
  }
}

interface Loaded {
  readonly stored: Stored
  readonly keys: readonly PolicyKey[]
  readonly inForce: InForce | null
  readonly problem: NotTaken | null
}

const NOT_KEPT: Loaded = { stored: NOTHING_STORED, keys: [], inForce: null, problem: null }

function load(files: PolicyFiles, pinned: readonly PolicyKey[]): Loaded {
  const none = { stored: NOTHING_STORED, keys: pinned, inForce: null }
  let text: string
  try {
    text = readFileSync(files.policy, "utf8")
  } catch {
    return { ...none, problem: null }
  }
  const stored = readStored(text)
  if (stored === null || stored.envelope === null) {
    return { ...none, problem: text === "" ? "empty" : "not_an_envelope" }
  }
  let basis = pinned.length > 0 ? pinned : stored.keys
  for (const introduction of stored.introductions) {
    const read = openPolicy(introduction, { keys: basis, inForce: null })
    if (!read.ok) return { ...none, problem: read.reason }
    basis = announcedBy(read.policy, basis)
  }
  const read = openPolicy(stored.envelope, { keys: basis, inForce: null })
  if (!read.ok) return { ...none, problem: read.reason }
  const compiled = compile(read.policy.bundle)
  if (compiled === null) return { ...none, problem: "not_usable" }
  const keys = announcedBy(read.policy, basis)
  return {
    stored: { ...stored, keys: basis },
    keys,
    inForce: { signed: read.policy, compiled, keys },
    problem: null,
  }
}

/** The keys that are known next. A server that announces none that can be used would shut itself out. */
function announcedBy({ keys }: SignedPolicy, known: readonly PolicyKey[]): readonly PolicyKey[] {
  return readPolicyKeys(keys) ?? known
}

function readStored(text: string): Stored | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== "object" || value === null) return null
    const { organization, keys, introductions, envelope, etag } = value as Partial<Record<keyof Stored, unknown>>
    const known = readPolicyKeys(keys)
    if (known === null || !Array.isArray(introductions) || typeof envelope !== "string") return null
    return {
      organization: typeof organization === "string" ? organization : null,
      keys: known,
      introductions: introductions.filter((item) => typeof item === "string"),
      envelope,
      etag: typeof etag === "string" ? etag : null,
    }
  } catch {
    return null
  }
}

function compile(bundle: PolicyBundle): CompiledPolicy | null {
  try {
    return compilePolicy(withCanary(bundle))
  } catch {
    return null
  }
}

/** The strictest of what the layers say, per action: a narrower layer only tightens. */
function unavailableOf({ signed: { bundle } }: InForce): Unavailable {
  const strictest: Partial<Record<RuleAction, Availability>> = {}
  for (const action of RULE_ACTIONS) {
    const said = bundle.layers.flatMap(({ document }) => document.permissions?.unavailable?.[action] ?? [])
    const index = Math.max(-1, ...said.map((availability) => AVAILABILITIES.indexOf(availability)))
    const availability = AVAILABILITIES[index]
    if (availability !== undefined) strictest[action] = availability
  }
  return strictest
}

/**
 * The circumstances with the person and teams that a policy was signed for. Time never goes back behind the moment at which
 * it was signed, so that a clock that is set back brings nothing back that has expired.
 */
export function signedContext({ signed }: InForce, context: PolicyContext): PolicyContext {
  return {
    ...context,
    nowMs: Math.max(context.nowMs, Date.parse(signed.issuedAt)),
    teamIds: signed.teams,
    ...(signed.subject !== null && { personId: signed.subject }),
  }
}

/** What holds for an action without a policy. */
export const UNAVAILABLE_EFFECTS = { open: "allow", ask: "ask", closed: "deny" } as const
