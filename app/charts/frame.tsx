/** What every chart has in common. */

export const TICK = { fill: "var(--ink-faint)", fontSize: 11 }
export const GRID = { vertical: false, stroke: "var(--line)" } as const
/** Of points with their time in `at`. */
export const TIME_AXIS = {
  dataKey: "at",
  type: "number",
  scale: "time",
  tick: TICK,
  tickLine: false,
  axisLine: { stroke: "var(--line-strong)" },
  minTickGap: 40,
} as const
export const VALUE_AXIS = { tick: TICK, tickLine: false, axisLine: false } as const

/** The first line is its title. */
export function ChartTooltip(props: {
  active?: boolean
  payload?: readonly { payload?: { readonly tooltip: readonly string[] } }[]
}) {
  const point = props.payload?.[0]?.payload
  if (props.active !== true || point === undefined) return null
  const [title, ...lines] = point.tooltip
  return (
    <div className="rounded-md border border-line-strong bg-surface px-3 py-2 text-xs">
      <p className="font-medium">{title}</p>
      {lines.map((line) => (
        <p key={line} className="figures text-ink-soft">
          {line}
        </p>
      ))}
    </div>
  )
}

export const TOOLTIP = {
  content: <ChartTooltip />,
  cursor: { stroke: "var(--line-strong)" },
  isAnimationActive: false,
} as const
