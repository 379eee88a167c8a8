/**
 * What a key may be used for: to send telemetry that is stored, to fetch policies, to read
 * the figures of the whole organization, or to send telemetry that is answered
 * in the same way and not stored. A key that stores cannot test as well.
 */
export const KEY_SCOPES = ["ingest", "policy:read", "analytics:read", "test"] as const
export type KeyScope = (typeof KEY_SCOPES)[number]

/** The scopes in the database's answer. */
export function toKeyScopes(stored: readonly string[]): KeyScope[] {
  return KEY_SCOPES.filter((scope) => stored.includes(scope))
}
