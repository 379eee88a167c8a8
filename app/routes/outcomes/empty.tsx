import { Link } from "@remix-run/react"
import { GitMerge } from "lucide-react"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"

/** What will be here, faintly, and what fills it. */
export function EmptyOutcomes({ canConnect }: { canConnect: boolean }) {
  return (
    <div className="relative mt-5 overflow-hidden rounded-md border border-line bg-surface">
      <svg aria-hidden viewBox="0 0 600 180" preserveAspectRatio="none" className="h-72 w-full opacity-40">
        {[560, 520, 430, 390, 330, 300].map((width, index) => (
          <rect key={width} x={20} y={14 + index * 27} width={width} height={15} rx={3} fill="var(--line-strong)" />
        ))}
      </svg>
      <div className="absolute inset-0 flex items-center justify-center p-4">
        <div className="max-w-md rounded-md border border-line-strong bg-surface p-6 text-center">
          <h2 className="text-lg font-semibold">Nothing is known to have become of any task</h2>
          <p className="mt-2 text-ink-soft">
            The code host says what is reviewed, merged and taken back, and a Belay-Operation trailer in a commit says
            which task made it. Point the host’s webhooks at Belay to see it here.
          </p>
          {canConnect && (
            <Link to={paths.webhooks()} className={buttonClass("primary", "mt-4")}>
              <GitMerge aria-hidden className="size-4" />
              Set up webhooks
            </Link>
          )}
        </div>
      </div>
    </div>
  )
}
