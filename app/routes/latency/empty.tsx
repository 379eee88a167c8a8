import { Link } from "@remix-run/react"
import { Plug } from "lucide-react"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"

/** What will be here, faintly, and the one step that fills it. */
export function EmptyLatency() {
  return (
    <div className="relative mt-5 overflow-hidden rounded-md border border-line bg-surface">
      <svg aria-hidden viewBox="0 0 600 180" preserveAspectRatio="none" className="h-56 w-full opacity-40">
        {[150, 110, 60].map((y) => (
          <path
            key={y}
            d={`M0 ${y} C 120 ${y - 20}, 180 ${y + 12}, 300 ${y} S 480 ${y - 24}, 600 ${y - 8}`}
            fill="none"
            stroke="var(--line-strong)"
            strokeWidth={2}
          />
        ))}
      </svg>
      <div className="absolute inset-0 flex items-center justify-center p-4">
        <div className="max-w-md rounded-md border border-line-strong bg-surface p-6 text-center">
          <h2 className="text-lg font-semibold">Nothing was timed in this period</h2>
          <p className="mt-2 text-ink-soft">
            Point one agent tool at Belay, and how long people wait for it shows up here. It takes a minute.
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
