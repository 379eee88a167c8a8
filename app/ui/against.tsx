import { type Against, ALL_TEAMS } from "../lib/against.ts"
import { ParamFilter, type Team, TeamOptions } from "./scope-filters.tsx"
import { Term } from "./term.tsx"

/** The period before, or another team. Draws nothing where there is no other to read. */
export function AgainstFilter(props: {
  teams: readonly Team[]
  teamId: string | null
  canReadOrganization: boolean
  against: Against | null
}) {
  const { teams, teamId, against } = props
  const hasAll = props.canReadOrganization && teamId !== null
  if (!hasAll && teams.every(({ id }) => id === teamId)) return null
  return (
    <ParamFilter label="Compared with" name="against" value={against && (against.teamId ?? ALL_TEAMS)}>
      <option value="">The period before</option>
      {hasAll && <option value={ALL_TEAMS}>All teams</option>}
      <TeamOptions teams={teams} without={teamId} />
    </ParamFilter>
  )
}

/** What is compared with another team, and what is not. Draws nothing beside the period before. */
export function AgainstNote({ against, rest }: { against: Against | null; rest: string }) {
  if (against === null) return null
  return (
    <p className="relative mt-3 max-w-3xl text-xs text-ink-faint">
      <Term term="compared_with">Compared with</Term> {against.name} in the same weeks, as its own page shows it. {rest}
    </p>
  )
}
