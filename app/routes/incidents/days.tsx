import { Lock } from "lucide-react"
import { lazy, Suspense } from "react"
import type { ExpectedPoint } from "../../charts/expected.tsx"
import { formatDay, formatRate, plural } from "../../lib/format.ts"
import { isoDay } from "../../lib/range.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { withheldReason } from "../../ui/figure.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { OPERATION_WORDS, RUNG_COLORS } from "../ladder/rungs.ts"
import { describeChange, describePlace, formatAmount, SIGNAL_LABELS } from "./incident-words.ts"
import type { IncidentData } from "./load.server.ts"

const Expected = lazy(() => import("../../charts/expected.tsx"))
const HEIGHT = 240

/** A day with less than this share of the busiest, or with less than one expected, is a gap: its ratio is noise. */
const EXPECTED_LEAST_SHARE = 0.1

type Day = IncidentData["incident"]["daily"][number]

/** The leading signal by day against what was expected, beside the rest of the organization, with the table behind it. */
export function Days({ data, timeZone }: { data: IncidentData; timeZone: string }) {
  const isInBrowser = useInBrowser()
  const { incident } = data
  const { daily, leadingSignal, rung } = incident
  if (daily.length === 0 || leadingSignal === null) return null
  const withheld = withheldReason(data.minGroupSize)
  if (daily.every(({ isWithheld }) => isWithheld)) return <AllWithheld reason={withheld} />
  const points = daily.map((day) => toPoint(day, rung, leastOf(daily)))
  const values = points.flatMap(({ here, rest }) => [here ?? 0, rest ?? 0])
  const hasRest = points.some(({ rest }) => rest !== null)
  const gaps = points.filter((_, index) => daily[index]?.isWithheld).map(({ at }) => at)
  const place = describePlace(incident)
  const title = `${SIGNAL_LABELS[leadingSignal]} by day, in times of what is expected`
  return (
    <section aria-labelledby="by-day" className="mt-10">
      <h2 id="by-day" className="text-lg font-semibold">
        By day
      </h2>
      <figure className="mt-3 rounded-md border border-line bg-surface p-4">
        <figcaption className="text-sm">
          <span className="font-medium">{title}</span>
          <span className="mt-1 flex flex-wrap gap-x-5 gap-y-1 text-xs text-ink-soft">
            <Key style={{ borderColor: RUNG_COLORS[rung], borderTopWidth: 2 }}>{place}</Key>
            {hasRest && <Key style={{ borderColor: "var(--ink-faint)" }}>The rest of the organization</Key>}
            <Key style={{ borderColor: "var(--ink-soft)", borderTopStyle: "dashed" }}>As expected</Key>
            {gaps.length > 0 && (
              <span className="inline-flex items-center gap-2">
                <span aria-hidden className="size-3 shrink-0 rounded-sm border border-line-strong bg-sunken" />
                withheld: {withheld}
              </span>
            )}
            {!hasRest && daily.some((day) => day.isRestWithheld && !day.isWithheld) && (
              <span className="inline-flex items-center gap-1.5">
                <Lock aria-hidden className="size-3 shrink-0" />
                The rest of the organization is withheld: {withheld}
              </span>
            )}
          </span>
        </figcaption>
        <div className="mt-2" style={{ height: HEIGHT }}>
          {isInBrowser && (
            <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
              <Expected
                points={points}
                gaps={gaps}
                marks={marksOf(incident, timeZone)}
                ticks={ticksTo(Math.max(1.5, ...values))}
                color={RUNG_COLORS[rung]}
                formatValue={(value) => `${formatRate(value)}×`}
                formatTime={(at) => formatDay(new Date(at), "UTC")}
                height={HEIGHT}
              />
            </Suspense>
          )}
        </div>
        <p className="sr-only">The figures of the chart are in the table that follows.</p>
      </figure>
      <details className="mt-3">
        <summary className="w-fit rounded-sm text-sm text-ink-soft hover:text-ink">Show as a table</summary>
        <div className="mt-2">
          <Table
            caption={title}
            titles={["Day", "Observed", "Expected", "Times", "Elsewhere, times", `${OPERATION_WORDS[rung]}s`]}
            figures={["Observed", "Expected", "Times", "Elsewhere, times", `${OPERATION_WORDS[rung]}s`]}
          >
            {daily.map((day, index) => (
              <tr key={day.day} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {formatDay(toDate(day.day), "UTC")}
                </th>
                {[day.observed, day.expected].map((amount, at) => (
                  <td key={at === 0 ? "observed" : "expected"} className={FIGURE_CELL}>
                    {amount === null ? <Withheld /> : formatAmount(amount)}
                  </td>
                ))}
                <td className={FIGURE_CELL}>
                  {day.isWithheld ? <Withheld /> : formatOrNone(points[index]?.here ?? null)}
                </td>
                <td className={FIGURE_CELL}>
                  {day.isRestWithheld ? <Withheld /> : formatOrNone(points[index]?.rest ?? null)}
                </td>
                <td className={FIGURE_CELL}>{day.units === null ? <Withheld /> : formatAmount(day.units)}</td>
              </tr>
            ))}
          </Table>
        </div>
      </details>
    </section>
  )
}

