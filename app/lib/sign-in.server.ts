import type { ActionFunctionArgs } from "@remix-run/node"
import { paths, toLocalPath } from "./paths.ts"
import { toAuthHeaders } from "#server/sign-in/auth.ts"
import type { SignInRequest } from "#server/sign-in/sign-in.ts"

export function toSignInRequest({ request, context }: Pick<ActionFunctionArgs, "request" | "context">): SignInRequest {
  const { db, signIn, clientAddress, requestId } = context
  return { db, signIn, clientAddress, requestId, now: context.now(), headers: toAuthHeaders(request, clientAddress) }
}

/** The page that was asked for before signing in, or the viewer's first. */
export function readTo(request: Request): string {
  const to = new URL(request.url).searchParams.get("to")
  return to === null ? paths.start() : toLocalPath(to)
}

/** Of the library's headers those that set cookies. */
export function cookiesOf(headers: Headers): Headers {
  const cookies = new Headers()
  for (const cookie of headers.getSetCookie()) cookies.append("set-cookie", cookie)
  return cookies
}
