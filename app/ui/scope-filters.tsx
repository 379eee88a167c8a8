import { Link, useNavigate, useSearchParams } from "@remix-run/react"
import { clsx } from "clsx"
import type { ReactNode } from "react"
import { isoDay, type Range, RANGES } from "../lib/range.ts"

/** Of a choice in a bar of filters. */
export const FILTER_FIELD = "h-8 min-w-0 rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"

/** The address of this page with other choices; null takes one away. */
export function useWithParams(): (changes: Readonly<Record<string, string | null>>) => string {
  const [search] = useSearchParams()
  return (changes) => {
    const next = new URLSearchParams(search)
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) next.delete(name)
      else next.set(name, value)
    }
    return `?${next}`
  }
}

/** Choices of which one is current, as links. */
export function Segments(props: {
  label: string
  choices: readonly { readonly label: string; readonly to: string; readonly isCurrent: boolean }[]
}) {
  return (
    <div
      role="group"
      aria-label={props.label}
      className="flex flex-wrap rounded-md border border-line-strong bg-surface p-0.5"
    >
      {props.choices.map(({ label, to, isCurrent }) => (
        <Link
          key={label}
          to={to}
          preventScrollReset
          prefetch="intent"
          aria-current={isCurrent ? "true" : undefined}
          className={clsx(
            "rounded-sm px-2.5 py-1 text-sm transition-colors duration-150",
            isCurrent ? "bg-accent-soft font-medium text-accent" : "text-ink-soft hover:bg-sunken hover:text-ink",
          )}
        >
          {label}
        </Link>
      ))}
    </div>
  )
}

/** Whole weeks, by preset or by day. */
export function RangeFilter({ range, now, timeZone }: { range: Range; now: Date; timeZone: string }) {
  const navigate = useNavigate()
  const withParams = useWithParams()
  const firstDay = isoDay(range.from, timeZone)
  const lastDay = isoDay(new Date(range.to.getTime() - 1), timeZone)
  const today = isoDay(now, timeZone)
  const setDay = (input: HTMLInputElement, name: "from" | "to") => {
    const shown = { from: firstDay, to: lastDay }
    const chosen = { ...shown, [name]: input.value }
    // Days are widened to whole weeks: the field shows what the answer covers and not what was typed.
    input.value = shown[name]
    if (chosen[name] === "" || chosen[name] === shown[name]) return
    navigate(withParams({ range: null, ...chosen }), { preventScrollReset: true })
  }
  return (
    <>
      <Segments
        label="Time range"
        choices={RANGES.map(({ value, label }) => ({
          label,
          to: withParams({ range: value, from: null, to: null }),
          isCurrent: range.preset === value,
        }))}
      />
      <div
        role="group"
        aria-label="Days, widened to whole weeks"
        title="Whole weeks, Monday to Sunday"
        className="flex items-center gap-1.5 text-sm text-ink-soft"
      >
        <label className="sr-only" htmlFor="from">
          First day
        </label>
        <input
          id="from"
          type="date"
          className={FILTER_FIELD}
          max={lastDay}
          key={`from ${firstDay}`}
          defaultValue={firstDay}
          onBlur={(event) => setDay(event.target, "from")}
        />
        <span aria-hidden>–</span>
        <label className="sr-only" htmlFor="to">
          Last day
        </label>
        <input
          id="to"
          type="date"
          className={FILTER_FIELD}
          min={firstDay}
          max={today}
          key={`to ${lastDay}`}
          defaultValue={lastDay}
          onBlur={(event) => setDay(event.target, "to")}
        />
      </div>
    </>
  )
}

export interface Team {
  readonly id: string
  readonly name: string
  readonly parentId: string | null
}

/** A team, or the organization for who may read that. */
export function TeamFilter(props: { teams: readonly Team[]; teamId: string | null; canReadOrganization: boolean }) {
  return (
    <ParamFilter label="Team" name="team" value={props.teamId}>
      {props.canReadOrganization && <option value="">All teams</option>}
      <TeamOptions teams={props.teams} />
    </ParamFilter>
  )
}

/** A choice that is a parameter of the address; the empty one is none. */
export function ParamFilter(props: { label: string; name: string; value: string | null; children: ReactNode }) {
  const navigate = useNavigate()
  const withParams = useWithParams()
  return (
    <label className="flex items-center gap-2 text-sm text-ink-soft">
      {props.label}
      <select
        className={FILTER_FIELD}
        value={props.value ?? ""}
        onChange={(event) => {
          const value = event.target.value === "" ? null : event.target.value
          navigate(withParams({ [props.name]: value }), { preventScrollReset: true })
        }}
      >
        {props.children}
      </select>
    </label>
  )
}

/** A team with sub-teams is a group of options, of which the first is the whole. All but `without`; a sub-team is alone when its team is not among them. */
export function TeamOptions({ teams, without }: { teams: readonly Team[]; without?: string | null }) {
  return teams
    .filter(({ parentId }) => teams.every(({ id }) => id !== parentId))
    .map((team) => {
      const parts = teams.filter(({ parentId, id }) => parentId === team.id && id !== without)
      const whole = team.id !== without && (
        <option key={team.id} value={team.id}>
          {parts.length === 0 ? team.name : `All of ${team.name}`}
        </option>
      )
      return parts.length === 0 ? (
        whole
      ) : (
        <optgroup key={team.id} label={team.name}>
          {whole}
          {parts.map((part) => (
            <option key={part.id} value={part.id}>
              {part.name}
            </option>
          ))}
        </optgroup>
      )
    })
}
