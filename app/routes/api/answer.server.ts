import type { ActionFunctionArgs, AppLoadContext } from "@remix-run/node"
import { type Rung, RUNGS } from "#sdk/ladder.ts"
import { BY_RUNG, RESOURCE_NAMES, type ResourceName } from "#server/api/rows.ts"
import { type LiveKey, readBearer } from "#server/team/key-authenticator.ts"
import { RANGES } from "../../lib/range.ts"
import { chooseFormat, type Format, FORMATS, toStream } from "./formats.server.ts"
import { type Answer, readRows } from "./rows.server.ts"

/** One shape for everything that is not an answer (RFC 9457). `detail` says what to do about it. */
export function problem(
  { requestId }: Pick<AppLoadContext, "requestId">,
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = { type: "about:blank", title: TITLES[status] ?? "Error", status, detail, code, requestId }
  return Response.json(body, { status, headers: { ...headers, "content-type": "application/problem+json" } })
}

const TITLES: Record<number, string> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  405: "Method not allowed",
  406: "Not acceptable",
  429: "Too many requests",
  503: "Service unavailable",
}

const ALL = RESOURCE_NAMES.map((name) => `/api/v1/${name}`).join(", ")

export async function answerAnalytics({ request, params, context }: ActionFunctionArgs): Promise<Response> {
  const admitted = await admit(request, context)
  if (!admitted.ok) return admitted.response
  const name = RESOURCE_NAMES.find((candidate) => candidate === params["*"])
  if (name === undefined) {
    return problem(context, 404, "no_such_resource", `Ask for one of ${ALL}; /v1/openapi.json describes them.`)
  }
  const format = chooseFormat(request.headers.get("accept"))
  if (format === null) {
    return problem(context, 406, "format", `Accept one of ${Object.values(FORMATS).join(", ")}.`)
  }
  const asked = parseQuery(name, new URL(request.url).searchParams)
  if (!asked.ok) return problem(context, 400, "parameter", asked.detail)
  const { search, rung } = asked
  const now = context.now()
  try {
    const answer = await readRows(context, { orgId: admitted.key.orgId, name, search, rung, now })
    if (answer === "no_such_range") return problem(context, 400, "parameter", RANGE_DETAIL)
    if (answer === "no_such_team") {
      return problem(context, 404, "no_such_team", "The organization has no such team. Leave team out for all of it.")
    }
    return toResponse(name, format, answer)
  } catch (error) {
    // The error page is for people.
    context.signIn.log("analytics not answered", error)
    return problem(context, 503, "unavailable", "Belay cannot answer now; ask again.", { "retry-after": "5" })
  }
}

type Admitted = { readonly ok: true; readonly key: LiveKey } | { readonly ok: false; readonly response: Response }

async function admit(request: Request, context: AppLoadContext): Promise<Admitted> {
  const secret = readBearer(request.headers.get("authorization") ?? undefined)
  const found =
    secret === null
      ? { ok: false as const, reason: "unknown" as const }
      : await context.authenticate(secret, context.clientAddress)
  const refuse = (...args: [number, string, string, Record<string, string>?]): Admitted => ({
    ok: false,
    response: problem(context, ...args),
  })
  if (found.ok) {
    if (found.key.scopes.includes("analytics:read")) return found
    const detail = "This key may not read analytics. Make one with analytics:read on the Keys page."
    return refuse(403, "wrong_scope", detail)
  }
  if (found.reason === "unknown") {
    const detail = "Send Authorization: Bearer with a key that works. The Keys page of Belay makes one."
    return refuse(401, "unknown_key", detail, { "www-authenticate": "Bearer" })
  }
  const seconds = String(found.retryAfterSeconds)
  return refuse(429, "too_many", `Too many requests in a minute. Ask again in ${seconds} s.`, {
    "retry-after": seconds,
  })
}

const RANGE_DETAIL = `range is one of ${RANGES.map(({ value }) => value).join(", ")}; or from and to are days such as 2026-11-02, the first not after the last nor after today.`

type Query =
  | { readonly ok: true; readonly search: URLSearchParams; readonly rung: Rung | null }
  | { readonly ok: false; readonly detail: string }

/** What pages take for their default is an error of a program. */
function parseQuery(name: ResourceName, search: URLSearchParams): Query {
  const known = ["range", "from", "to", "team", ...(BY_RUNG.includes(name) ? ["rung"] : [])]
  const unknown = [...search.keys()].find((key) => !known.includes(key))
  if (unknown !== undefined)
    return { ok: false, detail: `/api/v1/${name} takes ${known.join(", ")}, and not ${unknown}.` }
  const range = search.get("range")
  if (range !== null && (search.has("from") || search.has("to"))) {
    return { ok: false, detail: "Give range, or from and to, and not both." }
  }
  if (search.has("from") !== search.has("to")) return { ok: false, detail: "from and to go together." }
  if (range !== null && !RANGES.some(({ value }) => value === range)) return { ok: false, detail: RANGE_DETAIL }
  const rung = search.get("rung")
  const found = RUNGS.find((candidate) => candidate === rung) ?? null
  if (rung !== null && found === null) return { ok: false, detail: `rung is one of ${RUNGS.join(", ")}.` }
  return { ok: true, search, rung: found }
}

function toResponse(name: ResourceName, format: Format, answer: Answer): Response {
  const { basis } = answer
  const { coverage } = basis
  const isKnown = coverage.eligibleDays !== null && coverage.seenDays !== null
  const headers = {
    "content-type": `${FORMATS[format]}; charset=utf-8`,
    "cache-control": "no-store",
    vary: "accept, authorization",
    "belay-people-at-least": String(basis.peopleAtLeast ?? "withheld"),
    "belay-events": String(basis.events),
    "belay-coverage": isKnown ? `${coverage.seenDays}/${coverage.eligibleDays}` : coverage.state,
    "belay-last-observed-at": basis.lastObservedAt ?? "never",
    "belay-withheld-rows": String(basis.withheldRows),
    "belay-complete": String(basis.isComplete),
  }
  return new Response(toStream(name, format, answer), { headers })
}
