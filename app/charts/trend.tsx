import {
  Area,
  CartesianGrid,
  ComposedChart,
  Line,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts"
import { GRID, TIME_AXIS, TOOLTIP, VALUE_AXIS } from "./frame.tsx"

export interface TrendPoint {
  /** Unix milliseconds of the bucket's start. */
  readonly at: number
  /** Null is a gap: nothing there, or withheld. */
  readonly value: number | null
  readonly interval: readonly [number, number] | null
  readonly tooltip: readonly string[]
}

export interface TrendProps {
  readonly points: readonly TrendPoint[]
  readonly from: number
  readonly to: number
  readonly max: number
  readonly objective: { readonly value: number; readonly label: string } | null
  readonly color: string
  readonly formatValue: (value: number) => string
  readonly formatTime: (at: number) => string
  readonly height: number
}

/** One line over time with its interval as a band and its objective dashed; gaps stay gaps. */
export default function Trend(props: TrendProps) {
  return (
    <ResponsiveContainer width="100%" height={props.height}>
      <ComposedChart data={[...props.points]} margin={{ top: 8, right: 12, bottom: 0, left: 0 }} accessibilityLayer>
        <CartesianGrid {...GRID} />
        <XAxis {...TIME_AXIS} domain={[props.from, props.to]} tickFormatter={props.formatTime} />
        <YAxis
          domain={[0, props.max]}
          tickFormatter={props.formatValue}
          {...VALUE_AXIS}
          width={54}
          ticks={[0, props.max / 2, props.max]}
        />
        <Tooltip {...TOOLTIP} />
        <Area
          dataKey="interval"
          stroke="none"
          fill={props.color}
          fillOpacity={0.16}
          isAnimationActive={false}
          connectNulls={false}
        />
        {props.objective && (
          <ReferenceLine
            y={props.objective.value}
            stroke="var(--ink-soft)"
            strokeDasharray="4 4"
            label={{ value: props.objective.label, position: "insideTopLeft", fill: "var(--ink-soft)", fontSize: 11 }}
          />
        )}
        <Line
          dataKey="value"
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
