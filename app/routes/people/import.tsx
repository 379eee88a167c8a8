import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer, endSessions } from "#server/sign-in/sessions.ts"
import { importPeople, type Plan, planImport } from "#server/team/import.ts"
import { getToday } from "#server/team/queries.ts"
import { plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { ROLE_LABELS } from "../../lib/roles.ts"
import { buttonClass } from "../../ui/button.ts"
import { Notice } from "../../ui/notice.tsx"
import { CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"
import { PeopleTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Import people · Belay" }]

export const loader = guard("people.manage", async () => null)

const CSV_BYTES_MAX = 1024 * 1024

const formSchema = z.object({ intent: z.enum(["preview", "import"]), csv: z.string().max(CSV_BYTES_MAX).default("") })

interface Result {
  readonly csv: string
  readonly plan: Plan | null
  readonly done: { readonly added: number; readonly changed: number } | null
}

export const action = guard("people.manage", async ({ viewer, request, context }) => {
  const answer = (result: Partial<Result>, status = 200) =>
    data<Result>({ csv: "", plan: null, done: null, ...result }, { status })
  const sent = await request.formData()
  const file = sent.get("file")
  const csv = file instanceof File && file.size > 0 && file.size <= CSV_BYTES_MAX ? await file.text() : sent.get("csv")
  const form = formSchema.safeParse({ intent: sent.get("intent"), csv })
  if (!form.success || (file instanceof File && file.size > CSV_BYTES_MAX)) {
    return answer(
      { plan: { rows: [], newTeams: [], error: "The file is larger than 1 MiB; import it in parts." } },
      413,
    )
  }
  const now = context.now()
  if (form.data.intent === "preview") {
    const plan = await asTenant(context.db, viewer.orgId, async (tx) =>
      planImport(tx, form.data.csv, await getToday(tx, now)),
    )
    return answer({ csv: form.data.csv, plan })
  }
  const by = byViewer(viewer, context.requestId, now)
  const imported = await importPeople(context.db, { csv: form.data.csv, byRole: viewer.role, by })
  if (!imported.ok) return answer({ csv: form.data.csv, plan: imported.plan }, 422)
  for (const userId of imported.roleChanged) await endSessions(context.signIn, { userId })
  return answer({ done: { added: imported.added, changed: imported.changed } })
})

const EXAMPLE =
  "email,name,role,team\nada@example.com,Ada Lovelace,developer,Platform / Core\ngrace@example.com,Grace Hopper,manager,Platform\n"

export default function Import() {
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state === "submitting"
  const plan = result?.plan ?? null
  const wrong = plan === null ? 0 : plan.rows.filter((row) => row.effect === "error").length
  const changing = plan === null ? 0 : plan.rows.filter((row) => row.effect === "add" || row.effect === "change").length
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Import people</h1>
        <p className="mt-1 text-xl font-semibold tracking-tight text-balance">
          People and their teams from a CSV, shown before anything changes.
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Columns <code className="font-mono">email, name, role, team</code>; only the first is needed. A team of two
          levels is written <code className="font-mono">Platform / Core</code> and made when it is missing. Nobody is
          removed, and nobody invited.
        </p>
      </header>
      <PeopleTabs />
      <div className="mt-4 space-y-4">
        {result?.done && (
          <Notice tone="good">
            Imported: {result.done.added} added, {result.done.changed} changed.{" "}
            <Link to={paths.people()} className="underline underline-offset-2">
              See the people
            </Link>
          </Notice>
        )}
        {plan?.error && <Notice tone="bad">{plan.error}</Notice>}
        {plan !== null && plan.error === null && (
          <>
            <Notice tone={wrong > 0 ? "bad" : "good"}>
              {wrong > 0
                ? `${plural(wrong, "line is", "lines are")} wrong. Nothing was imported: put ${wrong === 1 ? "it" : "them"} right and try again.`
                : `${plural(changing, "line")} would change something, ${plan.rows.length - changing} nothing.`}
              {plan.newTeams.length > 0 && ` New teams: ${plan.newTeams.join(", ")}.`}
            </Notice>
            <Table caption="What the import would do" titles={["Line", "E-mail", "Name", "Role", "Team", "Change"]}>
              {plan.rows.map((row) => (
                <tr key={row.line} className={ROW}>
                  <td className={`${CELL} figures text-ink-faint`}>{row.line}</td>
                  <th scope="row" className={`${CELL} text-left font-medium`}>
                    {row.email}
                  </th>
                  <td className={CELL}>{row.name}</td>
                  <td className={CELL}>{row.effect !== "error" && ROLE_LABELS[row.role]}</td>
                  <td className={CELL}>{row.team}</td>
                  <td className={`${TEXT_CELL} ${row.effect === "error" ? "font-medium text-bad" : "text-ink-soft"}`}>
                    {row.effect === "nothing" ? "nothing" : row.changes.join("; ")}
                  </td>
                </tr>
              ))}
            </Table>
            {wrong === 0 && changing > 0 && (
              <Form method="post">
                <input type="hidden" name="intent" value="import" />
                <textarea name="csv" hidden readOnly value={result?.csv ?? ""} />
                <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
                  {isBusy ? "Importing…" : `Import ${plural(changing, "line")}`}
                </button>
              </Form>
            )}
          </>
        )}
        <Form
          method="post"
          encType="multipart/form-data"
          className="max-w-3xl space-y-4 pt-2"
          // The text of a file that was read takes its place, so that it can be put right here.
          key={result?.csv}
        >
          <input type="hidden" name="intent" value="preview" />
          <label className="block text-sm font-medium">
            CSV file
            <input
              type="file"
              name="file"
              accept=".csv,text/csv,text/plain"
              className="mt-1 block w-full text-sm text-ink-soft file:mr-3 file:h-8 file:rounded-md file:border file:border-line-strong file:bg-surface file:px-3 file:text-ink"
            />
          </label>
          <label className="block text-sm font-medium">
            or its text
            <textarea
              name="csv"
              rows={6}
              defaultValue={result?.csv || ""}
              placeholder={EXAMPLE}
              spellCheck={false}
              className="mt-1 block w-full rounded-md border border-line-strong bg-surface p-3 font-mono text-sm"
            />
          </label>
          <button type="submit" disabled={isBusy} className={buttonClass(plan === null ? "primary" : "quiet")}>
            {isBusy ? "Reading…" : "Show what would change"}
          </button>
        </Form>
      </div>
    </>
  )
}
