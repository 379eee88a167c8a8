import { clsx } from "clsx"
import { CircleAlert, CircleCheck, Database, type LucideIcon, Pin, TrendingUp } from "lucide-react"
import type { IncidentKind, IncidentState } from "#server/detect/contract.ts"
import { STATE_LABELS } from "./incident-words.ts"

const LOOKS: Record<IncidentState, { icon: LucideIcon; colors: string }> = {
  open: { icon: CircleAlert, colors: "bg-bad-soft text-bad" },
  recovering: { icon: TrendingUp, colors: "bg-warn-soft text-warn" },
  recovered: { icon: CircleCheck, colors: "bg-good-soft text-good" },
  new_normal: { icon: Pin, colors: "bg-sunken text-ink-soft" },
}

/** The state of an incident; what is wrong with the data has none. */
export function StateBadge({ state, kind }: { state: IncidentState; kind: IncidentKind }) {
  const isNote = kind === "data_quality"
  const { icon, colors } = LOOKS[state]
  const Icon = isNote ? Database : icon
  return (
    <span
      className={clsx(
        "inline-flex items-center gap-1.5 rounded-sm px-2 py-0.5 text-xs font-medium whitespace-nowrap",
        isNote ? "bg-sunken text-ink-soft" : colors,
      )}
    >
      <Icon aria-hidden className="size-3.5 shrink-0" />
      {isNote ? "Data quality" : STATE_LABELS[state]}
    </span>
  )
}
