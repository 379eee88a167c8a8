/** The keys that a client takes for its organization's. */
import type { PolicyKey } from "./envelope.ts"

/** `id:publicKey,id:publicKey`, as `BELAY_POLICY_KEYS` has them; null for what is none. */
export function parsePolicyKeys(text: string): readonly PolicyKey[] | null {
  const keys = text.split(",").map((part) => {
    const [, id, publicKey] = /^\s*([\w.-]{1,80}):([\w-]{43})\s*$/.exec(part) ?? []
    return { id, publicKey }
  })
  return readPolicyKeys(keys)
}

/** Keys of what another program wrote; null unless every one is a key, and there is one. */
export function readPolicyKeys(value: unknown): readonly PolicyKey[] | null {
  if (!Array.isArray(value) || value.length === 0) return null
  const keys: PolicyKey[] = []
  for (const item of value as readonly unknown[]) {
    if (typeof item !== "object" || item === null || !("id" in item) || !("publicKey" in item)) return null
    const { id, publicKey } = item
    if (typeof id !== "string" || id === "" || typeof publicKey !== "string" || publicKey.length !== 43) return null
    keys.push({ id, publicKey })
  }
  return keys
}

/** For keys that were given and cannot be read: one that nothing is signed with, so that none is believed. */
export const NO_KEY: readonly PolicyKey[] = [{ id: "", publicKey: "" }]