function AllWithheld({ reason }: { reason: string }) {
  return (
    <section aria-labelledby="by-day" className="mt-10">
      <h2 id="by-day" className="text-lg font-semibold">
        By day
      </h2>
      <p className="mt-3 flex items-start gap-2 rounded-md border border-line bg-surface p-5 text-ink-soft">
        <Lock aria-hidden className="mt-1 size-3.5 shrink-0" />
        Withheld: what is known of each day {reason}.
      </p>
    </section>
  )
}

function Withheld() {
  return <span className="text-ink-faint">withheld</span>
}

function Key({ style, children }: { style: React.CSSProperties; children: React.ReactNode }) {
  return (
    <span className="inline-flex items-center gap-2">
      <span aria-hidden className="w-5 border-t" style={style} />
      {children}
    </span>
  )
}

function toDate(day: string): Date {
  return new Date(`${day}T00:00:00Z`)
}

/** From zero in even steps to what is a little more than the highest. */
function ticksTo(highest: number): readonly number[] {
  const step = STEPS.find((of) => highest / of <= 5) ?? Math.ceil(highest / 5)
  const count = Math.ceil((highest * 1.05) / step)
  return Array.from({ length: count + 1 }, (_, index) => index * step)
}

const STEPS = [0.5, 1, 2, 5, 10, 20, 50]

interface Least {
  readonly here: number
  readonly rest: number
}

function leastOf(daily: readonly Day[]): Least {
  const least = (values: readonly number[]) => Math.max(1, EXPECTED_LEAST_SHARE * Math.max(...values))
  return { here: least(daily.map((day) => day.expected ?? 0)), rest: least(daily.map((day) => day.restExpected ?? 0)) }
}

function toPoint(day: Day, rung: IncidentData["incident"]["rung"], least: Least): ExpectedPoint {
  const here = toRatio(day.observed, day.expected, least.here)
  const rest = toRatio(day.restObserved, day.restExpected, least.rest)
  const { observed, expected, units } = day
  const title = formatDay(toDate(day.day), "UTC")
  const isShown = observed !== null && expected !== null && units !== null
  return {
    at: toDate(day.day).getTime(),
    here,
    rest,
    tooltip: isShown
      ? [
          title,
          here === null ? "too little to compare" : `${formatRate(here)} times what is expected`,
          `${formatAmount(observed)} observed, ${formatAmount(expected)} expected`,
          ...(day.isRestWithheld
            ? ["elsewhere withheld"]
            : rest === null
              ? []
              : [`elsewhere ${formatRate(rest)} times`]),
          plural(Math.round(units), OPERATION_WORDS[rung]),
        ]
      : [title, "withheld"],
  }
}

/** Null when it is withheld, when there is nothing, and when there is too little. */
function toRatio(observed: number | null, expected: number | null, least: number): number | null {
  return observed === null || expected === null || expected < least ? null : observed / expected
}

function formatOrNone(ratio: number | null): string {
  return ratio === null ? "–" : formatRate(ratio)
}

/** The start, and the changes that fit; on their days in the organization's zone. */
function marksOf({ startedAt, changes }: IncidentData["incident"], timeZone: string) {
  const dayOf = (at: Date) => toDate(isoDay(at, timeZone)).getTime()
  const fitting = changes
    .filter(({ fits, at }) => fits && dayOf(new Date(at)) !== dayOf(startedAt))
    .map((change) => ({ at: dayOf(new Date(change.at)), label: describeChange(change), isMain: false }))
  return [...fitting.slice(0, 2), { at: dayOf(startedAt), label: "began", isMain: true }]
}
