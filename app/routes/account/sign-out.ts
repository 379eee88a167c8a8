import { type ActionFunctionArgs, redirect } from "@remix-run/node"
import { closeSession, getViewer, sessionCookie } from "#server/team/sessions.ts"
import { paths } from "../../lib/paths.ts"

export async function action({ request, context }: ActionFunctionArgs) {
  const cookie = request.headers.get("cookie")
  const viewer = await getViewer(context.db, cookie, context.now())
  if (viewer !== null) await closeSession(context.db, viewer, cookie)
  const isSecure = context.publicUrl.startsWith("https:")
  return redirect(paths.signIn(), { headers: { "set-cookie": sessionCookie(null, isSecure) } })
}

export function loader() {
  return redirect(paths.ladder())
}
