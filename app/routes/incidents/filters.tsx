import { Form, useSubmit } from "@remix-run/react"
import { RUNGS } from "#sdk/ladder.ts"
import { Filter } from "../../ui/filter.tsx"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { CAUSE_LABELS, KIND_LABELS, STATE_LABELS } from "./incident-words.ts"
import type { IncidentList } from "./load.server.ts"

/** One bar, whose state is the address. */
export function Filters({ list }: { list: IncidentList }) {
  const { choice, teams } = list
  const submit = useSubmit()
  return (
    <Form
      method="get"
      role="search"
      aria-label="Filters"
      className="mt-5 flex flex-wrap items-center gap-x-4 gap-y-2"
      onChange={(event) => submit(event.currentTarget, { preventScrollReset: true })}
      // Each address has its own choices, also after going back.
      key={JSON.stringify(choice)}
    >
      <Filter label="State" name="state" value={choice.state}>
        <option value="current">Open and recovering</option>
        {Object.entries(STATE_LABELS).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
        <option value="any">Any</option>
      </Filter>
      <Filter label="Rung" name="rung" value={choice.rung}>
        <option value="">All</option>
        {RUNGS.toReversed().map((rung) => (
          <option key={rung} value={rung}>
            {RUNG_LABELS[rung]}
          </option>
        ))}
      </Filter>
      {teams.length > 0 && (
        <Filter label="Team" name="team" value={choice.team}>
          <option value="">All</option>
          {teams.map((team) => (
            <option key={team.id} value={team.id}>
              {team.name}
            </option>
          ))}
        </Filter>
      )}
      <Filter label="Cause" name="cause" value={choice.cause}>
        <option value="">All</option>
        {Object.entries(CAUSE_LABELS).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </Filter>
      <Filter label="Kind" name="kind" value={choice.kind}>
        <option value="">All</option>
        {Object.entries(KIND_LABELS).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </Filter>
    </Form>
  )
}
