import {
  Area,
  CartesianGrid,
  ComposedChart,
  ReferenceArea,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts"
import { GRID, TIME_AXIS, TOOLTIP, VALUE_AXIS } from "./frame.tsx"

export interface SlowSharePoint {
  /** Unix milliseconds of the hour's start. */
  readonly at: number
  /** 0..1; null is a gap: nothing was timed. */
  readonly value: number | null
  readonly tooltip: readonly string[]
}

/** A band has its name in it from this share of the width on: names of narrow ones would cover each other. */
const NAMED_FROM = 0.06

/** The share of slow requests by the hour, what is allowed dashed, and when an alert would have been open as bands. */
export default function SlowShare(props: {
  readonly points: readonly SlowSharePoint[]
  readonly from: number
  readonly to: number
  readonly allowed: { readonly value: number; readonly label: string }
  readonly firings: readonly { readonly from: number; readonly to: number; readonly isPage: boolean }[]
  readonly formatValue: (value: number) => string
  readonly formatTime: (at: number) => string
  readonly height: number
}) {
  return (
    <ResponsiveContainer width="100%" height={props.height}>
      <ComposedChart data={[...props.points]} margin={{ top: 8, right: 12, bottom: 0, left: 0 }} accessibilityLayer>
        <CartesianGrid {...GRID} />
        {props.firings.map(({ from, to, isPage }) => (
          <ReferenceArea
            key={from}
            x1={from}
            x2={to}
            fill={isPage ? "var(--bad)" : "var(--warn)"}
            fillOpacity={0.22}
            stroke={isPage ? "var(--bad)" : "var(--warn)"}
            {...(!isPage && { strokeDasharray: "3 3" })}
            ifOverflow="hidden"
            {...(to - from >= NAMED_FROM * (props.to - props.from) && {
              label: {
                value: isPage ? "page" : "ticket",
                position: "insideTop",
                fill: "var(--ink-soft)",
                fontSize: 11,
              },
            })}
          />
        ))}
        <XAxis {...TIME_AXIS} domain={[props.from, props.to]} tickFormatter={props.formatTime} />
        <YAxis domain={[0, 1]} tickFormatter={props.formatValue} {...VALUE_AXIS} width={54} tickCount={5} />
        <Tooltip {...TOOLTIP} />
        <ReferenceLine
          y={props.allowed.value}
          stroke="var(--ink-soft)"
          strokeDasharray="4 4"
          label={{ value: props.allowed.label, position: "insideBottomLeft", fill: "var(--ink-soft)", fontSize: 11 }}
        />
        <Area
          dataKey="value"
          type="step"
          stroke="var(--rung-3)"
          fill="var(--rung-3)"
          fillOpacity={0.16}
          isAnimationActive={false}
          connectNulls={false}
        />
      </ComposedChart>
    </ResponsiveContainer>
  )
}
