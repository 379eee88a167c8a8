import { Link } from "@remix-run/react"
import { clsx } from "clsx"
import { CircleAlert, CircleCheck } from "lucide-react"
import { lazy, type ReactNode, Suspense } from "react"
import type { Percentiles } from "#server/latency/queries.ts"
import type { LinesPoint, LinesProps } from "../../charts/lines.tsx"
import { sayBeside } from "../../lib/against.ts"
import { formatCount, formatDay, formatDuration, formatRate, plural } from "../../lib/format.ts"
import { niceMaxMs } from "../../lib/nice-max.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { NoPicture } from "../../ui/chart-card.tsx"
import { WithheldMark } from "../../ui/figure.tsx"
import type { LatencyData } from "./load.server.ts"

const Lines = lazy(() => import("../../charts/lines.tsx"))

/** Percentiles of one bucket, and when it begins. */
export type Step = Percentiles & { readonly at: Date }

/** p50, p95 and p99 over time of a rung, tool or model, under its figures. */
export function Panel(props: {
  name: ReactNode
  /** Where a click on the name leads; null when it is chosen. */
  to: string | null
  color: string
  figures: Percentiles
  /** Undefined where nothing is compared. */
  previous: Percentiles | undefined
  steps: readonly Step[]
  /** Milliseconds; null without one. */
  objectiveMs: number | null
  /** What is timed, in the plural. */
  words: string
  note?: ReactNode
  height?: number
  latency: LatencyData
}) {
  const { figures, previous, latency, objectiveMs, steps, color, height = 176 } = props
  return (
    <div className="min-w-0">
      <div className="flex flex-wrap items-baseline justify-between gap-x-3">
        <h4 className="flex min-w-0 items-center gap-2 text-sm font-medium">
          <span aria-hidden className="h-1.5 w-4 shrink-0 rounded-full" style={{ background: color }} />
          {props.to === null ? (
            <span aria-current="true" className="truncate">
              {props.name}
            </span>
          ) : (
            <Link
              to={props.to}
              preventScrollReset
              prefetch="intent"
              className="truncate hover:text-accent hover:underline"
            >
              {props.name}
            </Link>
          )}
        </h4>
        <p className="figures text-xs text-ink-faint">
          {figures.timed !== null &&
            `${plural(figures.people ?? 0, "person", "people")} · ${formatCount(figures.timed)} ${props.words}`}
        </p>
      </div>
      <p className="figures mt-1 flex min-h-8 flex-wrap items-baseline gap-x-2">
        {figures.p95Ms !== null && (
          <>
            <span className="text-xl font-semibold tracking-tight">{formatDuration(figures.p95Ms)}</span>
            <span className="text-xs text-ink-faint">p95</span>
            {objectiveMs !== null && <Held p95Ms={figures.p95Ms} objectiveMs={objectiveMs} />}
            {previous !== undefined && (
              <span className="text-xs text-ink-faint">
                {sayBeside(
                  latency.against,
                  previous.p95Ms === null ? null : formatDuration(previous.p95Ms),
                  previous.state,
                )}
              </span>
            )}
          </>
        )}
        {figures.state === "withheld" && (
          <span className="text-sm text-ink-soft">
            <WithheldMark minGroupSize={latency.minGroupSize} />
          </span>
        )}
        {props.note}
      </p>
      <Picture {...{ figures, steps, objectiveMs, color, height, latency }} />
    </div>
  )
}

function Held({ p95Ms, objectiveMs }: { p95Ms: number; objectiveMs: number }) {
  const isHeld = p95Ms <= objectiveMs
  const Icon = isHeld ? CircleCheck : CircleAlert
  return (
    <span
      className={clsx("inline-flex items-center gap-1 text-xs whitespace-nowrap", isHeld ? "text-good" : "text-bad")}
    >
      <Icon aria-hidden className="size-3.5" />
      {isHeld
        ? `within ${formatDuration(objectiveMs)}`
        : `${formatRate(p95Ms / objectiveMs)}× the objective of ${formatDuration(objectiveMs)}`}
    </span>
  )
}

