import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, isRouteErrorResponse, Link, useLoaderData, useParams, useRouteError } from "@remix-run/react"
import { Eye, Lock } from "lucide-react"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { closeBreakGlass, useBreakGlass as viewThroughBrokenGlass } from "#server/team/break-glass.ts"
import { formatInstant } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { parseId } from "../../lib/params.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { PageError } from "../../ui/error-state.tsx"
import { loadOwnData } from "../me/load.server.ts"
import { describeOwn, OwnFigures } from "../me/own-data.tsx"

export const meta: MetaFunction = () => [{ title: "Break glass · Belay" }]

/** A person's own data, while an owner has opened them; each look is in the audit log. */
export const loader = guard("people.break_glass", async ({ viewer, request, params, context }) => {
  const accountId = parseId(params["id"])
  const now = context.now()
  const by = { ...byViewer(viewer, context.requestId, now), actorId: viewer.accountId }
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const access = await viewThroughBrokenGlass(tx, { accountId, by })
    // Like a person who does not exist: whether they do is not told here.
    if (access === null) throw data("No such page", { status: 404 })
    const search = new URL(request.url).searchParams
    return { access, own: await loadOwnData(tx, { orgId: viewer.orgId, accountId, search, now }) }
  })
})

/** Closes it before its time. */
export const action = guard("people.break_glass", async ({ viewer, params, context }) => {
  const accountId = parseId(params["id"])
  const by = { ...byViewer(viewer, context.requestId, context.now()), actorId: viewer.accountId }
  const isClosed = await asTenant(context.db, viewer.orgId, (tx) => closeBreakGlass(tx, { accountId, by }))
  if (!isClosed) throw data("No such page", { status: 404 })
  return redirect(paths.person(accountId))
})

export default function BreakGlassData() {
  const { access, own } = useLoaderData<typeof loader>()
  return (
    <>
      <aside
        aria-label="Break glass"
        className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-md bg-warn-soft px-4 py-3 text-sm text-warn"
      >
        <Eye aria-hidden className="size-4" />
        <p className="min-w-0 flex-1">
          You see somebody's own data until {formatInstant(access.expiresAt, own.timeZone)}, because: “{access.reason}”.
          They are told, and each look is logged.
        </p>
        <Form method="post">
          <button type="submit" className={buttonClass("quiet")}>
            Close it now
          </button>
        </Form>
      </aside>
      <header className="mt-6">
        <h1 className="text-sm font-medium text-ink-faint">{own.person?.email}</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{describeOwn(own, "They")}</p>
      </header>
      <OwnFigures own={own} whose="They" />
    </>
  )
}

/** The common way here without access is a tab that outlived it. */
export function ErrorBoundary() {
  const error = useRouteError()
  const { id } = useParams()
  if (!isRouteErrorResponse(error) || error.status !== 404 || id === undefined) return <PageError />
  return (
    <div role="alert" className="mx-auto max-w-xl rounded-md border border-line bg-surface p-8">
      <Lock aria-hidden className="size-5 text-ink-faint" />
      <h1 className="mt-4 text-xl font-semibold">Nothing is open to you here</h1>
      <p className="mt-2 text-ink-soft">
        A person's own data are open for the time that an owner gave a reason for, and closed again by itself.
      </p>
      <Link to={paths.person(id)} className={buttonClass("primary", "mt-6")}>
        Go to the person
      </Link>
    </div>
  )
}
