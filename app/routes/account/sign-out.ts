import { redirect } from "@remix-run/node"
import { closeSession, getViewer, sessionCookie } from "#server/team/sessions.ts"
import { open } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"

export const action = open(async ({ request, context }) => {
  const { db, requestId } = context
  const cookieHeader = request.headers.get("cookie")
  const viewer = await getViewer(db, cookieHeader, context.now())
  if (viewer !== null) await closeSession(db, { viewer, cookieHeader, requestId }, context.now())
  return redirect(paths.signIn(), { headers: { "set-cookie": sessionCookie(null, context.publicUrl) } })
})

export const loader = open(async () => redirect(paths.ladder()))
