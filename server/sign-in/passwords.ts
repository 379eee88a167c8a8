import { randomBytes, scrypt, timingSafeEqual } from "node:crypto"
import { promisify } from "node:util"

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt)

/** OWASP's scrypt parameters of 2023: 64 MiB and about 0.1 s. */
const COST = { N: 2 ** 16, r: 8, p: 1, maxmem: 128 * 1024 * 1024 }
const KEY_BYTES = 32

export const PASSWORD_LENGTH_MIN = 12
export const PASSWORD_LENGTH_MAX = 200

/** `scrypt:<salt>:<key>`, both base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const key = await derive(password, salt, KEY_BYTES, COST)
  return `scrypt:${salt.toString("base64url")}:${key.toString("base64url")}`
}

/**
 * Whether the password is the one that was hashed. With `stored` null it takes as long and answers false, so that the
 * time of an answer does not tell whether an account exists.
 */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  const [, salt, key] = (stored ?? `scrypt:${"A".repeat(22)}:${"A".repeat(43)}`).split(":")
  const wanted = Buffer.from(key ?? "", "base64url")
  const derived = await derive(password, Buffer.from(salt ?? "", "base64url"), KEY_BYTES, COST)
  return wanted.length === derived.length && timingSafeEqual(wanted, derived) && stored !== null
}
