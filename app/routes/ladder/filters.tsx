import { Link, useNavigate, useSearchParams } from "@remix-run/react"
import { clsx } from "clsx"
import { Download } from "lucide-react"
import { plural } from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"
import { isoDay, RANGES } from "../../lib/range.ts"
import { buttonClass } from "../../ui/button.ts"
import type { LadderData } from "./load.server.ts"

const FIELD = "h-8 rounded-md border border-line-strong bg-surface px-2 text-sm"

/** One bar, whose state is the URL. */
export function Filters({ ladder }: { ladder: LadderData }) {
  const [search] = useSearchParams()
  const navigate = useNavigate()
  const withParams = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(search)
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) next.delete(name)
      else next.set(name, value)
    }
    return `?${next}`
  }
  const firstDay = isoDay(ladder.range.from, ladder.timeZone)
  const lastDay = isoDay(new Date(ladder.range.to.getTime() - 1), ladder.timeZone)
  const today = isoDay(ladder.now, ladder.timeZone)
  const setDay = (input: HTMLInputElement, name: "from" | "to") => {
    const shown = { from: firstDay, to: lastDay }
    const chosen = { ...shown, [name]: input.value }
    // Days are widened to whole weeks: the field shows what the answer covers and not what was typed.
    input.value = shown[name]
    if (chosen[name] === "" || chosen[name] === shown[name]) return
    navigate(withParams({ range: null, ...chosen }), { preventScrollReset: true })
  }
  return (
    <div role="search" aria-label="Filters" className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2">
      <div role="group" aria-label="Time range" className="flex rounded-md border border-line-strong bg-surface p-0.5">
        {RANGES.map((range) => {
          const isCurrent = ladder.range.preset === range.value
          return (
            <Link
              key={range.value}
              to={withParams({ range: range.value, from: null, to: null })}
              preventScrollReset
              prefetch="intent"
              aria-current={isCurrent ? "true" : undefined}
              className={clsx(
                "rounded-sm px-2.5 py-1 text-sm transition-colors duration-150",
                isCurrent ? "bg-accent-soft font-medium text-accent" : "text-ink-soft hover:bg-sunken hover:text-ink",
              )}
            >
              {range.label}
            </Link>
          )
        })}
      </div>
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
          className={FIELD}
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
          className={FIELD}
          min={firstDay}
          max={today}
          key={`to ${lastDay}`}
          defaultValue={lastDay}
          onBlur={(event) => setDay(event.target, "to")}
        />
      </div>
      {ladder.teams.length > 0 && !ladder.isOwn && (
        <label className="flex items-center gap-2 text-sm text-ink-soft">
          Team
          <select
            className={clsx(FIELD, "text-ink")}
            value={ladder.teamId ?? ""}
            onChange={(event) => {
              const team = event.target.value === "" ? null : event.target.value
              navigate(withParams({ team }), { preventScrollReset: true })
            }}
          >
            {ladder.canReadOrganization && <option value="">All teams</option>}
            {ladder.teams
              .filter((team) => team.parentId === null)
              .map((team) => (
                <TeamOption
                  key={team.id}
                  team={team}
                  parts={ladder.teams.filter(({ parentId }) => parentId === team.id)}
                />
              ))}
          </select>
        </label>
      )}
      {ladder.hasOwn && (
        <div
          role="group"
          aria-label="Whose work"
          className="flex rounded-md border border-line-strong bg-surface p-0.5"
        >
          {[
            { who: null, label: "Everyone" },
            { who: "me", label: "Only mine" },
          ].map(({ who, label }) => (
            <Link
              key={label}
              to={withParams({ who })}
              preventScrollReset
              aria-current={ladder.isOwn === (who === "me") ? "true" : undefined}
              className={clsx(
                "rounded-sm px-2.5 py-1 text-sm transition-colors duration-150",
                ladder.isOwn === (who === "me")
                  ? "bg-accent-soft font-medium text-accent"
                  : "text-ink-soft hover:bg-sunken hover:text-ink",
              )}
            >
              {label}
            </Link>
          ))}
        </div>
      )}
      <a href={paths.ladderCsv(`?${search}`)} download className={buttonClass("quiet", "ml-auto")}>
        <Download aria-hidden className="size-3.5" />
        CSV
      </a>
      <span className="sr-only">{plural(ladder.range.weeks, "week")} shown</span>
    </div>
  )
}

type Team = LadderData["teams"][number]

/** A team with sub-teams is a group of options, of which the first is the whole. */
function TeamOption({ team, parts }: { team: Team; parts: readonly Team[] }) {
  if (parts.length === 0) return <option value={team.id}>{team.name}</option>
  return (
    <optgroup label={team.name}>
      <option value={team.id}>All of {team.name}</option>
      {parts.map((part) => (
        <option key={part.id} value={part.id}>
          {part.name}
        </option>
      ))}
    </optgroup>
  )
}
