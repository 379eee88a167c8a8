import { redirect } from "@remix-run/node"
import { getViewer } from "#server/sign-in/sessions.ts"
import { signOut } from "#server/sign-in/sign-in.ts"
import { open } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { cookiesOf, toSignInRequest } from "../../lib/sign-in.server.ts"

export const action = open(async ({ request, context }) => {
  const viewer = await getViewer(context.signIn, request.headers.get("cookie"))
  if (viewer === null) return redirect(paths.signIn())
  const headers = await signOut(toSignInRequest({ request, context }), viewer)
  return redirect(paths.signIn(), { headers: cookiesOf(headers) })
})

export const loader = open(async () => redirect(paths.ladder()))
