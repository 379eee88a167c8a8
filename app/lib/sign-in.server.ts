import type { ActionFunctionArgs } from "@remix-run/node"
import { toAuthHeaders } from "#server/sign-in/auth.ts"
import type { SignInRequest } from "#server/sign-in/sign-in.ts"

export function toSignInRequest({ request, context }: Pick<ActionFunctionArgs, "request" | "context">): SignInRequest {
  const { db, signIn, clientAddress, requestId } = context
  return { db, signIn, clientAddress, requestId, now: context.now(), headers: toAuthHeaders(request, clientAddress) }
}

/** Of the library's headers those that set cookies. */
export function cookiesOf(headers: Headers): Headers {
  const cookies = new Headers()
  for (const cookie of headers.getSetCookie()) cookies.append("set-cookie", cookie)
  return cookies
}
