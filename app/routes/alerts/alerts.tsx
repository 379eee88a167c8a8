import type { MetaFunction } from "@remix-run/node"
import { Form, Link, useLoaderData, useSubmit } from "@remix-run/react"
import { BellRing, Download } from "lucide-react"
import { getAlertTimes, listAlerts } from "#server/alert/queries.ts"
import { asTenant } from "#server/db/tenant.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { formatAge, formatDuration, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Filter } from "../../ui/filter.tsx"
import { CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"
import { describeAlert, stateOf } from "./alert-list.server.ts"
import { AlertState, SeverityBadge } from "./badges.tsx"
import { AlertTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Alerts · Belay" }]

const PAGE = 50

export const loader = guard("alerts.read", async ({ viewer, request, context }) => {
  const now = context.now()
  const { searchParams } = new URL(request.url)
  const state = stateOf(searchParams)
  const before = parseBefore(searchParams.get("before"))
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const readable = await findReadableTeams(tx, viewer, now)
    const found = await listAlerts(tx, { readable, state, before, limit: PAGE + 1 })
    const shown = found.slice(0, PAGE)
    const last = shown.at(-1)
    return {
      now,
      state,
      isFirstPage: before === null,
      timeZone: (await getOrganization(tx)).timeZone,
      times: await getAlertTimes(tx, { readable, now }),
      alerts: shown.map(describeAlert),
      next: found.length > PAGE && last !== undefined ? `${last.openedAt.getTime()}~${last.id}` : null,
    }
  })
})

function parseBefore(text: string | null): { openedAt: Date; id: string } | null {
  const [, ms, id] = /^(\d{1,15})~([0-9a-f-]{36})$/.exec(text ?? "") ?? []
  return ms === undefined || id === undefined ? null : { openedAt: new Date(Number(ms)), id }
}

type Loaded = ReturnType<typeof useLoaderData<typeof loader>>

const STATE_LABELS: Record<Loaded["state"], string> = {
  current: "Open and acknowledged",
  open: "Open",
  acknowledged: "Acknowledged",
  resolved: "Resolved",
  any: "Any",
}

export default function Alerts() {
  const loaded = useLoaderData<typeof loader>()
  const { alerts, state, next, isFirstPage } = loaded
  const submit = useSubmit()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Alerts</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{sentence(loaded)}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">{timesSentence(loaded)}</p>
      </header>
      <AlertTabs />
      <Form
        method="get"
        role="search"
        aria-label="Filters"
        className="mt-4"
        key={state}
        onChange={(event) => submit(event.currentTarget, { preventScrollReset: true })}
      >
        <Filter label="State" name="state" value={state}>
          {Object.entries(STATE_LABELS).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </Filter>
        <noscript>
          <button type="submit" className={buttonClass("quiet")}>
            Show
          </button>
        </noscript>
      </Form>
      {alerts.length === 0 ? (
        <div className="mt-4 rounded-md border border-line bg-surface px-4 py-12 text-center">
          <BellRing aria-hidden className="mx-auto size-6 text-ink-faint" />
          <h2 className="mt-3 text-lg font-semibold">
            {isFirstPage ? "No alert is in this state" : "There are no older ones"}
          </h2>
          <p className="mx-auto mt-1 mb-4 max-w-md text-ink-soft">
            Rules are evaluated from the first signal on. A channel says where alerts go.
          </p>
          <Link to={paths.alertChannels()} className={buttonClass("quiet")}>
            See the channels
          </Link>
        </div>
      ) : (
        <div className="mt-4">
          <Table caption="Alerts" titles={["State", "Severity", "Alert", "Of", "Opened", "Acknowledged", "Resolved"]}>
            {alerts.map((alert) => (
              <tr key={alert.id} className={`${ROW} hover:bg-sunken`}>
                <td className={CELL}>
                  <AlertState state={alert.state} hasData={alert.hasData} />
                </td>
                <td className={CELL}>
                  <SeverityBadge severity={alert.severity} />
                </td>
                <th scope="row" className={`${TEXT_CELL} text-left font-medium`}>
                  <Link to={paths.alert(alert.id)} className="hover:underline">
                    {alert.title}
                  </Link>
                  {alert.grouped > 0 && (
                    <span className="ml-2 text-xs font-normal text-ink-faint">
                      speaks for {plural(alert.grouped, "narrower alert")}
                    </span>
                  )}
                  {alert.parentId !== null && (
                    <span className="ml-2 text-xs font-normal text-ink-faint">told of by a wider one</span>
                  )}
                </th>
                <td className={CELL}>{alert.team ?? "Everyone"}</td>
                <td className={CELL}>
                  <Instant at={alert.openedAt} loaded={loaded} />
                </td>
                <td className={CELL}>{afterOpening(alert.openedAt, alert.acknowledgedAt)}</td>
                <td className={CELL}>{afterOpening(alert.openedAt, alert.resolvedAt)}</td>
              </tr>
            ))}
          </Table>
        </div>
      )}
      <nav aria-label="Pages of alerts" className="mt-4 flex flex-wrap gap-2">
        {next !== null && (
          <Link to={paths.alerts(`?state=${state}&before=${next}`)} className={buttonClass("quiet")}>
            Older alerts
          </Link>
        )}
        {alerts.length > 0 && (
          <a href={paths.alertsCsv(`?state=${state}`)} download className={buttonClass("quiet", "ml-auto")}>
            <Download aria-hidden className="size-3.5" />
            CSV
          </a>
        )}
      </nav>
    </>
  )
}

function afterOpening(openedAt: Date, at: Date | null): string {
  return at === null ? "not yet" : `after ${formatDuration(at.getTime() - openedAt.getTime())}`
}

function Instant({ at, loaded }: { at: Date; loaded: Pick<Loaded, "now" | "timeZone"> }) {
  return (
    <time dateTime={at.toISOString()} title={formatInstant(at, loaded.timeZone)}>
      {formatAge(at, loaded.now)}
    </time>
  )
}

function sentence({ times, alerts, state }: Loaded): string {
  if (times.open === 0 && times.acknowledged === 0) return "Nothing is wrong now that a rule would tell of."
  if (times.open === 0) return `${plural(times.acknowledged, "alert")} goes on, and somebody is at it.`
  const first = alerts.find((alert) => alert.state === "open")
  const rest = times.open - 1
  if (first === undefined || state === "resolved" || state === "acknowledged") {
    return `${plural(times.open, "alert")} ${times.open === 1 ? "is" : "are"} open and nobody has acknowledged ${times.open === 1 ? "it" : "them"}.`
  }
  return `${first.title}${rest === 0 ? "" : `, and ${plural(rest, "more alert")} ${rest === 1 ? "is" : "are"} open`}.`
}

function timesSentence({ times }: Loaded): string {
  if (times.opened === 0) return "No alert was opened in the last 28 days."
  const inTime = (seconds: number | null, done: string) =>
    seconds === null ? `none was ${done}` : `half were ${done} within ${formatDuration(seconds * 1000)}`
  return `In the last 28 days ${plural(times.opened, "alert")} ${times.opened === 1 ? "was" : "were"} opened; ${inTime(times.acknowledgeSeconds, "acknowledged")}, ${inTime(times.resolveSeconds, "over")}.`
}
