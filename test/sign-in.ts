import { createHmac } from "node:crypto"
import { createAuth, type IdentityProvider, readAuthSecret, toAuthHeaders } from "#server/sign-in/auth.ts"
import type { SignIn } from "#server/sign-in/sessions.ts"
import type { SignInRequest } from "#server/sign-in/sign-in.ts"
import { createLane } from "#server/lane.ts"
import type { TestDatabase } from "./db.ts"
import { NOW } from "./factories.ts"

export const PUBLIC_URL = "https://belay.example"

/** Sign-in over a test's database, without a server around it. */
export async function openSignIn(database: TestDatabase, provider: IdentityProvider | null = null): Promise<SignIn> {
  const log = (message: string, error: unknown) => console.error(message, error)
  const secret = await readAuthSecret(database.auth, undefined)
  const passwordLane = createLane(2)
  return {
    db: database.auth,
    log,
    passwordLane,
    auth: createAuth({ db: database.auth, secret, publicUrl: PUBLIC_URL, provider, passwordLane, log }),
  }
}

/** A request of a browser that holds these cookies. */
export function makeSignInRequest(
  database: TestDatabase,
  signIn: SignIn,
  args: { cookie?: string; clientAddress?: string | null; now?: Date } = {},
): SignInRequest {
  const { cookie, clientAddress = null, now = NOW } = args
  const request = new Request(PUBLIC_URL, { headers: { "user-agent": "a browser", ...(cookie && { cookie }) } })
  const headers = toAuthHeaders(request, clientAddress)
  return { db: database.app, signIn, headers, clientAddress, requestId: "request", now }
}

/** The `Cookie` header of a browser that was answered with these headers. */
export function cookieOf(headers: Headers): string {
  return headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ")
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
const STEP_MS = 30_000

/** What an authenticator app shows for a `otpauth://` address (RFC 6238: SHA-1, 6 digits, 30 seconds). */
export function totp(uri: string, at: Date): string {
  const secret = new URL(uri).searchParams.get("secret") ?? ""
  const bits = Array.from(secret, (sign) => BASE32.indexOf(sign).toString(2).padStart(5, "0")).join("")
  const key = Buffer.from(bits.match(/.{8}/g)?.map((byte) => parseInt(byte, 2)) ?? [])
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(at.getTime() / STEP_MS)))
  const digest = createHmac("sha1", key).update(counter).digest()
  const offset = digest.readUInt8(19) & 0xf
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0")
}
