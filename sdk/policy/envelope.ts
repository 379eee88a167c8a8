/** How a bundle travels: signed, so that nothing but the organization's own policy is ever taken for one. */
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto"
import type { PolicyBundle } from "./document.ts"

/** What the `format` of every envelope of this form says; it is signed too. */
export const ENVELOPE_FORMAT = "belay.bundle/1"

/** A public key with which bundles are checked. */
export interface PolicyKey {
  /** Names the key; what an envelope says it is signed with. */
  readonly id: string
  /** The 32 bytes of an Ed25519 public key, in base64url (RFC 8032; as `x` of RFC 8037). */
  readonly publicKey: string
}

/** What is signed. */
export interface SignedPolicy {
  /** The organization whose policy it is. */
  readonly organization: string
  /** The person whom it binds; null for everyone about whom nothing is known. */
  readonly subject: string | null
  /** The person's teams, the wider first: what exceptions and conditions name. */
  readonly teams: readonly string[]
  /** When it was signed, in ISO 8601. Of two of the same version the later one counts. */
  readonly issuedAt: string
  /** The keys that bundles are signed with now and next. They take the place of those that the client knows. */
  readonly keys: readonly PolicyKey[]
  readonly bundle: PolicyBundle
}

/** What the `format` of how budgets stand says. It is signed too, so that neither is ever taken for the other. */
export const BUDGETS_FORMAT = "belay.budgets/1"

/** How one budget stands. */
export interface BudgetUse {
  readonly layer: string
  readonly id: string
  /** Null when it is not known. */
  readonly used: number | null
  readonly limit: number
  /** When it starts anew, in ISO 8601. */
  readonly resetsAt: string
}

/** How the budgets stand that bind a person, as it is signed. */
export interface SignedBudgets {
  readonly organization: string
  /** The person whom they bind; null for everyone about whom nothing is known. */
  readonly subject: string | null
  /** Of the bundle whose budgets they are. */
  readonly version: number
  /** When it was so, in ISO 8601. */
  readonly asOf: string
  readonly budgets: readonly BudgetUse[]
}

interface Envelope {
  readonly format: string
  readonly keyId: string
  readonly payload: string
  readonly signature: string
}

/** A key that signs. */
interface Signer {
  readonly id: string
  readonly privateKey: KeyObject
}

/** Signs a policy with an Ed25519 private key, and returns the envelope as it is sent. */
export function sealPolicy(policy: SignedPolicy, key: Signer): string {
  return seal(ENVELOPE_FORMAT, policy, key)
}

/** Signs how budgets stand, as a policy is signed. */
export function sealBudgets(budgets: SignedBudgets, key: Signer): string {
  return seal(BUDGETS_FORMAT, budgets, key)
}

function seal(format: string, signed: SignedPolicy | SignedBudgets, key: Signer): string {
  const payload = Buffer.from(JSON.stringify(signed)).toString("base64url")
  const signature = sign(null, signedBytes(format, key.id, payload), key.privateKey).toString("base64url")
  return JSON.stringify({ format, keyId: key.id, payload, signature } satisfies Envelope)
}

function signedBytes(format: string, keyId: string, payload: string): Buffer {
  return Buffer.from(`${format}\n${keyId}\n${payload}`)
}

/**
 * Why an answer is not taken for a policy: `empty`; `not_an_envelope`, which includes truncated bodies and error pages;
 * `other_format`, of a later Belay; `unknown_key`; `wrong_signature`; `other_organization`; `older` than what is in force.
 */
export type Refusal =
  | "empty"
  | "not_an_envelope"
  | "other_format"
  | "unknown_key"
  | "wrong_signature"
  | "other_organization"
  | "older"

/** An opened envelope, or why it is refused. */
export type Opened =
  | { readonly ok: true; readonly policy: SignedPolicy }
  | { readonly ok: false; readonly reason: Refusal }

/**
 * Checks an envelope and returns what is in it. `inForce` is what the client goes by now: an earlier version, or the same
 * signed earlier, is refused, so that nobody who recorded an old answer can bring its policy back. Never throws.
 */
export function openPolicy(
  text: string,
  known: { readonly keys: readonly PolicyKey[]; readonly inForce: SignedPolicy | null },
): Opened {
  const opened = openEnvelope(text, ENVELOPE_FORMAT, known.keys)
  if (!opened.ok) return opened
  const policy = readPolicy(opened.payload)
  if (policy === null) return { ok: false, reason: "not_an_envelope" }
  const { inForce } = known
  if (inForce !== null) {
    if (inForce.organization !== policy.organization) return { ok: false, reason: "other_organization" }
    if (isOlder(policy, inForce)) return { ok: false, reason: "older" }
  }
  return { ok: true, policy }
}

