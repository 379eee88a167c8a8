import {
  CartesianGrid,
  ComposedChart,
  type LabelProps,
  Line,
  ReferenceArea,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts"
import { GRID, TIME_AXIS, TOOLTIP, VALUE_AXIS } from "./frame.tsx"

export interface LinesPoint {
  /** Unix milliseconds of the bucket's start. */
  readonly at: number
  /** One for each series; null is a gap: nothing there, or withheld. */
  readonly values: readonly (number | null)[]
  readonly tooltip: readonly string[]
}

export interface LinesProps {
  /** Up to four, which are named at their ends. */
  readonly series: readonly {
    readonly label: string
    readonly color: string
    readonly kind: "main" | "thin" | "dashed"
  }[]
  readonly points: readonly LinesPoint[]
  readonly from: number
  readonly to: number
  readonly max: number
  /** What is to be stayed within, as a band from zero. */
  readonly objective: number | null
  readonly marks: readonly { readonly at: number; readonly label: string }[]
  readonly formatValue: (value: number) => string
  readonly formatTime: (at: number) => string
  readonly height: number
  /** Charts of the same name point at the same time. */
  readonly syncId?: string
}

const KINDS = {
  main: { strokeWidth: 2.25, strokeDasharray: "" },
  thin: { strokeWidth: 1.25, strokeDasharray: "" },
  dashed: { strokeWidth: 1.25, strokeDasharray: "4 3" },
} as const
const AXIS_HEIGHT = 30
const TOP = 18
const LABEL_GAP = 12

/** Several lines over time, the objective as a band and changes as numbered marks; gaps stay gaps. */
export default function Lines(props: LinesProps) {
  const ends = endsOf(props)
  return (
    <ResponsiveContainer width="100%" height={props.height}>
      <ComposedChart
        data={props.points.map((point) => ({ ...point }))}
        margin={{ top: TOP, right: 40, bottom: 0, left: 0 }}
        accessibilityLayer
        {...(props.syncId !== undefined && { syncId: props.syncId })}
      >
        {props.objective !== null && (
          <ReferenceArea
            y1={0}
            y2={Math.min(props.objective, props.max)}
            fill="var(--good-soft)"
            fillOpacity={0.6}
            ifOverflow="hidden"
          />
        )}
        <CartesianGrid {...GRID} />
        <XAxis {...TIME_AXIS} domain={[props.from, props.to]} tickFormatter={props.formatTime} height={AXIS_HEIGHT} />
        <YAxis
          domain={[0, props.max]}
          tickFormatter={(value: number) => (value === 0 ? "0" : props.formatValue(value))}
          {...VALUE_AXIS}
          width={54}
          ticks={[0, props.max / 2, props.max]}
        />
        <Tooltip {...TOOLTIP} />
        {props.objective !== null && props.objective <= props.max && (
          <ReferenceLine y={props.objective} stroke="var(--good)" strokeDasharray="4 4" />
        )}
        {props.marks.map(({ at, label }) => (
          <ReferenceLine
            key={`${at} ${label}`}
            x={at}
            stroke="var(--ink-faint)"
            strokeDasharray="2 3"
            label={{ value: label, position: "top", fill: "var(--ink-soft)", fontSize: 11 }}
          />
        ))}
        {props.series.map(({ label, color, kind }, index) => (
          <Line
            key={label}
            name={label}
            dataKey={(point: LinesPoint) => point.values[index]}
            stroke={color}
            {...KINDS[kind]}
            dot={kind === "main" ? { r: 2.5, fill: color, strokeWidth: 0 } : false}
            activeDot={{ r: 4, stroke: "var(--surface)", strokeWidth: 2 }}
            isAnimationActive={false}
            connectNulls={false}
            label={nameAt(label, ends[index])}
          />
        ))}
      </ComposedChart>
    </ResponsiveContainer>
  )
}

/** Draws the name of a series at its end; for every other point nothing. */
function nameAt(name: string, end: End | undefined) {
  return ({ index, x, y }: LabelProps & { index?: number }) =>
    end === undefined || index !== end.index ? (
      <g key={index} />
    ) : (
      <text key={index} x={Number(x) + 6} y={Number(y) + end.offset + 4} fill="var(--ink-soft)" fontSize={11}>
        {name}
      </text>
    )
}

interface End {
  readonly index: number
  readonly offset: number
}

/** Where each series ends, and how far its name is moved so that none covers another. */
function endsOf({ series, points, max, height }: LinesProps): (End | undefined)[] {
  const ends = series.map((_, at) => {
    const index = points.findLastIndex((point) => point.values[at] != null)
    const value = points[index]?.values[at]
    if (value == null) return undefined
    return { at, index, y: (1 - value / max) * (height - AXIS_HEIGHT - TOP) }
  })
  const offsets = new Map<number, End>()
  let lowest = -Infinity
  for (const end of ends.filter((one) => one !== undefined).toSorted((a, b) => a.y - b.y)) {
    const y = Math.max(end.y, lowest + LABEL_GAP)
    lowest = y
    offsets.set(end.at, { index: end.index, offset: y - end.y })
  }
  return series.map((_, at) => offsets.get(at))
}
