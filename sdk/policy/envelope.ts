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

interface Envelope {
  readonly format: string
  readonly keyId: string
  readonly payload: string
  readonly signature: string
}

/** Signs a policy with an Ed25519 private key, and returns the envelope as it is sent. */
export function sealPolicy(policy: SignedPolicy, key: { readonly id: string; readonly privateKey: KeyObject }): string {
  const payload = Buffer.from(JSON.stringify(policy)).toString("base64url")
  const signature = sign(null, signedBytes(key.id, payload), key.privateKey).toString("base64url")
  return JSON.stringify({ format: ENVELOPE_FORMAT, keyId: key.id, payload, signature } satisfies Envelope)
}

function signedBytes(keyId: string, payload: string): Buffer {
  return Buffer.from(`${ENVELOPE_FORMAT}\n${keyId}\n${payload}`)
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
  if (text.trim() === "") return { ok: false, reason: "empty" }
  const envelope = readEnvelope(text)
  if (envelope === null) return { ok: false, reason: "not_an_envelope" }
  if (envelope.format !== ENVELOPE_FORMAT) return { ok: false, reason: "other_format" }
  const key = known.keys.find(({ id }) => id === envelope.keyId)
  if (key === undefined) return { ok: false, reason: "unknown_key" }
  if (!isSignedBy(envelope, key)) return { ok: false, reason: "wrong_signature" }
  const policy = readPolicy(envelope.payload)
  if (policy === null) return { ok: false, reason: "not_an_envelope" }
  const { inForce } = known
  if (inForce !== null) {
    if (inForce.organization !== policy.organization) return { ok: false, reason: "other_organization" }
    if (isOlder(policy, inForce)) return { ok: false, reason: "older" }
  }
  return { ok: true, policy }
}

function isOlder(policy: SignedPolicy, than: SignedPolicy): boolean {
  if (policy.bundle.version !== than.bundle.version) return policy.bundle.version < than.bundle.version
  return Date.parse(policy.issuedAt) < Date.parse(than.issuedAt)
}

function isSignedBy({ keyId, payload, signature }: Envelope, key: PolicyKey): boolean {
  try {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key.publicKey }, format: "jwk" })
    return verify(null, signedBytes(keyId, payload), publicKey, Buffer.from(signature, "base64url"))
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
