import { data, type MetaFunction } from "@remix-run/node"
import { Link, useActionData, useLoaderData } from "@remix-run/react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { mayDo } from "#server/team/roles.ts"
import { changeView, deleteView, saveView } from "#server/view/commands.ts"
import { listSavedViews, type SavedView } from "#server/view/queries.ts"
import { plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { CELL, ROW, Table } from "../../ui/table.tsx"
import { VIEW_NAME_MAX } from "./name.ts"
import { ShareBox } from "./share-box.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Saved views · Belay" }]

export const loader = guard("ladder.read", async ({ viewer, context }) => ({
  views: await asTenant(context.db, viewer.orgId, (tx) => listSavedViews(tx, viewer.accountId)),
  mayShare: mayDo(viewer.role, "views.share"),
  mayDeleteShared: mayDo(viewer.role, "views.manage"),
}))

const name = z.string().trim().min(1).max(VIEW_NAME_MAX)
const isShared = z
  .literal("on")
  .optional()
  .transform((value) => value === "on")
const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("save"), name, path: z.string(), isShared }),
  z.object({ intent: z.literal("change"), id: z.uuid(), name, isShared }),
  z.object({ intent: z.literal("delete"), id: z.uuid() }),
])

const REFUSALS = {
  not_a_view: "This page cannot be saved as a view.",
  name_taken: "Another of your views has this name.",
  too_many: "You have as many views as one person can keep. Delete one first.",
  not_found: "There is no such view any more.",
} as const

export const action = guard("ladder.read", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) {
    return data({ done: null, error: `A view has a name of 1 to ${VIEW_NAME_MAX} characters.` }, { status: 422 })
  }
  const values = form.data
  if (values.intent !== "delete" && values.isShared && !mayDo(viewer.role, "views.share")) {
    return data({ done: null, error: "Your role keeps views for itself and shares none." }, { status: 403 })
  }
  const { accountId } = viewer
  const by = byViewer(viewer, context.requestId, context.now())
  const changed = await asTenant(context.db, viewer.orgId, (tx) => {
    if (values.intent === "save") return saveView(tx, { ...values, accountId, by })
    if (values.intent === "change") return changeView(tx, { ...values, accountId, by })
    return deleteView(tx, { id: values.id, accountId, mayDeleteShared: mayDo(viewer.role, "views.manage"), by })
  })
  if (!changed.ok) {
    return data({ done: null, error: REFUSALS[changed.reason] }, { status: changed.reason === "not_found" ? 404 : 409 })
  }
  return data({ done: values.intent === "delete" ? "Deleted." : `Saved ${values.name}.`, error: null })
})

export default function Views() {
  const { views, mayShare, mayDeleteShared } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const own = views.filter((view) => view.isOwn).length
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Saved views</h1>
        <p className="mt-1 text-xl font-semibold tracking-tight text-balance">
          {views.length === 0
            ? "No view is saved yet."
            : `${plural(own, "view")} of yours, and ${plural(views.length - own, "view")} that others share.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          A view is a page with its filters. Save one under Views on the ladder, usage, latency, outcomes or incidents.
          Whoever opens a shared one sees what their own role and teams let them see there.
        </p>
      </header>
      <div className="mt-4 space-y-4">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        {views.length > 0 && (
          <Table caption="Saved views" titles={["View", "Page", "Seen by", "(Actions)"]}>
            {views.map((view) => (
              <tr key={view.id} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-medium`}>
                  <Link to={view.path} prefetch="intent" className="hover:text-accent">
                    {view.name}
                  </Link>
                </th>
                <td className={CELL}>{pageOf(view.path)}</td>
                <td className={CELL}>
                  {view.isOwn ? (view.isShared ? "everyone" : "only you") : `everyone, by ${view.byEmail}`}
                </td>
                <td className={`${CELL} space-x-4 text-right whitespace-nowrap`}>
                  {view.isOwn && <ChangeView view={view} mayShare={mayShare} />}
                  {(view.isOwn || mayDeleteShared) && (
                    <Confirm
                      trigger="Delete"
                      triggerLabel={`Delete ${view.name}`}
                      title={`Delete ${view.name}?`}
                      description={
                        view.isShared
                          ? "It goes for everyone. The page itself and its figures stay. This cannot be undone."
                          : "The page itself and its figures stay. This cannot be undone."
                      }
                      action="Delete"
                      cancel="Keep"
                      fields={{ intent: "delete", id: view.id }}
                    />
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )}
      </div>
    </>
  )
}

function ChangeView({ view, mayShare }: { view: SavedView; mayShare: boolean }) {
  return (
    <Confirm
      trigger="Change"
      triggerLabel={`Change ${view.name}`}
      triggerClass={rowActionClass("quiet")}
      title={`Change ${view.name}`}
      description="It keeps leading to the same page with the same filters."
      action="Save"
      fields={{ intent: "change", id: view.id }}
    >
      <Field label="Name" name="name" defaultValue={view.name} required maxLength={VIEW_NAME_MAX} />
      {mayShare && <ShareBox isShared={view.isShared} />}
    </Confirm>
  )
}

const PAGE_NAMES: Record<string, string> = {
  "/": "Ladder",
  "/usage": "Usage",
  "/latency": "Latency",
  "/outcomes": "Outcomes",
  "/incidents": "Incidents",
}

function pageOf(path: string): string {
  return PAGE_NAMES[path.split("?")[0] ?? ""] ?? path
}
