import { createHmac } from "node:crypto"

/** HMAC-SHA-256 with the organization's key, as hex. E-mail addresses are compared in lower case. */
export function identityHash(pseudonymKey: Uint8Array, identity: { kind: string; value: string }): string {
  const value = identity.kind === "email" ? identity.value.trim().toLowerCase() : identity.value
  return createHmac("sha256", pseudonymKey).update(`${identity.kind}\u0000${value}`).digest("hex")
}

/** What people see in place of a person: 48 bits of the keyed hash. */
export function pseudonymOf(hashed: string): string {
  return `dev-${hashed.slice(0, 12)}`
}
