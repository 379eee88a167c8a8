import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { mayDo } from "#server/team/roles.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { AgainstFilter, AgainstNote } from "../../ui/against.tsx"
import { RangeFilter, TeamFilter } from "../../ui/scope-filters.tsx"
import { EmptyOutcomes } from "./empty.tsx"
import { Funnels } from "./funnel.tsx"
import { loadOutcomes } from "./load.server.ts"
import { Review } from "./review.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Outcomes · Belay" }]

export const loader = guard("ladder.read", async ({ viewer, request, context }) => ({
  ...(await loadOutcomes(viewer, new URL(request.url).searchParams, context)),
  canConnect: mayDo(viewer.role, "settings.manage"),
}))

export default function OutcomesPage() {
  const outcomes = useLoaderData<typeof loader>()
  const hasChanges = outcomes.changes.some(({ state }) => state !== "no_data")
  const isEmpty = !hasChanges && outcomes.funnels.every(({ state }) => state === "no_data")
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Outcomes</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{outcomes.sentence}</p>
      </header>
      <div role="search" aria-label="Filters" className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2">
        <RangeFilter range={outcomes.range} now={outcomes.now} timeZone={outcomes.timeZone} />
        {outcomes.teams.length > 0 && (
          <TeamFilter
            teams={outcomes.teams}
            teamId={outcomes.teamId}
            canReadOrganization={outcomes.canReadOrganization}
          />
        )}
        <AgainstFilter {...outcomes} />
      </div>
      <AgainstNote
        against={outcomes.against}
        rest="Shares, medians and what falls on one change are compared, counts are not. The sentence above tells the period before."
      />
      {isEmpty ? (
        <EmptyOutcomes canConnect={outcomes.canConnect} />
      ) : (
        <>
          <Funnels outcomes={outcomes} />
          <Review outcomes={outcomes} />
        </>
      )}
      <p className="mt-8 max-w-3xl text-xs text-ink-faint">
        Single changes are not listed here: each is one person’s work, and the code host says whose.{" "}
        <Link to={paths.ownChanges()} className="text-accent underline underline-offset-2">
          Your own changes
        </Link>{" "}
        are yours to see. What each figure is:{" "}
        <Link to={paths.glossary()} className="text-accent underline underline-offset-2">
          glossary
        </Link>
      </p>
    </>
  )
}
