import { clsx } from "clsx"
import { BellRing, Check, CheckCheck, CircleHelp, Ticket } from "lucide-react"

const STATES = {
  open: { label: "Open", icon: BellRing, tone: "bg-bad-soft text-bad" },
  acknowledged: { label: "Acknowledged", icon: Check, tone: "bg-warn-soft text-warn" },
  resolved: { label: "Resolved", icon: CheckCheck, tone: "bg-good-soft text-good" },
}

const BADGE = "inline-flex items-center gap-1 rounded-sm px-1.5 py-0.5 text-xs font-medium whitespace-nowrap"

/** How an alert stands; one whose subject sends nothing any more says so. */
export function AlertState({ state, hasData }: { state: keyof typeof STATES; hasData: boolean }) {
  const { label, icon: Icon, tone } = STATES[state]
  return (
    <span className="inline-flex flex-wrap gap-1">
      <span className={clsx(BADGE, tone)}>
        <Icon aria-hidden className="size-3" />
        {label}
      </span>
      {!hasData && state !== "resolved" && (
        <span className={clsx(BADGE, "hatched text-ink")} title="Too little came in to say whether it goes on">
          <CircleHelp aria-hidden className="size-3" />
          No data
        </span>
      )}
    </span>
  )
}

export function SeverityBadge({ severity }: { severity: "page" | "ticket" }) {
  const Icon = severity === "page" ? BellRing : Ticket
  return (
    <span className={clsx(BADGE, "border border-line-strong text-ink-soft")}>
      <Icon aria-hidden className="size-3" />
      {severity === "page" ? "Page" : "Ticket"}
    </span>
  )
}
