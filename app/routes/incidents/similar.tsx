import { Link } from "@remix-run/react"
import { paths } from "../../lib/paths.ts"
import {
  CAUSE_LABELS,
  describeChange,
  describeIncident,
  describeShared,
  formatHour,
  type When,
} from "./incident-words.ts"
import type { IncidentData } from "./load.server.ts"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { StateBadge } from "./state-badge.tsx"

/** Past incidents of the same rung and cause, and what came before they were over. */
export function Similar({ data, when }: { data: IncidentData; when: When }) {
  const { incident, similar } = data
  if (incident.kind === "data_quality") return null
  return (
    <section aria-labelledby="similar" className="mt-10 max-w-3xl">
      <h2 id="similar" className="text-lg font-semibold">
        Similar before, and what fixed it
      </h2>
      {similar.length === 0 ? (
        <p className="mt-2 text-ink-soft">
          No earlier incident at {RUNG_LABELS[incident.rung].toLowerCase()} with this cause (
          {CAUSE_LABELS[incident.cause]}) is over, among those that you may see.
        </p>
      ) : (
        <ul className="mt-3 divide-y divide-line rounded-md border border-line bg-surface">
          {similar.map(({ past, shared }) => (
            <li key={past.id} className="px-4 py-3 text-sm">
              <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
                <StateBadge state={past.state} kind={past.kind} />
                <span className="text-xs text-ink-faint">{describeShared(shared)}</span>
              </div>
              <Link
                to={paths.incident(past.id)}
                prefetch="intent"
                className="mt-1.5 block rounded-sm font-medium wrap-anywhere hover:text-accent hover:underline"
              >
                {describeIncident(past, when)}
              </Link>
              <p className="mt-1 text-ink-soft wrap-anywhere">{describeFix(past, when)}</p>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

type Past = IncidentData["similar"][number]["past"]

function describeFix({ state, recoveredAfter }: Past, when: When): string {
  if (state === "new_normal") return "Nothing did: somebody took it for the new normal."
  if (recoveredAfter === null) return "It got better without a change that Belay was told of."
  return `Shortly before it got better: ${describeChange(recoveredAfter)}, ${formatHour(new Date(recoveredAfter.at), when)}.`
}
