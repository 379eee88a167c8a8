import type { MetaFunction } from "@remix-run/node"
import { useLoaderData } from "@remix-run/react"
import { asTenant } from "#server/db/tenant.ts"
import { getRollupProgress, listStorage, type TableStorage } from "#server/rollup/queries.ts"
import { formatAge, formatBytes, formatCount, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { SettingsTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Storage · Belay" }]

export const loader = guard("settings.manage", async ({ viewer, context }) => {
  const { retentionDays } = context
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => ({
    now,
    retentionDays,
    tables: await listStorage(tx, { now, retentionDays }),
    progress: await getRollupProgress(tx),
  }))
})

/** In the order in which a signal goes through them. */
const WHAT: Readonly<Record<string, string>> = {
  signal: "Signals, as they came",
  signal_occurrence: "Events that a tool reports twice",
  operation: "Turns, tasks and runs",
  signal_minute: "Latency by minute",
  signal_hour: "Figures by hour",
  latency_hour: "Latency by hour",
  signal_day: "Figures by day",
  developer_usage_day: "Use by person and day",
  developer_day: "Rungs by person and day",
}

export default function Storage() {
  const { now, retentionDays, tables, progress } = useLoaderData<typeof loader>()
  const sorted = Object.keys(WHAT).flatMap((name) => tables.filter((table) => table.name === name))
  const total = sum(sorted, (table) => table.bytes)
  const isForecast = sorted.some((table) => table.name === "signal" && table.forecastBytes !== null)
  const forecast = sum(sorted, (table) => table.forecastBytes ?? table.bytes)
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Storage</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          Telemetry takes {formatBytes(total)}.{" "}
          {isForecast
            ? `At the pace of the last full days that is ${formatBytes(forecast)} a year from now.`
            : "After the first full day of telemetry a forecast stands here."}
        </p>
        <p className="mt-1 text-sm text-ink-soft">{toProgress(progress, now)}</p>
      </header>
      <SettingsTabs />
      <div className="mt-6">
        <Table
          caption="What telemetry takes on disk"
          titles={["Table", "Kept", "Rows, about", "Size", "A day", "Will be"]}
          figures={["Rows, about", "Size", "A day", "Will be"]}
        >
          {sorted.map((table) => (
            <tr key={table.name} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                {WHAT[table.name]} <code className="ml-1 font-mono text-xs text-ink-faint">{table.name}</code>
              </th>
              <td className={CELL}>{keptFor(table)}</td>
              <td className={FIGURE_CELL}>{table.rows === null ? "no data" : formatCount(table.rows)}</td>
              <td className={FIGURE_CELL}>{formatBytes(table.bytes)}</td>
              <td className={FIGURE_CELL}>{table.bytesPerDay === null ? "no data" : formatBytes(table.bytesPerDay)}</td>
              <td className={FIGURE_CELL}>
                {table.forecastBytes === null ? "no data" : formatBytes(table.forecastBytes)}
              </td>
            </tr>
          ))}
        </Table>
      </div>
      <p className="mt-3 max-w-3xl text-sm text-ink-soft">
        Sizes are of the whole installation, with indexes. What is kept for a time is forecast for when that time is
        full, what is kept for good for a year from now. Signals go after {plural(retentionDays, "day")} (
        <code className="font-mono text-xs">BELAY_RETENTION_DAYS</code>), a day at once; figures of earlier days stay.
      </p>
    </>
  )
}

function sum(tables: readonly TableStorage[], pick: (table: TableStorage) => number): number {
  return tables.reduce((total, table) => total + pick(table), 0)
}

function keptFor({ keptDays }: TableStorage): string {
  if (keptDays === null) return "for good"
  if (keptDays === 2) return "48 hours"
  return keptDays > 365 ? "13 months" : plural(keptDays, "day")
}

function toProgress(
  progress: { countedUntil: Date | null; waiting: number; waitingSince: Date | null; isRebuilding: boolean },
  now: Date,
): string {
  if (progress.isRebuilding) return "Figures are being counted anew from the signals."
  if (progress.waiting > 0 && progress.waitingSince !== null) {
    return `${plural(progress.waiting, "signal waits", "signals wait")} to be counted; the oldest came ${formatAge(progress.waitingSince, now)}.`
  }
  return progress.countedUntil === null
    ? "Nothing has come in yet."
    : `All signals are counted; the newest came ${formatAge(progress.countedUntil, now)}.`
}
