import { type ActionFunctionArgs, type AppLoadContext, data, redirect } from "@remix-run/node"
import { countAttempt, limitOfAccount } from "#server/team/rate-limit.ts"
import { mayDo, type Permission } from "#server/team/roles.ts"
import { getViewer, type Viewer } from "#server/sign-in/sessions.ts"
import { listPages } from "./pages.server.ts"
import { paths } from "./paths.ts"

/** What a route asks of its viewer: a permission, only that they are signed in, or nothing. */
export type Requirement = Permission | "signed_in" | "public"

interface Guarded<Handler> {
  /** Read by the test that walks every route with every role. */
  readonly requires: Requirement
  (args: ActionFunctionArgs): ReturnType<Handler extends (...args: never) => unknown ? Handler : never>
}

/**
 * A loader or action that runs for viewers who meet the requirement. Others are sent to sign in, or into the demo, and
 * back; those whose role does not include it are told so.
 */
export function guard<Result>(
  requires: Exclude<Requirement, "public">,
  handler: (args: ActionFunctionArgs & { viewer: Viewer }) => Promise<Result>,
): Guarded<typeof handler> {
  return Object.assign(
    async (args: ActionFunctionArgs) => {
      const viewer = await requireViewer(args.request, args.context)
      if (requires !== "signed_in") requirePermission(viewer, requires, args.request)
      if (args.request.method !== "GET" && args.request.method !== "HEAD") await limitWrites(viewer, args.context)
      return handler({ ...args, viewer })
    },
    { requires },
  )
}

/** A loader or action for everyone. */
export function open<Result>(handler: (args: ActionFunctionArgs) => Promise<Result>): Guarded<typeof handler> {
  return Object.assign((args: ActionFunctionArgs) => handler(args), { requires: "public" as const })
}

/** Refuses a viewer whose role does not include the permission; from the front door they are led to their own page. */
function requirePermission(viewer: Viewer, permission: Permission, request: Request): void {
  if (mayDo(viewer.role, permission)) return
  const home = listPages(viewer.role)[0]?.path
  if (new URL(request.url).pathname === paths.ladder() && home !== undefined) throw redirect(home)
  throw data(`This is not part of your role (${viewer.role}). Ask an owner or admin.`, { status: 403 })
}

/** Counted over all processes; reading is not counted. */
async function limitWrites(viewer: Viewer, context: AppLoadContext): Promise<void> {
  const attempt = await countAttempt(context.db, limitOfAccount(viewer.accountId), context.now())
  if (attempt.ok) return
  throw data(`Too many changes in a minute. Try again in ${attempt.retryAfterSeconds} s.`, { status: 429 })
}

async function requireViewer(request: Request, context: AppLoadContext): Promise<Viewer> {
  const viewer = await getViewer(context.signIn, request.headers.get("cookie"))
  if (viewer !== null && (context.demoOrgId === null || viewer.orgId === context.demoOrgId)) return viewer
  const { pathname, search } = new URL(request.url)
  const to = request.method === "GET" ? pathname + search : paths.ladder()
  throw redirect(context.demoOrgId === null ? paths.signIn(to) : paths.demoEnter("manager", to))
}
