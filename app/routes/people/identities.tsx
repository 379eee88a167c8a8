import { data, type MetaFunction } from "@remix-run/node"
import { Form, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import {
  listMergedIdentities,
  listUnknownIdentities,
  mergeIdentity,
  separateIdentity,
} from "#server/team/identities.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Notice } from "../../ui/notice.tsx"
import { CELL, ROW, Table } from "../../ui/table.tsx"
import { PeopleTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Unclaimed identities · Belay" }]

const SHOWN = 100
const MERGED_SHOWN = 50

export const loader = guard("people.manage", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => ({
    now: context.now(),
    timeZone: (await getOrganization(tx)).timeZone,
    unknown: await listUnknownIdentities(tx, SHOWN + 1),
    merged: (await listMergedIdentities(tx)).slice(0, MERGED_SHOWN),
    emails: (await tx.selectFrom("account").select("email").orderBy("email").execute()).map((row) => row.email),
  })),
)

const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("merge"), id: z.uuid(), email: z.string().trim().toLowerCase().max(254) }),
  z.object({ intent: z.literal("separate"), id: z.uuid() }),
])

export const action = guard("people.manage", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ done: null, error: "Name the person by e-mail address." }, { status: 422 })
  const values = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  return asTenant(context.db, viewer.orgId, async (tx) => {
    if (values.intent === "separate") {
      const isSeparate = await separateIdentity(tx, { developerId: values.id, ofAccountId: null, by })
      return isSeparate
        ? data({ done: "Separated again.", error: null })
        : data({ done: null, error: "There is no such merge any more." }, { status: 404 })
    }
    const account = await tx.selectFrom("account").select("id").where("email", "=", values.email).executeTakeFirst()
    if (account === undefined)
      return data({ done: null, error: `Nobody has the address ${values.email}.` }, { status: 404 })
    const isMerged = await mergeIdentity(tx, { developerId: values.id, accountId: account.id, by })
    return isMerged
      ? data({ done: `Counted as ${values.email} from now on, the past included.`, error: null })
      : data({ done: null, error: "This identity is somebody's already." }, { status: 409 })
  })
})

export default function Identities() {
  const { unknown, merged, emails, now, timeZone } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state === "submitting"
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Unclaimed identities</h1>
        <p className="mt-1 text-xl font-semibold tracking-tight text-balance">
          {unknown.length === 0
            ? "All telemetry that names somebody belongs to somebody."
            : `${unknown.length > SHOWN ? `More than ${SHOWN}` : plural(unknown.length, "identity", "identities")} in telemetry ${unknown.length === 1 ? "belongs" : "belong"} to nobody yet.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          An agent names its user by e-mail, account or installation; Belay keeps a keyed hash. People claim their own
          on their page, by the value that only they know; here you say whose one is. It can be undone. Telemetry that
          names nobody at all is counted as one person, “unattributed”.
        </p>
      </header>
      <PeopleTabs />
      <div className="mt-4 space-y-6">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        <datalist id="emails">
          {emails.map((email) => (
            <option key={email} value={email}>
              {email}
            </option>
          ))}
        </datalist>
        {unknown.length > 0 && (
          <Table
            caption="Unclaimed identities"
            titles={["Pseudonym", "Named by", "Agent tools", "First seen", "Whose"]}
          >
            {unknown.slice(0, SHOWN).map((identity) => (
              <tr key={identity.developerId} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-mono text-xs font-normal`}>
                  {identity.pseudonym}
                </th>
                <td className={CELL}>{identity.kinds.join(", ")}</td>
                <td className={CELL}>{identity.agentTools.join(", ")}</td>
                <td className={CELL} title={formatInstant(identity.firstSeenAt, timeZone)}>
                  {formatAge(identity.firstSeenAt, now)}
                </td>
                <td className={`${CELL} py-1`}>
                  <Form method="post" preventScrollReset className="flex gap-2">
                    <input type="hidden" name="intent" value="merge" />
                    <input type="hidden" name="id" value={identity.developerId} />
                    <input
                      name="email"
                      type="email"
                      list="emails"
                      required
                      aria-label={`E-mail of the person behind ${identity.pseudonym}`}
                      placeholder="e-mail"
                      className="h-8 min-w-40 rounded-md border border-line-strong bg-surface px-2 text-sm"
                    />
                    <button
                      type="submit"
                      disabled={isBusy}
                      aria-label={`Merge ${identity.pseudonym}`}
                      className={buttonClass("quiet")}
                    >
                      Merge
                    </button>
                  </Form>
                </td>
              </tr>
            ))}
          </Table>
        )}
        {merged.length > 0 && (
          <section aria-labelledby="merged">
            <h2 id="merged" className="text-lg font-semibold">
              Merged
            </h2>
            <div className="mt-3">
              <Table caption="Merged identities" titles={["Pseudonym", "Is", "Since", "(Actions)"]}>
                {merged.map((identity) => (
                  <tr key={identity.developerId} className={ROW}>
                    <th scope="row" className={`${CELL} text-left font-mono text-xs font-normal`}>
                      {identity.pseudonym}
                    </th>
                    <td className={CELL}>{identity.email}</td>
                    <td className={CELL} title={formatInstant(identity.mergedAt, timeZone)}>
                      {formatAge(identity.mergedAt, now)}
                    </td>
                    <td className={`${CELL} text-right`}>
                      <Form method="post" preventScrollReset>
                        <input type="hidden" name="intent" value="separate" />
                        <input type="hidden" name="id" value={identity.developerId} />
                        <button
                          type="submit"
                          disabled={isBusy}
                          aria-label={`Undo the merge of ${identity.pseudonym}`}
                          className={rowActionClass("quiet")}
                        >
                          Undo
                        </button>
                      </Form>
                    </td>
                  </tr>
                ))}
              </Table>
            </div>
          </section>
        )}
      </div>
    </>
  )
}
