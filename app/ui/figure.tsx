import { clsx } from "clsx"
import { Lock } from "lucide-react"
import type { ReactNode } from "react"

/** A labelled figure: value with unit, then what it rests on. */
export function Figure(props: { label: ReactNode; value: ReactNode; detail?: ReactNode; note?: ReactNode }) {
  return (
    <div className="min-w-0">
      <p className="text-xs text-ink-faint">{props.label}</p>
      <div className="figures mt-0.5 flex flex-wrap items-baseline gap-x-1.5 text-xl font-semibold tracking-tight">
        {props.value}
        {props.detail && <span className="text-sm font-normal tracking-normal text-ink-soft">{props.detail}</span>}
      </div>
      {props.note && <div className="figures mt-0.5 text-xs text-ink-faint">{props.note}</div>}
    </div>
  )
}

/** Why a figure is withheld, in words that hold for every withheld figure. */
export function withheldReason(minGroupSize: number): string {
  return `rests on fewer than ${minGroupSize} people, or would reveal such a group`
}

export function Withheld({ label, minGroupSize }: { label: string; minGroupSize: number }) {
  return (
    <div>
      <p className="text-xs text-ink-faint">{label}</p>
      <p className="mt-1.5 text-sm text-ink-soft">
        <WithheldMark minGroupSize={minGroupSize} />
      </p>
    </div>
  )
}

/** The state itself, where its label stands elsewhere. */
export function WithheldMark({ minGroupSize }: { minGroupSize: number }) {
  return (
    <span className="inline-flex items-center gap-1.5" title={withheldReason(minGroupSize)}>
      <Lock aria-hidden className="size-3.5 shrink-0" />
      withheld<span className="sr-only">: {withheldReason(minGroupSize)}</span>
    </span>
  )
}

/** How many weeks a figure sums, when some of those with activity are withheld. Draws nothing when none is. */
export function WeeksShown(props: { weeks: { shown: number; total: number }; minGroupSize: number }) {
  const { shown, total } = props.weeks
  if (shown === 0 || shown === total) return null
  const rest = `the rest is withheld: it ${withheldReason(props.minGroupSize)}`
  return (
    <span className="inline-flex items-center gap-1 whitespace-nowrap" title={rest}>
      <Lock aria-hidden className="size-3 shrink-0" />
      {shown} of {total} weeks<span className="sr-only">; {rest}</span>
    </span>
  )
}

/** Nothing was measured; never shown as zero. */
export function NoData({ label, children }: { label: string; children?: ReactNode }) {
  return (
    <div className="min-w-0">
      <p className="text-xs text-ink-faint">{label}</p>
      <p className={clsx("mt-1.5 text-sm text-ink-soft")}>
        <span
          className="hatched mr-1.5 inline-block size-3 rounded-sm border border-line-strong align-[-1px]"
          aria-hidden
        />
        {children ?? "no data"}
      </p>
    </div>
  )
}
