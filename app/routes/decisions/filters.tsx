import { Form, Link, useSearchParams, useSubmit } from "@remix-run/react"
import { clsx } from "clsx"
import { Download } from "lucide-react"
import type { ReactNode } from "react"
import { RUNGS } from "#sdk/ladder.ts"
import { EFFECTS } from "#sdk/policy/vocabulary.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { BECAUSES, PERIODS } from "./choices.ts"
import type { DecisionsData } from "./load.server.ts"
import { BECAUSE_WORDS, EFFECT_WORDS } from "./words.ts"

const FIELD = "h-8 min-w-0 rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"

/** One bar, whose state is the URL. */
export function Filters({ loaded }: { loaded: DecisionsData }) {
  const [search] = useSearchParams()
  const submit = useSubmit()
  const { filter, teams, teamId, tools, period } = loaded
  const toPeriod = (value: string) => {
    const next = new URLSearchParams(search)
    next.set("range", value)
    next.delete("page")
    return `?${next}`
  }
  return (
    <div role="search" aria-label="Filters" className="mt-5 space-y-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div
          role="group"
          aria-label="Time range"
          className="flex flex-wrap rounded-md border border-line-strong bg-surface p-0.5"
        >
          {PERIODS.map(({ value, label }) => (
            <Link
              key={value}
              to={toPeriod(value)}
              preventScrollReset
              prefetch="intent"
              aria-current={period === value ? "true" : undefined}
              className={clsx(
                "rounded-sm px-2.5 py-1 text-sm transition-colors duration-150",
                period === value
                  ? "bg-accent-soft font-medium text-accent"
                  : "text-ink-soft hover:bg-sunken hover:text-ink",
              )}
            >
              {label}
            </Link>
          ))}
        </div>
        <a href={paths.decisionsCsv(`?${search}`)} download className={buttonClass("quiet", "ml-auto")}>
          <Download aria-hidden className="size-3.5" />
          CSV
        </a>
      </div>
      <Form
        // What is not controlled shows what the URL says also after a way back.
        key={search.toString()}
        method="get"
        preventScrollReset
        onChange={(event) => {
          // A text is sent once it is written.
          if (event.target instanceof HTMLSelectElement) submit(event.currentTarget, { preventScrollReset: true })
        }}
        className="flex flex-wrap items-end gap-x-3 gap-y-2"
      >
        <input type="hidden" name="range" value={period} />
        {teams.length > 0 && (
          <Labelled label="Team">
            <select name="team" defaultValue={teamId ?? ""} className={FIELD}>
              {loaded.canReadOrganization && <option value="">All teams</option>}
              {teams.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </Labelled>
        )}
        <Labelled label="Decided">
          <select name="effect" defaultValue={filter.effect ?? ""} className={FIELD}>
            <option value="">Any</option>
            {EFFECTS.toReversed().map((effect) => (
              <option key={effect} value={effect}>
                {EFFECT_WORDS[effect]}
              </option>
            ))}
          </select>
        </Labelled>
        <Labelled label="Because">
          <select name="because" defaultValue={filter.because ?? ""} className={FIELD}>
            <option value="">Any</option>
            {BECAUSES.map((because) => (
              <option key={because} value={because}>
                {BECAUSE_WORDS[because]}
              </option>
            ))}
          </select>
        </Labelled>
        <Labelled label="Rung">
          <select name="rung" defaultValue={filter.rung ?? ""} className={FIELD}>
            <option value="">Any</option>
            {RUNGS.toReversed().map((rung) => (
              <option key={rung}>{rung}</option>
            ))}
          </select>
        </Labelled>
        <Labelled label="Agent tool">
          <select name="tool" defaultValue={filter.agentTool ?? ""} className={FIELD}>
            <option value="">Any</option>
            {tools.map((tool) => (
              <option key={tool}>{tool}</option>
            ))}
          </select>
        </Labelled>
        <Labelled label="Rule">
          <input name="rule" defaultValue={filter.rule ?? ""} spellCheck={false} className={clsx(FIELD, "w-32")} />
        </Labelled>
        <Labelled label="Action">
          <input name="action" defaultValue={filter.action ?? ""} spellCheck={false} className={clsx(FIELD, "w-32")} />
        </Labelled>
        <button type="submit" className={buttonClass("quiet")}>
          Filter
        </button>
        {loaded.isFiltered && (
          <Link to={`?range=${period}`} preventScrollReset className="py-1.5 text-sm text-ink-soft hover:text-ink">
            All decisions
          </Link>
        )}
      </Form>
    </div>
  )
}

function Labelled({ label, children }: { label: string; children: ReactNode }) {
  return (
    <label className="grid gap-0.5 text-xs text-ink-faint">
      {label}
      {children}
    </label>
  )
}