/**
 * Checks how budgets stand. `policy` is what the client goes by, whose person they have to be of, and `before` what is
 * known of them: what stood so earlier, or under an earlier version, is refused. Never throws.
 */
export function openSignedBudgets(
  text: string,
  known: {
    readonly keys: readonly PolicyKey[]
    readonly policy: Pick<SignedPolicy, "organization" | "subject">
    readonly before: SignedBudgets | null
  },
):
  | { readonly ok: true; readonly budgets: SignedBudgets }
  | { readonly ok: false; readonly reason: Refusal | "other_person" } {
  const opened = openEnvelope(text, BUDGETS_FORMAT, known.keys)
  if (!opened.ok) return opened
  const budgets = readBudgets(opened.payload)
  if (budgets === null) return { ok: false, reason: "not_an_envelope" }
  const { policy, before } = known
  if (budgets.organization !== policy.organization) return { ok: false, reason: "other_organization" }
  if (budgets.subject !== policy.subject) return { ok: false, reason: "other_person" }
  const isOld =
    before !== null && (budgets.version < before.version || Date.parse(budgets.asOf) < Date.parse(before.asOf))
  return isOld ? { ok: false, reason: "older" } : { ok: true, budgets }
}

/** The payload of an envelope that one of the keys signed. */
function openEnvelope(
  text: string,
  format: string,
  keys: readonly PolicyKey[],
): { readonly ok: true; readonly payload: string } | { readonly ok: false; readonly reason: Refusal } {
  if (text.trim() === "") return { ok: false, reason: "empty" }
  const envelope = readEnvelope(text)
  if (envelope === null) return { ok: false, reason: "not_an_envelope" }
  if (envelope.format !== format) return { ok: false, reason: "other_format" }
  const key = keys.find(({ id }) => id === envelope.keyId)
  if (key === undefined) return { ok: false, reason: "unknown_key" }
  if (!isSignedBy(envelope, key)) return { ok: false, reason: "wrong_signature" }
  return { ok: true, payload: envelope.payload }
}

function isOlder(policy: SignedPolicy, than: SignedPolicy): boolean {
  if (policy.bundle.version !== than.bundle.version) return policy.bundle.version < than.bundle.version
  return Date.parse(policy.issuedAt) < Date.parse(than.issuedAt)
}

function isSignedBy({ format, keyId, payload, signature }: Envelope, key: PolicyKey): boolean {
  try {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key.publicKey }, format: "jwk" })
    return verify(null, signedBytes(format, keyId, payload), publicKey, Buffer.from(signature, "base64url"))
  } catch {
    return false
  }
}

function readEnvelope(text: string): Envelope | null {
  const value = parseJson(text)
  if (typeof value !== "object" || value === null) return null
  const { format, keyId, payload, signature } = value as Partial<Record<keyof Envelope, unknown>>
  if (typeof format !== "string" || typeof keyId !== "string") return null
  if (typeof payload !== "string" || typeof signature !== "string") return null
  return { format, keyId, payload, signature }
}

/** What was signed was checked before it was signed; this is about a server of another version. */
function readPolicy(payload: string): SignedPolicy | null {
  const value = parseJson(Buffer.from(payload, "base64url").toString("utf8"))
  if (typeof value !== "object" || value === null) return null
  const { organization, issuedAt, keys, teams, bundle } = value as Partial<Record<keyof SignedPolicy, unknown>>
  const isWhole =
    typeof organization === "string" &&
    typeof issuedAt === "string" &&
    Number.isFinite(Date.parse(issuedAt)) &&
    Array.isArray(keys) &&
    Array.isArray(teams) &&
    typeof bundle === "object" &&
    bundle !== null &&
    "version" in bundle &&
    typeof bundle.version === "number" &&
    "layers" in bundle &&
    Array.isArray(bundle.layers)
  return isWhole ? (value as SignedPolicy) : null
}

/** As `readPolicy` is: what was signed is well formed, unless a server of another version signed it. */
function readBudgets(payload: string): SignedBudgets | null {
  const value = parseJson(Buffer.from(payload, "base64url").toString("utf8"))
  if (typeof value !== "object" || value === null) return null
  const { organization, subject, version, asOf, budgets } = value as Partial<Record<keyof SignedBudgets, unknown>>
  const isWhole =
    typeof organization === "string" &&
    (subject === null || typeof subject === "string") &&
    typeof version === "number" &&
    typeof asOf === "string" &&
    Number.isFinite(Date.parse(asOf)) &&
    Array.isArray(budgets) &&
    budgets.every(isUse)
  return isWhole ? (value as SignedBudgets) : null
}

function isUse(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false
  const { layer, id, used, limit, resetsAt } = value as Partial<Record<keyof BudgetUse, unknown>>
  const isNamed = typeof layer === "string" && typeof id === "string" && typeof resetsAt === "string"
  return isNamed && typeof limit === "number" && (used === null || typeof used === "number")
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
