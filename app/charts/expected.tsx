import {
  CartesianGrid,
  ComposedChart,
  Line,
  ReferenceArea,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts"
import { GRID, TIME_AXIS, TOOLTIP, VALUE_AXIS } from "./frame.tsx"

export interface ExpectedPoint {
  /** Unix milliseconds of the day's midnight in UTC, as days are drawn. */
  readonly at: number
  /** observed / expected; null is a gap. */
  readonly here: number | null
  readonly rest: number | null
  readonly tooltip: readonly string[]
}

export interface ExpectedProps {
  readonly points: readonly ExpectedPoint[]
  /** Days that are withheld, which are no days without anything. */
  readonly gaps: readonly number[]
  readonly marks: readonly { readonly at: number; readonly label: string; readonly isMain: boolean }[]
  /** Of the axis of values, from zero up. */
  readonly ticks: readonly number[]
  readonly color: string
  readonly formatValue: (value: number) => string
  readonly formatTime: (at: number) => string
  readonly height: number
}

/** What was observed over what was expected, here and elsewhere on one axis; the expected is the dashed line at one. */
export default function Expected(props: ExpectedProps) {
  const ats = [...props.points.map(({ at }) => at), ...props.marks.map(({ at }) => at)]
  return (
    <ResponsiveContainer width="100%" height={props.height}>
      <ComposedChart data={[...props.points]} margin={{ top: 24, right: 16, bottom: 0, left: 0 }} accessibilityLayer>
        <CartesianGrid {...GRID} />
        <XAxis {...TIME_AXIS} domain={[Math.min(...ats), Math.max(...ats)]} tickFormatter={props.formatTime} />
        <YAxis
          domain={[0, props.ticks.at(-1) ?? 1]}
          ticks={[...props.ticks]}
          tickFormatter={props.formatValue}
          {...VALUE_AXIS}
          width={44}
        />
        <Tooltip {...TOOLTIP} />
        {rangesOf(props.gaps).map(({ from, to }) => (
          <ReferenceArea key={from} x1={from} x2={to} ifOverflow="hidden" fill="var(--sunken)" fillOpacity={1} />
        ))}
        <ReferenceLine y={1} stroke="var(--ink-soft)" strokeDasharray="4 4" />
        {props.marks.map(({ at, label, isMain }) => (
          <ReferenceLine
            key={`${at} ${label}`}
            x={at}
            stroke={isMain ? "var(--bad)" : "var(--ink-faint)"}
            strokeDasharray={isMain ? "" : "2 3"}
            label={{
              value: label,
              position: "top",
              fill: isMain ? "var(--bad)" : "var(--ink-soft)",
              fontSize: 11,
            }}
          />
        ))}
        <Line
          dataKey="rest"
          stroke="var(--ink-faint)"
          strokeWidth={1.5}
          dot={false}
          activeDot={{ r: 3.5, stroke: "var(--surface)", strokeWidth: 2 }}
          isAnimationActive={false}
          connectNulls={false}
        />
        <Line
          dataKey="here"
          stroke={props.color}
          strokeWidth={2}
          dot={{ r: 2.5, fill: props.color, strokeWidth: 0 }}
          activeDot={{ r: 4.5, stroke: "var(--surface)", strokeWidth: 2 }}
          isAnimationActive={false}
          connectNulls={false}
        />
      </ComposedChart>
    </ResponsiveContainer>
  )
}

const DAY_MS = 86_400_000

/** Days that follow each other as one range, from half a day before to half a day after. */
function rangesOf(days: readonly number[]): readonly { readonly from: number; readonly to: number }[] {
  const ranges: { from: number; to: number }[] = []
  for (const day of days) {
    const last = ranges.at(-1)
    if (last?.to === day - DAY_MS / 2) last.to += DAY_MS
    else ranges.push({ from: day - DAY_MS / 2, to: day + DAY_MS / 2 })
  }
  return ranges
}
