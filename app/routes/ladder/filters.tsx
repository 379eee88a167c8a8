import { useSearchParams } from "@remix-run/react"
import { Download } from "lucide-react"
import { plural } from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"
import { AgainstFilter } from "../../ui/against.tsx"
import { buttonClass } from "../../ui/button.ts"
import { RangeFilter, Segments, TeamFilter, useWithParams } from "../../ui/scope-filters.tsx"
import type { LadderData } from "./load.server.ts"

/** One bar, whose state is the URL. */
export function Filters({ ladder }: { ladder: LadderData }) {
  const [search] = useSearchParams()
  const withParams = useWithParams()
  return (
    <div role="search" aria-label="Filters" className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2">
      <RangeFilter range={ladder.range} now={ladder.now} timeZone={ladder.timeZone} />
      {ladder.teams.length > 0 && !ladder.isOwn && (
        <>
          <TeamFilter teams={ladder.teams} teamId={ladder.teamId} canReadOrganization={ladder.canReadOrganization} />
          <AgainstFilter {...ladder} />
        </>
      )}
      {ladder.hasOwn && (
        <Segments
          label="Whose work"
          choices={[
            { label: "Everyone", to: withParams({ who: null }), isCurrent: !ladder.isOwn },
            { label: "Only mine", to: withParams({ who: "me" }), isCurrent: ladder.isOwn },
          ]}
        />
      )}
      <a href={paths.ladderCsv(`?${search}`)} download className={buttonClass("quiet", "ml-auto")}>
        <Download aria-hidden className="size-3.5" />
        CSV
      </a>
      <span className="sr-only">{plural(ladder.range.weeks, "week")} shown</span>
    </div>
  )
}
