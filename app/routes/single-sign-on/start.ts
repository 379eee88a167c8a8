import { redirect } from "@remix-run/node"
import { startSingleSignOn } from "#server/sign-in/single-sign-on.ts"
import { open } from "../../lib/guard.server.ts"
import { paths, toLocalPath } from "../../lib/paths.ts"
import { cookiesOf, toSignInRequest } from "../../lib/sign-in.server.ts"

/** Sends people to the identity provider. */
export const loader = open(async ({ request, context }) => {
  const to = toLocalPath(new URL(request.url).searchParams.get("to"))
  if (context.providerName === null) return redirect(paths.signIn(to))
  const started = await startSingleSignOn(toSignInRequest({ request, context }), to)
  if (started !== null) return redirect(started.url, { headers: cookiesOf(started.headers) })
  context.retryProvider()
  return redirect(paths.signInError("provider_away"))
})
