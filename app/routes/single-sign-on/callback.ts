import { redirect } from "@remix-run/node"
import { finishSingleSignOn } from "#server/sign-in/single-sign-on.ts"
import { open } from "../../lib/guard.server.ts"
import { paths, toLocalPath } from "../../lib/paths.ts"
import { cookiesOf, toSignInRequest } from "../../lib/sign-in.server.ts"

/** Where the identity provider sends people back to. */
export const loader = open(async ({ request, context }) => {
  if (context.providerName === null) return redirect(paths.signIn())
  const { publicUrl } = context
  const { search } = new URL(request.url)
  const signedOn = await finishSingleSignOn({ ...toSignInRequest({ request, context }), publicUrl }, search)
  if (!signedOn.ok) return redirect(paths.signInError(signedOn.error))
  return redirect(toLocalPath(signedOn.to), { headers: cookiesOf(signedOn.headers) })
})
