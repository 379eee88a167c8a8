import {
  CartesianGrid,
  ComposedChart,
  ErrorBar,
  Line,
  ReferenceArea,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts"
import { ChartTooltip, TICK } from "./frame.tsx"

export interface DosePoint {
  readonly label: string
  readonly value: number
  /** How far the interval reaches below and above the value. */
  readonly reach: readonly [number, number]
  readonly tooltip: readonly string[]
}

/** Shares by dose with their intervals; what is past the threshold is shaded. */
export default function Dose(props: {
  readonly points: readonly DosePoint[]
  /** Label of the first point past the threshold. */
  readonly threshold: string | null
  readonly color: string
  readonly formatValue: (value: number) => string
  readonly max: number
  readonly height: number
}) {
  const last = props.points.at(-1)?.label
  return (
    <ResponsiveContainer width="100%" height={props.height}>
      <ComposedChart data={[...props.points]} margin={{ top: 18, right: 16, bottom: 0, left: 0 }} accessibilityLayer>
        <CartesianGrid vertical={false} stroke="var(--line)" />
        <XAxis
          dataKey="label"
          tick={TICK}
          tickLine={false}
          axisLine={{ stroke: "var(--line-strong)" }}
          padding={{ left: 24, right: 24 }}
          interval="preserveStartEnd"
        />
        <YAxis
          domain={[0, props.max]}
          tickFormatter={props.formatValue}
          tick={TICK}
          tickLine={false}
          axisLine={false}
          width={54}
          ticks={[0, props.max / 2, props.max]}
        />
        {props.threshold !== null && last !== undefined && (
          <ReferenceArea
            x1={props.threshold}
            x2={last}
            fill="var(--bad-soft)"
            fillOpacity={0.7}
            label={{ value: "past the threshold", position: "insideTop", fill: "var(--bad)", fontSize: 11 }}
          />
        )}
        <Tooltip content={<ChartTooltip />} cursor={{ stroke: "var(--line-strong)" }} isAnimationActive={false} />
        <Line
          dataKey="value"
          stroke={props.color}
          strokeWidth={1.5}
          dot={{ r: 4, fill: props.color, strokeWidth: 0 }}
          activeDot={{ r: 5, stroke: "var(--surface)", strokeWidth: 2 }}
          isAnimationActive={false}
        >
          <ErrorBar dataKey="reach" stroke={props.color} strokeWidth={1.5} width={8} isAnimationActive={false} />
        </Line>
      </ComposedChart>
    </ResponsiveContainer>
  )
}
