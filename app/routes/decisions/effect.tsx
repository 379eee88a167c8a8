import { Ban, CircleCheck, CircleDashed, CircleQuestionMark } from "lucide-react"
import type { PolicyEffect } from "#server/db/types.ts"
import { EFFECT_WORDS } from "./words.ts"

const MARKS = {
  allow: { Icon: CircleCheck, tone: "text-good" },
  ask: { Icon: CircleQuestionMark, tone: "text-warn" },
  deny: { Icon: Ban, tone: "text-bad" },
  unknown: { Icon: CircleDashed, tone: "text-ink-soft" },
} as const

/** An effect in its colour, with its mark and word. */
export function EffectBadge({ effect }: { effect: PolicyEffect | null }) {
  const { Icon, tone } = MARKS[effect ?? "unknown"]
  return (
    <span className={`inline-flex items-center gap-1.5 font-medium ${tone}`}>
      <Icon aria-hidden className="size-3.5 shrink-0" />
      {EFFECT_WORDS[effect ?? "unknown"]}
    </span>
  )
}
