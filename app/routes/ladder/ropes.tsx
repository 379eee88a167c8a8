/** Two ropes that run through all bands, and this band's rung between them; dashed without a colour. */
export function Ropes({ color }: { color: string | null }) {
  return (
    <div aria-hidden className="relative mx-3 w-9 shrink-0 border-x-[3px] border-line-strong sm:mx-5 sm:w-12">
      <div
        className="absolute inset-x-[-3px] top-1/2 h-2 -translate-y-1/2 rounded-full"
        style={color === null ? { borderTop: "2px dashed var(--line-strong)", borderRadius: 0 } : { background: color }}
      />
    </div>
  )
}
