import type { AppLoadContext } from "@remix-run/node"
import { redirect } from "@remix-run/node"
import { getViewer, type Viewer } from "#server/team/sessions.ts"
import { paths } from "./paths.ts"

/** The signed-in viewer; anyone else is sent to sign in, or into the demo, and back. */
export async function requireViewer(request: Request, context: AppLoadContext): Promise<Viewer> {
  const viewer = await getViewer(context.db, request.headers.get("cookie"), context.now())
  if (viewer !== null && (context.demoOrgId === null || viewer.orgId === context.demoOrgId)) return viewer
  const { pathname, search } = new URL(request.url)
  const to = request.method === "GET" ? pathname + search : paths.ladder()
  throw redirect(context.demoOrgId === null ? paths.signIn(to) : paths.demoEnter("manager", to))
}
