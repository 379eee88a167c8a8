import { Tabs } from "radix-ui"
import { lazy, Suspense } from "react"
import type { TrendPoint } from "../../charts/trend.tsx"
import { formatCount, formatDay, formatDuration, formatRate, formatShare, plural } from "../../lib/format.ts"
import { niceMax } from "../../lib/nice-max.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import type { LadderData } from "./load.server.ts"
import { RUNG_COLORS, RUNG_LABELS } from "./rungs.ts"

const Trend = lazy(() => import("../../charts/trend.tsx"))
const HEIGHT = 168

type Bucket = LadderData["buckets"][number]
type Row = LadderData["rungs"][number]

interface Metric {
  readonly id: string
  readonly label: string
  readonly valueOf: (figures: Bucket | Row) => number | null
  readonly stateOf: (figures: Bucket | Row) => string
  readonly format: (value: number) => string
  /** Top of the axis for a rung; null fits the data. */
  readonly max: number | null
}

const METRICS: readonly [Metric, ...Metric[]] = [
  {
    id: "acceptance",
    label: "Acceptance",
    valueOf: (figures) => figures.acceptance,
    stateOf: (figures) => figures.acceptanceState,
    format: formatShare,
    max: 1,
  },
  {
    id: "latency",
    label: "p95 latency",
    valueOf: (figures) => figures.latencyP95Ms,
    stateOf: (figures) => figures.latencyState,
    format: formatDuration,
    max: null,
  },
  {
    id: "operations",
    label: "Operations",
    valueOf: (figures) => figures.operations,
    stateOf: (figures) => figures.volumeState,
    format: formatCount,
    max: null,
  },
  {
    id: "questions",
    label: "Questions per operation",
    valueOf: (figures) => figures.promptsPerOperation,
    stateOf: (figures) => figures.volumeState,
    format: formatRate,
    max: null,
  },
]

