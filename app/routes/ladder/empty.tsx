import { Link } from "@remix-run/react"
import { Plug } from "lucide-react"
import { RUNGS } from "#sdk/ladder.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Ropes } from "./ropes.tsx"
import { RUNG_DESCRIPTIONS, RUNG_LABELS } from "./rungs.ts"

/** What will be here, faintly, and the one step that fills it. */
export function EmptyLadder() {
  return (
    <div className="relative mt-5 overflow-hidden rounded-md border border-line bg-surface">
      <ol aria-hidden className="opacity-40">
        {RUNGS.toReversed().map((rung) => (
          <li key={rung} className="flex border-b border-line last:border-b-0">
            <Ropes color={null} />
            <div className="py-6">
              <p className="text-lg font-semibold">{RUNG_LABELS[rung]}</p>
              <p className="text-sm">{RUNG_DESCRIPTIONS[rung]}</p>
            </div>
          </li>
        ))}
      </ol>
      <div className="absolute inset-0 flex items-center justify-center p-4">
        <div className="max-w-md rounded-md border border-line-strong bg-surface p-6 text-center">
          <h2 className="text-lg font-semibold">No signals in this period</h2>
          <p className="mt-2 text-ink-soft">
            Point one agent tool at Belay and its next prompt shows up here. It takes a minute.
          </p>
          <Link to={paths.connect()} className={buttonClass("primary", "mt-4")}>
            <Plug aria-hidden className="size-4" />
            Connect an agent
          </Link>
        </div>
      </div>
    </div>
  )
}
