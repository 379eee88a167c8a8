import { type KeyboardEvent, useEffect, useRef, useState } from "react"
import { useInBrowser } from "../lib/use-in-browser.ts"

export interface HeatColumn {
  readonly label: string
  /** Shares 0..1 by row, lowest first; null of the whole column is withheld or no data. */
  readonly shares: readonly number[] | null
  /** What each cell says in words; of a column without shares the first says why. */
  readonly tells: readonly string[]
}

const GUTTER = 64
const FOOT = 24
const TOP = 14
const STEPS = [0.08, 0.22, 0.42, 0.66, 1] as const

/** Shares of each column as a grid of shades, with a dashed line at a height. Arrow keys go through the cells. */
export default function Heat(props: {
  readonly label: string
  readonly columns: readonly HeatColumn[]
  /** Of each row, lowest first: what is written at its lower edge. */
  readonly rows: readonly string[]
  /** In rows from the bottom, as 2.5 is the middle of the third. */
  readonly line: { readonly at: number; readonly label: string } | null
  readonly color: string
  readonly rowHeight: number
}) {
  const isInBrowser = useInBrowser()
  const frame = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [chosen, setChosen] = useState<{ column: number; row: number } | null>(null)
  useEffect(() => {
    if (frame.current === null) return undefined
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0))
    observer.observe(frame.current)
    return () => observer.disconnect()
  }, [])
  const { columns, rows, line, rowHeight } = props
  const height = TOP + rows.length * rowHeight + FOOT
  const cellWidth = Math.max(0, (width - GUTTER) / Math.max(1, columns.length))
  const yOf = (row: number) => TOP + (rows.length - row) * rowHeight
  const max = Math.max(...columns.flatMap(({ shares }) => shares ?? []), 0.01)
  const opacityOf = (share: number) => STEPS[Math.min(STEPS.length - 1, Math.floor((share / max) * STEPS.length))] ?? 1
  const move = (event: KeyboardEvent) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const from = chosen ?? { column: columns.length, row: 0 }
    setChosen({
      column: Math.max(0, Math.min(columns.length - 1, from.column + (step[0] ?? 0))),
      row: Math.max(0, Math.min(rows.length - 1, from.row + (step[1] ?? 0))),
    })
  }
  const column = chosen === null ? undefined : columns[chosen.column]
  const told =
    column === undefined || chosen === null ? null : (column.tells[column.shares === null ? 0 : chosen.row] ?? null)
  /** Labels of columns that have room. */
  const every = Math.max(1, Math.ceil(56 / Math.max(1, cellWidth)))
  return (
    <div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- its cells are gone through by keyboard */}
      <div
        ref={frame}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- as above
        tabIndex={0}
        role="application"
        aria-label={`${props.label}; arrow keys go through it`}
        onKeyDown={move}
        onPointerLeave={({ movementX, movementY }) => {
          if (movementX !== 0 || movementY !== 0) setChosen(null)
        }}
        style={{ height }}
      >
        {isInBrowser && width > 0 && (
          <svg role="presentation" width={width} height={height} className="block">
            {columns.map(({ label, shares }, x) => (
              <g key={label}>
                {rows.map((row, y) => {
                  const share = shares?.[y] ?? 0
                  const isChosen = chosen?.column === x && chosen.row === y
                  return (
                    <rect
                      key={row}
                      x={GUTTER + x * cellWidth + 0.5}
                      y={yOf(y + 1) + 0.5}
                      width={Math.max(0, cellWidth - 1)}
                      height={rowHeight - 1}
                      fill={shares === null || share === 0 ? "var(--sunken)" : props.color}
                      fillOpacity={shares === null || share === 0 ? 1 : opacityOf(share)}
                      stroke={isChosen ? "var(--accent)" : "none"}
                      strokeWidth={2}
                      onPointerMove={({ movementX, movementY }) => {
                        // A page that scrolls under the pointer moves nothing.
                        if (movementX !== 0 || movementY !== 0) setChosen({ column: x, row: y })
                      }}
                    />
                  )
                })}
                {shares === null && cellWidth > 20 && (
                  <text
                    x={GUTTER + (x + 0.5) * cellWidth}
                    y={yOf(rows.length / 2) + 4}
                    textAnchor="middle"
                    fontSize={11}
                    fill="var(--ink-faint)"
                  >
                    –
                  </text>
                )}
                {x % every === 0 && (
                  <text
                    x={GUTTER + (x + 0.5) * cellWidth}
                    y={height - 8}
                    textAnchor="middle"
                    fontSize={11}
                    fill="var(--ink-faint)"
                  >
                    {label}
                  </text>
                )}
              </g>
            ))}
            {rows.map((row, y) => (
              <text key={row} x={GUTTER - 8} y={yOf(y) + 3} textAnchor="end" fontSize={11} fill="var(--ink-faint)">
                {y % 2 === 0 ? row : ""}
              </text>
            ))}
            {line !== null && (
              <g>
                <line
                  x1={GUTTER}
                  x2={width}
                  y1={yOf(line.at)}
                  y2={yOf(line.at)}
                  stroke="var(--good)"
                  strokeWidth={1.5}
                  strokeDasharray="4 4"
                />
                <text x={width - 4} y={yOf(line.at) - 4} textAnchor="end" fontSize={11} fill="var(--good)">
                  {line.label}
                </text>
              </g>
            )}
          </svg>
        )}
      </div>
      <p aria-live="polite" className="figures min-h-5 text-xs text-ink-soft">
        {told}
      </p>
    </div>
  )
}