/** Small multiples, one per rung in ladder order on one time axis, with the table behind them. */
export function Trends({ ladder }: { ladder: LadderData }) {
  return (
    <section aria-labelledby="over-time" className="mt-10">
      <Tabs.Root defaultValue={METRICS[0].id}>
        <div className="flex flex-wrap items-center justify-between gap-3">
          <h2 id="over-time" className="text-lg font-semibold">
            By {ladder.bucket}
          </h2>
          <Tabs.List
            aria-label="Figure"
            className="flex flex-wrap rounded-md border border-line-strong bg-surface p-0.5"
          >
            {METRICS.map((metric) => (
              <Tabs.Trigger
                key={metric.id}
                value={metric.id}
                className="rounded-sm px-2.5 py-1 text-sm text-ink-soft transition-colors duration-150 hover:bg-sunken hover:text-ink data-[state=active]:bg-accent-soft data-[state=active]:font-medium data-[state=active]:text-accent"
              >
                {metric.label}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
        </div>
        {METRICS.map((metric) => (
          <Tabs.Content key={metric.id} value={metric.id} className="mt-4">
            <div className="grid gap-4 md:grid-cols-2">
              {ladder.rungs.map((row) => (
                <Panel key={row.rung} row={row} metric={metric} ladder={ladder} />
              ))}
            </div>
            <Table metric={metric} ladder={ladder} />
          </Tabs.Content>
        ))}
      </Tabs.Root>
    </section>
  )
}

function Panel({ row, metric, ladder }: { row: Row; metric: Metric; ladder: LadderData }) {
  // Recharts draws nothing on the server: the height is kept free until the browser draws.
  const isInBrowser = useInBrowser()
  const buckets = ladder.buckets.filter((bucket) => bucket.rung === row.rung)
  const values = buckets.map(metric.valueOf).filter((value) => value !== null)
  const objective = metric.id === "latency" ? ladder.objectives[row.rung].p95Ms : null
  return (
    <figure className="rounded-md border border-line bg-surface p-4">
      <figcaption className="flex items-center gap-2 text-sm font-medium">
        <span aria-hidden className="h-1.5 w-4 rounded-full" style={{ background: RUNG_COLORS[row.rung] }} />
        {RUNG_LABELS[row.rung]}
      </figcaption>
      <div className="mt-2" style={{ height: HEIGHT }}>
        {values.length === 0 ? (
          <div className="hatched flex h-full items-center justify-center rounded-md">
            <p className="rounded-sm bg-surface px-2 py-0.5 text-sm text-ink-soft">
              {STATE_LABELS[metric.stateOf(row)] ?? "no data"}
            </p>
          </div>
        ) : (
          isInBrowser && (
            <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
              <Trend
                points={buckets.map((bucket) => toPoint(bucket, metric, ladder))}
                from={Math.min(ladder.range.from.getTime(), ...buckets.map((bucket) => bucket.bucketStart.getTime()))}
                to={ladder.range.to.getTime()}
                max={metric.max ?? niceMax(Math.max(...values, objective ?? 0))}
                objective={
                  objective === null ? null : { value: objective, label: `objective ${formatDuration(objective)}` }
                }
                color={RUNG_COLORS[row.rung]}
                formatValue={metric.format}
                formatTime={(at) => formatDay(new Date(at), ladder.timeZone)}
                height={HEIGHT}
              />
            </Suspense>
          )
        )}
      </div>
    </figure>
  )
}

const STATE_LABELS: Record<string, string> = {
  withheld: "withheld",
  no_data: "no data",
  not_decidable: "not decidable from this source",
}

function toPoint(bucket: Bucket, metric: Metric, ladder: LadderData): TrendPoint {
  const value = metric.valueOf(bucket)
  const interval = metric.id === "acceptance" ? bucket.interval : null
  const start = formatDay(bucket.bucketStart, ladder.timeZone)
  return {
    at: bucket.bucketStart.getTime(),
    value,
    interval: interval === null ? null : [interval.low, interval.high],
    tooltip: [
      ladder.bucket === "week" ? `week of ${start}` : start,
      value === null ? (STATE_LABELS[metric.stateOf(bucket)] ?? "no data") : `${metric.label}: ${metric.format(value)}`,
      ...(interval === null ? [] : [`95 %: ${formatShare(interval.low)} to ${formatShare(interval.high)}`]),
      bucket.developers === null || bucket.operations === null
        ? "people and operations withheld"
        : `${plural(bucket.developers, "person", "people")} · ${plural(bucket.operations, "operation")}`,
    ],
  }
}

function Table({ metric, ladder }: { metric: Metric; ladder: LadderData }) {
  const starts = [...new Set(ladder.buckets.map((bucket) => bucket.bucketStart.getTime()))].toSorted((a, b) => a - b)
  return (
    <details className="mt-3">
      <summary className="w-fit rounded-sm text-sm text-ink-soft hover:text-ink">Show as a table</summary>
      <div className="mt-2 overflow-x-auto rounded-md border border-line bg-surface">
        <table className="w-full text-sm">
          <caption className="sr-only">
            {metric.label} by {ladder.bucket} and rung
          </caption>
          <thead>
            <tr className="border-b border-line text-left text-xs text-ink-faint">
              <th scope="col" className="h-9 px-4 font-medium">
                {ladder.bucket === "week" ? "Week of" : "Day"}
              </th>
              {ladder.rungs.map((row) => (
                <th key={row.rung} scope="col" className="px-4 text-right font-medium">
                  {RUNG_LABELS[row.rung]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {starts.map((start) => (
              <tr key={start} className="border-b border-line last:border-b-0">
                <th scope="row" className="h-10 px-4 text-left font-normal whitespace-nowrap">
                  {formatDay(new Date(start), ladder.timeZone)}
                </th>
                {ladder.rungs.map((row) => {
                  const bucket = ladder.buckets.find(
                    (candidate) => candidate.rung === row.rung && candidate.bucketStart.getTime() === start,
                  )
                  const value = bucket === undefined ? null : metric.valueOf(bucket)
                  return (
                    <td key={row.rung} className="figures px-4 text-right whitespace-nowrap">
                      {value === null ? (
                        <span className="text-ink-faint">
                          {STATE_LABELS[bucket === undefined ? "no_data" : metric.stateOf(bucket)]}
                        </span>
                      ) : (
                        metric.format(value)
                      )}
                    </td>
                  )
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}
