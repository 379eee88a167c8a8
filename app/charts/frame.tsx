/** What every chart has in common. */

export const TICK = { fill: "var(--ink-faint)", fontSize: 11 }

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
