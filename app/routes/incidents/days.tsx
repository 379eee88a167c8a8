import { lazy, Suspense } from "react"
import type { ExpectedPoint } from "../../charts/expected.tsx"
import { formatDay, formatRate, plural } from "../../lib/format.ts"
import { isoDay } from "../../lib/range.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
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
  const { daily, leading, rung } = incident
  if (daily.length === 0 || leading === null) return null
  const points = daily.map((day) => toPoint(day, rung, leastOf(daily)))
  const values = points.flatMap(({ here, rest }) => [here ?? 0, rest ?? 0])
  const hasRest = points.some(({ rest }) => rest !== null)
  const place = describePlace(incident)
  const title = `${SIGNAL_LABELS[leading.watched]} by day, in times of what is expected`
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
          </span>
        </figcaption>
        <div className="mt-2" style={{ height: HEIGHT }}>
          {isInBrowser && (
            <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
              <Expected
                points={points}
                marks={marksOf(incident, timeZone)}
                max={Math.max(1.5, Math.ceil(Math.max(...values) * 2.2) / 2)}
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
                <td className={FIGURE_CELL}>{formatAmount(day.observed)}</td>
                <td className={FIGURE_CELL}>{formatAmount(day.expected)}</td>
                <td className={FIGURE_CELL}>{formatOrNone(points[index]?.here ?? null)}</td>
                <td className={FIGURE_CELL}>{formatOrNone(points[index]?.rest ?? null)}</td>
                <td className={FIGURE_CELL}>{formatAmount(day.units)}</td>
              </tr>
            ))}
          </Table>
        </div>
      </details>
    </section>
  )
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

interface Least {
  readonly here: number
  readonly rest: number
}

function leastOf(daily: readonly Day[]): Least {
  const least = (values: readonly number[]) => Math.max(1, EXPECTED_LEAST_SHARE * Math.max(...values))
  return { here: least(daily.map(({ expected }) => expected)), rest: least(daily.map((day) => day.restExpected ?? 0)) }
}

function toPoint(day: Day, rung: IncidentData["incident"]["rung"], least: Least): ExpectedPoint {
  const here = toRatio(day.observed, day.expected, least.here)
  const rest =
    day.restObserved === null || day.restExpected === null
      ? null
      : toRatio(day.restObserved, day.restExpected, least.rest)
  return {
    at: toDate(day.day).getTime(),
    here,
    rest,
    tooltip: [
      formatDay(toDate(day.day), "UTC"),
      here === null ? "too little to compare" : `${formatRate(here)} times what is expected`,
      `${formatAmount(day.observed)} observed, ${formatAmount(day.expected)} expected`,
      ...(rest === null ? [] : [`elsewhere ${formatRate(rest)} times`]),
      plural(Math.round(day.units), OPERATION_WORDS[rung]),
    ],
  }
}

function toRatio(observed: number, expected: number, least: number): number | null {
  return expected < least ? null : observed / expected
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
