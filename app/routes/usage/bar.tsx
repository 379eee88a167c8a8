import type { ReactNode } from "react"
import { formatChange } from "../../lib/format.ts"
import { withheldReason } from "../../ui/figure.tsx"
import type { UsageData } from "./load.server.ts"

/** Against the period before, where that may be shown and was something. */
export function sayChange(now: number | null, before: number | null): string {
  return now === null || before === null || before === 0 ? "" : formatChange(now / before - 1)
}

/** Of agent tools and models nothing is told of a team, so beside one they have no change at all. */
export const changeColumns = ({ against }: UsageData): readonly string[] => (against === null ? ["Change"] : [])

/** A length beside its figure. */
export function Bar(props: { label: ReactNode; share: number; color: string; figure: string; change: string }) {
  return (
    <li className="grid grid-cols-[8rem_1fr_6.5rem] items-center gap-3 text-sm sm:grid-cols-[13rem_1fr_8rem]">
      <span className="min-w-0 break-words">{props.label}</span>
      <svg role="presentation" width="100%" height="16" className="block">
        <rect width={`${props.share * 100}%`} height="16" rx="2" fill={props.color} />
      </svg>
      <span className="figures text-right whitespace-nowrap">
        {props.figure} <span className="inline-block w-13 text-xs text-ink-faint">{props.change}</span>
      </span>
    </li>
  )
}

export function MoreWithheld(props: { hidden: number; isAnyShown: boolean; usage: UsageData }) {
  if (props.hidden === 0 || !props.isAnyShown) return null
  return (
    <p className="mt-3 text-xs text-ink-faint">
      {props.hidden === 1 ? "One more is" : `${props.hidden} more are`} withheld: it{" "}
      {withheldReason(props.usage.minGroupSize)}.
    </p>
  )
}