function Picture(props: {
  figures: Percentiles
  steps: readonly Step[]
  objectiveMs: number | null
  color: string
  height: number
  latency: LatencyData
}) {
  const { figures, steps, objectiveMs, latency, height } = props
  if (figures.state !== "shown") {
    return <NoPicture height={height}>{figures.state === "withheld" ? "withheld" : "no data"}</NoPicture>
  }
  const highest = Math.max(...steps.flatMap(({ p99Ms, p95Ms }) => [p99Ms ?? 0, p95Ms ?? 0]))
  // An objective far above everything would press the lines to the ground.
  const top = objectiveMs !== null && objectiveMs < highest * 3 ? Math.max(highest, objectiveMs) : highest
  return (
    <TimeLines
      latency={latency}
      height={height}
      series={[
        { label: "p50", color: props.color, kind: "thin" },
        { label: "p95", color: props.color, kind: "main" },
        { label: "p99", color: props.color, kind: "dashed" },
      ]}
      points={steps.map((step) => ({
        at: step.at.getTime(),
        values: [step.p50Ms, step.p95Ms, step.p99Ms],
        tooltip: tooltipOf(step, latency),
      }))}
      max={niceMaxMs(top)}
      objective={objectiveMs}
      formatValue={formatDuration}
    />
  )
}

function tooltipOf(step: Step, latency: LatencyData): string[] {
  const { p50Ms, p95Ms, p99Ms, timed, people, state } = step
  return [
    nameBucket(step.at, latency),
    ...(p50Ms === null || p95Ms === null || p99Ms === null
      ? [state === "withheld" ? "withheld" : "no data"]
      : [
          `p50 ${formatDuration(p50Ms)} · p95 ${formatDuration(p95Ms)} · p99 ${formatDuration(p99Ms)}`,
          `${plural(people ?? 0, "person", "people")} · ${formatCount(timed ?? 0)} timed`,
        ]),
  ]
}

/** A bucket as it is told. */
export function nameBucket(at: Date, { bucket, timeZone }: Pick<LatencyData, "bucket" | "timeZone">): string {
  return bucket === "week" ? `week of ${formatDay(at, timeZone)}` : formatDay(at, timeZone)
}

/** Lines on the time axis of the page, with its changes as marks. */
export function TimeLines(
  props: Pick<LinesProps, "series" | "max" | "objective" | "formatValue" | "height"> & {
    latency: LatencyData
    points: readonly LinesPoint[]
    syncId?: string
  },
) {
  const isInBrowser = useInBrowser()
  const { latency, height, points } = props
  const from = Math.min(latency.range.from.getTime(), ...points.map(({ at }) => at))
  return (
    <div style={{ height }}>
      {isInBrowser && (
        <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
          <Lines
            series={props.series}
            points={points}
            from={from}
            to={latency.range.to.getTime()}
            max={props.max}
            objective={props.objective}
            marks={latency.changes.map(({ at }, index) => ({ at: at.getTime(), label: String(index + 1) }))}
            formatValue={props.formatValue}
            formatTime={(at) => formatDay(new Date(at), latency.timeZone)}
            height={height}
            {...(props.syncId !== undefined && { syncId: props.syncId })}
          />
        </Suspense>
      )}
    </div>
  )
}

const CHANGE_WORDS: Record<string, string> = {
  agent_version: "agent tool",
  model: "model",
  model_server: "model server",
  infrastructure: "infrastructure",
  policy: "policy",
}

/** What the numbered marks of the charts are. */
export function Marks({ latency }: { latency: LatencyData }) {
  return (
    <ol aria-label="Marks" className="mt-3 flex flex-wrap gap-x-5 gap-y-1 text-xs text-ink-soft">
      <li className="inline-flex items-center gap-1.5">
        <span aria-hidden className="h-3 w-4 rounded-sm border-t border-dashed border-good bg-good-soft" />
        within the objective
      </li>
      {latency.changes.map(({ at, kind, subject }, index) => (
        <li key={`${kind} ${subject}`}>
          <span className="figures font-medium">{index + 1}</span> {subject}
          <span className="text-ink-faint">
            {" "}
            ({CHANGE_WORDS[kind] ?? kind}, {formatDay(at, latency.timeZone)})
          </span>
        </li>
      ))}
    </ol>
  )
}
