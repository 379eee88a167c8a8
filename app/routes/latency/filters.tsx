import { RUNGS } from "#sdk/ladder.ts"
import { AgainstFilter } from "../../ui/against.tsx"
import { ParamFilter, RangeFilter, TeamFilter } from "../../ui/scope-filters.tsx"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import type { LatencyData } from "./load.server.ts"

/** One bar, whose state is the URL. */
export function Filters({ latency }: { latency: LatencyData }) {
  const { range, now, timeZone, teams, teamId, canReadOrganization, tools, models } = latency
  return (
    <div role="search" aria-label="Filters" className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2">
      <RangeFilter range={range} now={now} timeZone={timeZone} />
      {teams.length > 0 && <TeamFilter teams={teams} teamId={teamId} canReadOrganization={canReadOrganization} />}
      <AgainstFilter {...latency} />
      <ParamFilter label="Rung" name="rung" value={latency.rung}>
        {RUNGS.toReversed().map((rung) => (
          <option key={rung} value={rung}>
            {RUNG_LABELS[rung]}
          </option>
        ))}
      </ParamFilter>
      {tools !== null && (
        <ParamFilter label="Tool" name="tool" value={latency.tool}>
          <option value="">All tools</option>
          {namesOf(tools).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </ParamFilter>
      )}
      {models !== null && (
        <ParamFilter label="Model" name="model" value={latency.model}>
          <option value="">All models</option>
          {namesOf(models).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </ParamFilter>
      )}
    </div>
  )
}

function namesOf(splits: NonNullable<LatencyData["tools"]>): string[] {
  return splits.flatMap(({ name, state }) => (name === null || state !== "shown" ? [] : [name]))
}
