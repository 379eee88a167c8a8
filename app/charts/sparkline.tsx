/** A small picture of a series; drawn on the server. Null is a gap, never zero. The figures stand beside it. */
export function SparkBars({
  values,
  color,
  label,
}: {
  values: readonly (number | null)[]
  color: string
  label: string
}) {
  const max = Math.max(1, ...values.map((value) => value ?? 0))
  const step = WIDTH / Math.max(1, values.length)
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
      className="h-6 w-full"
    >
      {values.map((value, index) =>
        value === null ? null : (
          <rect
            key={index}
            x={index * step + step * 0.12}
            width={step * 0.76}
            y={HEIGHT - Math.max(1, (value / max) * HEIGHT)}
            height={Math.max(1, (value / max) * HEIGHT)}
            fill={color}
          />
        ),
      )}
    </svg>
  )
}

const WIDTH = 160
const HEIGHT = 24
