import type { MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation, useSubmit } from "@remix-run/react"
import { CircleCheck, Download, ShieldAlert, ShieldCheck } from "lucide-react"
import { getAuditExport, listAuditActions, listAuditEntries, verifyAudit } from "#server/audit/queries.ts"
import { asTenant } from "#server/db/tenant.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { ExportState } from "./export-state.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Audit log · Belay" }]

const PAGE = 50

export const loader = guard("audit.read", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  const before = Number(search.get("before"))
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const actions = await listAuditActions(tx)
    const action = actions.find((name) => name === search.get("action")) ?? null
    const beforeSequence = Number.isSafeInteger(before) && before > 0 ? before : null
    return {
      now: context.now(),
      timeZone: (await getOrganization(tx)).timeZone,
      actions,
      action,
      isNewest: beforeSequence === null,
      sending: { host: context.auditHost, ...(await getAuditExport(tx)) },
      entries: await listAuditEntries(tx, { beforeSequence, action, limit: PAGE }),
    }
  })
})

/** Checks the whole chain. */
export const action = guard("audit.read", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, (tx) => verifyAudit(tx, viewer.orgId)),
)

export default function Audit() {
  const { entries, actions, action: chosen, isNewest, sending, now, timeZone } = useLoaderData<typeof loader>()
  const verification = useActionData<typeof action>()
  const isVerifying = useNavigation().state === "submitting"
  const submit = useSubmit()
  const last = entries.at(-1)
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Audit log</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {entries[0] === undefined
            ? "Nothing was recorded yet."
            : `Last: ${entries[0].action} by ${entries[0].actorEmail ?? "nobody signed in"}, ${formatAge(entries[0].occurredAt, now)}.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Who did what. Entries can be added and never changed, by the database's own rights; each holds the hash of the
          one before, so that tampering shows.
        </p>
      </header>
      <ExportState {...sending} now={now} timeZone={timeZone} />
      <div className="mt-5 flex flex-wrap items-center gap-3">
        <Form method="get" onChange={(event) => submit(event.currentTarget)}>
          <label className="flex items-center gap-2 text-sm text-ink-soft">
            Action
            <select
              name="action"
              defaultValue={chosen ?? ""}
              className="h-8 rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"
            >
              <option value="">All</option>
              {actions.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        </Form>
        <Form method="post" preventScrollReset className="ml-auto">
          <button type="submit" disabled={isVerifying} className={buttonClass("quiet")}>
            <ShieldCheck aria-hidden className="size-3.5" />
            {isVerifying ? "Verifying…" : "Verify the chain"}
          </button>
        </Form>
        <a href={paths.auditExport()} download className={buttonClass("quiet")}>
          <Download aria-hidden className="size-3.5" />
          JSON lines
        </a>
      </div>
      {verification !== undefined &&
        (verification.ok ? (
          <div role="status" className="mt-3 flex gap-2 rounded-md bg-good-soft px-3 py-2 text-sm text-good">
            <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0" />
            <div>
              <p>The chain is whole: {plural(verification.entries, "entry", "entries")}.</p>
              <p className="text-ink-soft">
                {verification.witnessed === null
                  ? "Newest entries that were cut off would not be missed here."
                  : `Entries up to ${verification.witnessed} are the ones that were sent on; newer ones that were cut off would not be missed here.`}{" "}
                To be sure, compare the last hash with one you noted, or with an export.
              </p>
              {verification.head !== null && <code className="font-mono text-xs break-all">{verification.head}</code>}
            </div>
          </div>
        ) : (
          <p role="alert" className="mt-3 flex items-center gap-2 rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
            <ShieldAlert aria-hidden className="size-4" />
            Tampering found at entry {verification.sequence}: {verification.problem}. Compare with a backup or an
            export.
          </p>
        ))}
      <div
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached
        tabIndex={0}
        role="group"
        aria-label="Entries"
        className="relative mt-4 overflow-x-auto rounded-md border border-line bg-surface"
      >
        <table className="w-full min-w-[64rem] text-sm">
          <thead>
            <tr className="border-b border-line text-left text-xs text-ink-faint">
              {["Entry", "When", "Who", "Action", "Target", "Change", "Request"].map((title) => (
                <th key={title} scope="col" className="h-9 px-4 font-medium">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <tr key={entry.sequence} className="border-b border-line align-top last:border-b-0">
                <td className="figures px-4 py-2.5 text-ink-faint">{entry.sequence}</td>
                <td className="px-4 py-2.5 whitespace-nowrap">
                  <time dateTime={entry.occurredAt.toISOString()} title={formatInstant(entry.occurredAt, timeZone)}>
                    {formatAge(entry.occurredAt, now)}
                  </time>
                </td>
                <td className="px-4 py-2.5">
                  {entry.actorEmail ?? "–"}
                  {entry.actorId === null && <span className="text-ink-faint"> (not signed in)</span>}
                </td>
                <td className="px-4 py-2.5 font-mono text-xs leading-5">{entry.action}</td>
                <td className="px-4 py-2.5">
                  {entry.targetKind.replaceAll("_", " ")}
                  {entry.targetId !== null && (
                    <span className="block font-mono text-xs text-ink-faint" title={entry.targetId}>
                      {entry.targetId.slice(0, 8)}
                    </span>
                  )}
                </td>
                <td className="min-w-72 px-4 py-2.5 font-mono text-xs leading-5 wrap-anywhere">
                  {entry.before !== null && <span className="block text-bad">− {describeFields(entry.before)}</span>}
                  {entry.after !== null && <span className="block text-good">+ {describeFields(entry.after)}</span>}
                  {entry.reason !== null && <span className="block font-sans">“{entry.reason}”</span>}
                </td>
                <td className="px-4 py-2.5 font-mono text-xs leading-5 text-ink-faint" title={entry.requestId}>
                  {entry.requestId.slice(0, 8)}
                </td>
              </tr>
            ))}
            {entries.length === 0 && (
              <tr>
                <td colSpan={7} className="h-14 px-4 text-ink-soft">
                  No entries{chosen !== null && ` of ${chosen}`}.
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
      <nav aria-label="Pages of the log" className="mt-3 flex gap-2">
        {!isNewest && (
          <Link to={paths.audit(chosen === null ? "" : `?action=${chosen}`)} className={buttonClass("quiet")}>
            Newest
          </Link>
        )}
        {entries.length === PAGE && last !== undefined && (
          <Link
            to={paths.audit(`?before=${last.sequence}${chosen === null ? "" : `&action=${chosen}`}`)}
            className={buttonClass("quiet")}
          >
            Older
          </Link>
        )}
      </nav>
    </>
  )
}

function describeFields(fields: object): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ")
}
