import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { clsx } from "clsx"
import { lazy, Suspense } from "react"
import { formatCount, formatDay, formatShare, formatUsd, formatUse, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { niceMax } from "../../lib/nice-max.ts"
import { paths } from "../../lib/paths.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { AgainstFilter, AgainstNote } from "../../ui/against.tsx"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { withheldReason } from "../../ui/figure.tsx"
import { RangeFilter, TeamFilter, useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { Term } from "../../ui/term.tsx"
import { ActiveDays } from "./active-days.tsx"
import { compareActiveShares } from "./active-share.ts"
import { UsageBasis } from "./basis.tsx"
import { ChangeCosts, EasyWorkCard } from "./change-costs.tsx"
import { Bar, changeColumns, MoreWithheld, sayChange } from "./bar.tsx"
import { loadUsage, type UsageData } from "./load.server.ts"
import { WorkCard } from "./work.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

const Lines = lazy(() => import("../../charts/lines.tsx"))
const HEIGHT = 220

export const meta: MetaFunction = () => [{ title: "Use and cost · Belay" }]

export const loader = guard("ladder.read", async ({ viewer, request, context }) =>
  loadUsage(viewer, new URL(request.url).searchParams, context),
)

export default function UsagePage() {
  const usage = useLoaderData<typeof loader>()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Use and cost</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{usage.sentence}</p>
      </header>
      <div role="search" aria-label="Filters" className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2">
        <RangeFilter range={usage.range} now={usage.now} timeZone={usage.timeZone} />
        {usage.teams.length > 0 && (
          <TeamFilter teams={usage.teams} teamId={usage.teamId} canReadOrganization={usage.canReadOrganization} />
        )}
        <AgainstFilter {...usage} />
      </div>
      <AgainstNote
        against={usage.against}
        rest={`The share of seats in use and what a surviving change costs are compared; people, operations and spend are not, as they grow with a team.${usage.spendByTeam === null ? "" : " Spend by team tells the period before."}`}
      />
      <section aria-labelledby="use" className="mt-8">
        <h2 id="use" className="text-lg font-semibold">
          Use
        </h2>
        <div className="mt-3 grid gap-4 xl:grid-cols-2">
          <ActivePeople usage={usage} />
          {usage.days !== null && <ActiveDays usage={usage} days={usage.days} />}
          <WorkCard usage={usage} />
        </div>
      </section>
      {usage.budgets !== null && (
        <section aria-labelledby="cost" className="mt-10">
          <h2 id="cost" className="text-lg font-semibold">
            Cost
          </h2>
          <div className="mt-3 grid gap-4 xl:grid-cols-2">
            {usage.models !== null && <Models usage={usage} models={usage.models} />}
            {usage.spendByTeam !== null && <TeamSpends usage={usage} rows={usage.spendByTeam} />}
            {usage.costs !== null && <ChangeCosts usage={usage} costs={usage.costs} />}
            <div className="min-w-0 space-y-4">
              {usage.easyWork !== null && <EasyWorkCard usage={usage} easyWork={usage.easyWork} />}
              <Budgets usage={usage} budgets={usage.budgets} />
            </div>
          </div>
        </section>
      )}
      <p className="mt-8 text-xs text-ink-faint">
        {usage.against === null && "Changes are against the period before, of as many weeks. "}
        What each figure is:{" "}
        <Link to={paths.glossary()} className="text-accent underline underline-offset-2">
          glossary
        </Link>
      </p>
    </>
  )
}

function ActivePeople({ usage }: { usage: UsageData }) {
  const isInBrowser = useInBrowser()
  const withParams = useWithParams()
  const { weeks, timeZone, minGroupSize, range } = usage
  const seatsOf = ({ active, unused }: (typeof weeks)[number]) =>
    active === null || unused === null ? null : active + unused
  const highest = Math.max(0, ...weeks.flatMap((week) => seatsOf(week) ?? week.active ?? []))
  const hasShown = weeks.some(({ active }) => active !== null)
  return (
    <ChartCard
      term="active_people"
      of={usage.teamName ?? "all teams"}
      says={sayPeople(usage)}
      basis={<UsageBasis usage={usage} />}
      csv={paths.usageCsv(withParams({ chart: "people" }))}
      table={
        <Table
          caption="Active people by week"
          titles={["Week of", "Active", "Unused seats", "Active share"]}
          figures={["Active", "Unused seats", "Active share"]}
        >
          {weeks.map((week) => {
            const seats = seatsOf(week)
            return (
              <tr key={week.week.getTime()} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {formatDay(week.week, timeZone)}
                </th>
                <td className={FIGURE_CELL}>{week.active ?? "withheld"}</td>
                <td className={FIGURE_CELL}>{week.unused ?? "withheld"}</td>
                <td className={FIGURE_CELL}>
                  {seats === null || week.active === null ? "withheld" : formatShare(week.active / seats)}
                </td>
              </tr>
            )
          })}
        </Table>
      }
    >
      {!hasShown ? (
        <NoPicture height={HEIGHT}>
          {weeks.length === 0 ? "no data: nobody was in a team" : `withheld: it ${withheldReason(minGroupSize)}`}
        </NoPicture>
      ) : (
        <div style={{ height: HEIGHT }}>
          {isInBrowser && (
            <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
              <Lines
                series={[
                  { label: "active", color: "var(--rung-3)", kind: "main" },
                  { label: "seats", color: "var(--ink-soft)", kind: "dashed" },
                ]}
                points={weeks.map((week) => ({
                  at: week.week.getTime(),
                  values: [week.active, seatsOf(week)],
                  tooltip: [
                    `week of ${formatDay(week.week, timeZone)}`,
                    week.active === null ? "withheld" : plural(week.active, "active person", "active people"),
                    week.unused === null
                      ? `unused seats withheld: fewer than ${minGroupSize} or told by others`
                      : plural(week.unused, "unused seat"),
                  ],
                }))}
                from={Math.min(range.from.getTime(), ...weeks.map(({ week }) => week.getTime()))}
                to={range.to.getTime()}
                max={niceMax(highest)}
                objective={null}
                marks={[]}
                formatValue={formatCount}
                formatTime={(at) => formatDay(new Date(at), timeZone)}
                height={HEIGHT}
              />
            </Suspense>
          )}
        </div>
      )}
    </ChartCard>
  )
}

/** Of another team the share of seats stands beside: people are more where a team is larger. */
function sayPeople(usage: UsageData): string {
  const { against, otherWeeks, weeks, timeZone } = usage
  const compared =
    against === null || otherWeeks === null ? null : compareActiveShares(weeks, otherWeeks, against, timeZone)
  return compared === null ? sayFourWeeks(usage) : `${sayFourWeeks(usage)} ${compared}`
}

/** Over weeks people are counted once. */
function sayFourWeeks({ fourWeeks, minGroupSize }: UsageData): string {
  const { state, active, weeks } = fourWeeks
  if (state === "no_data") return "Nobody was active in four weeks."
  if (active === null) return `Active in four weeks: withheld, it ${withheldReason(minGroupSize)}.`
  const part = weeks.shown === weeks.total ? "" : `, of ${weeks.shown} of ${weeks.total} weeks that may be shown`
  return `${plural(active, "person", "people")} active in four weeks${part}.`
}

function Models({ usage, models }: { usage: UsageData; models: NonNullable<UsageData["models"]> }) {
  const withParams = useWithParams()
  const shown = models.filter(({ state }) => state === "shown")
  const highest = Math.max(0.01, ...shown.map(({ usd }) => usd ?? 0))
  const total = shown.reduce((sum, { usd }) => sum + (usd ?? 0), 0)
  const changes = changeColumns(usage)
  const unpriced = shown.reduce((sum, row) => sum + (row.unpricedTokens ?? 0), 0)
  return (
    <ChartCard
      term="spend_by_model"
      says={shown.length === 0 ? undefined : `${formatUsd(total)} in the range.`}
      basis={<UsageBasis usage={usage} />}
      csv={paths.usageCsv(withParams({ chart: "models" }))}
      table={
        <Table
          caption={GLOSSARY.spend_by_model.title}
          titles={["Model", "Cost", ...changes, "Calls", "Tokens", "People"]}
          figures={["Cost", "Change", "Calls", "Tokens", "People"]}
        >
          {shown.map((row) => (
            <tr key={row.name} className={ROW}>
              <td className={CELL}>{row.name ?? "not named"}</td>
              <td className={FIGURE_CELL}>{formatUsd(row.usd ?? 0)}</td>
              {changes.map((title) => (
                <td key={title} className={FIGURE_CELL}>
                  {sayChange(row.usd, row.previousUsd)}
                </td>
              ))}
              <td className={FIGURE_CELL}>{formatCount(row.calls ?? 0)}</td>
              <td className={FIGURE_CELL}>{formatCount(row.tokens ?? 0)}</td>
              <td className={FIGURE_CELL}>{row.people}</td>
            </tr>
          ))}
        </Table>
      }
    >
      {shown.length === 0 ? (
        <NoPicture height={HEIGHT / 2}>
          {models.length === 0 ? "no data" : `withheld: it ${withheldReason(usage.minGroupSize)}`}
        </NoPicture>
      ) : (
        <ul className="space-y-1.5">
          {shown.map((row) => (
            <Bar
              key={row.name}
              label={row.name ?? "not named"}
              share={(row.usd ?? 0) / highest}
              color="var(--rung-3)"
              figure={formatUsd(row.usd ?? 0)}
              change={changes.length === 0 ? "" : sayChange(row.usd, row.previousUsd)}
            />
          ))}
        </ul>
      )}
      {unpriced > 0 && (
        <p className="mt-3 text-xs text-ink-faint">{plural(unpriced, "token")} without a price are not in the cost.</p>
      )}
      <MoreWithheld hidden={models.length - shown.length} isAnyShown={shown.length > 0} usage={usage} />
    </ChartCard>
  )
}

function TeamSpends({ usage, rows }: { usage: UsageData; rows: NonNullable<UsageData["spendByTeam"]> }) {
  const withParams = useWithParams()
  const named = rows.flatMap((row) => {
    const team = usage.teams.find(({ id }) => id === row.teamId)
    return team === undefined ? [] : [{ ...row, name: team.name }]
  })
  const shown = named.filter(({ state }) => state === "shown")
  const highest = Math.max(0.01, ...shown.map(({ usd }) => usd ?? 0))
  return (
    <ChartCard
      term="spend_by_team"
      basis={<UsageBasis usage={usage} />}
      csv={paths.usageCsv(withParams({ chart: "teams" }))}
      table={
        <Table
          caption={GLOSSARY.spend_by_team.title}
          titles={["Team", "Cost", "Change", "Calls", "Tokens", "People"]}
          figures={["Cost", "Change", "Calls", "Tokens", "People"]}
        >
          {named.map((row) => (
            <tr key={row.teamId} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                {row.name}
              </th>
              {row.state === "shown" ? (
                <>
                  <td className={FIGURE_CELL}>{formatUsd(row.usd ?? 0)}</td>
                  <td className={FIGURE_CELL}>{sayChange(row.usd, row.previousUsd)}</td>
                  <td className={FIGURE_CELL}>{formatCount(row.calls ?? 0)}</td>
                  <td className={FIGURE_CELL}>{formatCount(row.tokens ?? 0)}</td>
                  <td className={FIGURE_CELL}>{row.people}</td>
                </>
              ) : (
                <td colSpan={5} className={`${FIGURE_CELL} text-ink-faint`}>
                  withheld
                </td>
              )}
            </tr>
          ))}
        </Table>
      }
    >
      {shown.length === 0 ? (
        <NoPicture height={HEIGHT / 2}>
          {named.length === 0 ? "no data" : `withheld: it ${withheldReason(usage.minGroupSize)}`}
        </NoPicture>
      ) : (
        <ul className="space-y-1.5">
          {shown.map((row) => (
            <Bar
              key={row.teamId}
              label={row.name}
              share={(row.usd ?? 0) / highest}
              color="var(--rung-3)"
              figure={formatUsd(row.usd ?? 0)}
              change={sayChange(row.usd, row.previousUsd)}
            />
          ))}
        </ul>
      )}
      <MoreWithheld hidden={named.length - shown.length} isAnyShown={shown.length > 0} usage={usage} />
    </ChartCard>
  )
}

function Budgets({ usage, budgets }: { usage: UsageData; budgets: NonNullable<UsageData["budgets"]> }) {
  return (
    <div className="relative min-w-0 rounded-md border border-line bg-surface p-4">
      <h3 className="mb-3 text-base font-medium">
        <Term term="budgets" />
      </h3>
      {budgets.length === 0 ? (
        <p className="text-sm text-ink-soft">No budget is in force.</p>
      ) : (
        <Table
          caption="Spend against budget"
          titles={["Budget", "Used", "Of", "Forecast"]}
          figures={["Used", "Of", "Forecast"]}
        >
          {budgets.map(({ id, layer, figures, limit, unit, period }) => {
            if (figures.kind !== "total") return null
            const { forecast, spent } = figures
            return (
              <tr key={`${layer.name} ${id} ${figures.name}`} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {figures.name ?? usage.organization} <span className="text-ink-faint">a {period}</span>
                </th>
                <td className={FIGURE_CELL}>
                  {spent === null ? figures.state.replace("_", " ") : formatUse(spent, unit)}
                </td>
                <td className={FIGURE_CELL}>{formatUse(limit, unit)}</td>
                <td
                  className={clsx(
                    FIGURE_CELL,
                    forecast?.state === "shown" && forecast.expected > limit && "font-medium text-bad",
                  )}
                >
                  {forecast?.state === "shown"
                    ? `${formatUse(forecast.expected, unit)}${forecast.expected > limit ? ", over" : ""}`
                    : "no data"}
                </td>
              </tr>
            )
          })}
        </Table>
      )}
      <p className="mt-3 text-sm">
        <Link to={paths.policyBudgets()} className="text-accent underline underline-offset-2">
          Budgets in full
        </Link>
      </p>
    </div>
  )
}
