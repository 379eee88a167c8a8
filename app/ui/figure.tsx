import { clsx } from "clsx"
import { Lock } from "lucide-react"
import type { ReactNode } from "react"

/** A labelled figure: value with unit, then what it rests on. */
export function Figure(props: { label: string; value: ReactNode; detail?: ReactNode; note?: ReactNode }) {
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

/** Fewer people than the organization's floor stand behind it. */
export function Withheld({ label, minGroupSize }: { label: string; minGroupSize: number }) {
  return (
    <div>
      <p className="text-xs text-ink-faint">{label}</p>
      <p className="mt-1.5 flex items-center gap-1.5 text-sm text-ink-soft">
        <Lock aria-hidden className="size-3.5 shrink-0" />
        fewer than {minGroupSize} people
      </p>
    </div>
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
