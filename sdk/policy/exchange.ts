/** What a client says to Belay about its policy, and what it makes of the answers. */
import type { Effect } from "./vocabulary.ts"
import type { Keeper } from "./keeper.ts"
import { readPolicyKeys } from "./keys.ts"
import { type Answer, ask, type Place } from "./transport.ts"

/** The headers of every request. Throws for what cannot be in a header. */
export function headersOf(key: string, enduser: string | undefined): Record<string, string> {
  return { authorization: `Bearer ${key}`, ...(enduser !== undefined && { "belay-enduser": enduser }) }
}

/** What came of asking for the policy. */
export type Fetched =
  /** What is in force is what Belay has, new or not. */
  | { readonly result: "in_force" }
  /** Something was answered that is no policy of this organization, or an old one. */
  | { readonly result: "refused"; readonly reason: string }
  /** Nothing is published that binds this person. What is in force stays so. */
  | { readonly result: "no_policy" }
  /** Nobody answered, or not now, or the key is not good. */
  | { readonly result: "unanswered"; readonly why: string; readonly retryAfterMs: number | null }

/** Asks for the policy, for keys first where none are known, and has the keeper take it. Never rejects. */
export async function fetchPolicy(place: Place, keeper: Keeper, signal?: AbortSignal): Promise<Fetched> {
  try {
    if (keeper.needsKeys()) {
      const answer = await ask(place, { method: "GET", path: "/v1/policy/keys", signal })
      if (answer.status !== 200) return unanswered(answer)
      const first = readKeys(answer.text)
      if (first === null) return { result: "refused", reason: answer.text.trim() === "" ? "empty" : "not_keys" }
      keeper.trust(first.organization, first.keys)
    }
    const etag = keeper.etag()
    const headers = etag === null ? {} : { "if-none-match": etag }
    const answer = await ask(place, { method: "GET", path: "/v1/policy", headers, signal })
    if (answer.status === 304 && etag !== null) return { result: "in_force" }
    if (answer.status === 404) return isNoPolicy(answer.text) ? { result: "no_policy" } : unanswered(answer)
    if (answer.status !== 200) return unanswered(answer)
    const taken = keeper.take(answer.text, answer.headers.etag ?? null)
    return taken.ok ? { result: "in_force" } : { result: "refused", reason: taken.reason }
  } catch (error) {
    return { result: "unanswered", why: error instanceof Error ? error.message : "unknown", retryAfterMs: null }
  }
}

function unanswered({ status, retryAfterMs }: Answer): Fetched {
  return { result: "unanswered", why: `HTTP ${status}`, retryAfterMs }
}

function readKeys(text: string) {
  const value = parse(text)
  if (typeof value !== "object" || value === null || !("organization" in value) || !("keys" in value)) return null
  const keys = readPolicyKeys(value.keys)
  return typeof value.organization === "string" && keys !== null ? { organization: value.organization, keys } : null
}

function isNoPolicy(text: string): boolean {
  const value = parse(text)
  return typeof value === "object" && value !== null && "error" in value && value.error === "no_policy"
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** What a client goes by, as `POST /v1/policy/status` takes it. */
export interface StatusReport {
  /** Made once per installation, and kept. */
  readonly id: string
  readonly agentTool: string | null
  readonly agentVersion: string | null
  readonly belayVersion: string | null
  readonly state: "in_force" | "last_good" | "none"
  readonly version: number | null
  readonly refusal: string | null
  readonly canary: Effect | null
}

/** Resolves to whether Belay took it. Never rejects. */
export async function sendStatus(place: Place, report: StatusReport, signal?: AbortSignal): Promise<boolean> {
  try {
    const body = JSON.stringify(report)
    const { status } = await ask(place, { method: "POST", path: "/v1/policy/status", body, signal })
    return status === 204
  } catch {
    return false
  }
}
