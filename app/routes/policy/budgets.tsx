import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { clsx } from "clsx"
import { Wallet } from "lucide-react"
import { asTenant } from "#server/db/tenant.ts"
import { type BudgetFigures, listBudgets, type PeopleInBands, type ShownBudget } from "#server/spend/queries.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatCount, formatInstant, formatShare, formatUntil, formatUse, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { NoData, Withheld, WithheldMark } from "../../ui/figure.tsx"
import { PolicyTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Budgets · Belay" }]

export const loader = guard("budgets.read", async ({ viewer, context }) => {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { name, timeZone, minGroupSize } = await getOrganization(tx)
    const readable = await findReadableTeams(tx, viewer, now)
    return {
      now,
      organization: name,
      timeZone,
      minGroupSize,
      isManager: mayDo(viewer.role, "policy.manage"),
      budgets: await listBudgets(tx, { orgId: viewer.orgId, readable, now }),
    }
  })
})

type Loaded = ReturnType<typeof useLoaderData<typeof loader>>

export default function Budgets() {
  const loaded = useLoaderData<typeof loader>()
  const { budgets, isManager } = loaded
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Budgets</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{sentence(loaded)}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Spent is counted from signals, a few seconds behind them; reserved is what calls under way are thought to
          take. Where an agent does not say what a call cost, the price of its day counts.
        </p>
      </header>
      <PolicyTabs isManager={isManager} seesBudgets />
      {budgets.length === 0 ? (
        <div className="mt-4 rounded-md border border-line bg-surface px-4 py-12 text-center">
          <Wallet aria-hidden className="mx-auto size-6 text-ink-faint" />
          <h2 className="mt-3 text-lg font-semibold">No budget is in force</h2>
          <p className="mx-auto mt-1 mb-4 max-w-md text-ink-soft">
            A budget is a part of a policy: how much a person, a team or everyone may use a day, week or month, and
            whether agents are warned, ask or stop once it is used up.
          </p>
          {isManager && (
            <Link to={paths.policyEdit({ kind: "organization", id: null })} className={buttonClass("primary")}>
              Write a budget
            </Link>
          )}
        </div>
      ) : (
        <ul className="mt-4 grid gap-4 lg:grid-cols-2">
          {budgets.map((budget) => (
            <BudgetCard key={keyOf(budget)} budget={budget} loaded={loaded} />
          ))}
        </ul>
      )}
    </>
  )
}

function keyOf({ layer, id, figures }: ShownBudget): string {
  return `${layer.kind} ${layer.name} ${id} ${figures.kind === "total" ? figures.name : "people"}`
}

function shareOf({ figures, limit }: ShownBudget): number | null {
  return figures.kind === "total" && figures.spent !== null ? figures.spent / limit : null
}

function sentence({ budgets, organization }: Loaded): string {
  if (budgets.length === 0) return "No budget is in force: use is counted and not limited."
  const used = budgets.filter((budget) => (shareOf(budget) ?? 0) >= 1)
  const [first] = used
  if (first !== undefined) {
    const rest = used.length - 1
    return `${nameOf(first, organization)} has used all of its budget ${first.id}${rest === 0 ? "" : `, and ${plural(rest, "other budget")} ${rest === 1 ? "is" : "are"} used up`}.`
  }
  const near = budgets.filter((budget) => (shareOf(budget) ?? 0) >= (budget.softThresholds[0] ?? 1))
  if (near.length > 0)
    return `${plural(near.length, "budget")} of ${budgets.length} ${near.length === 1 ? "is" : "are"} past the first threshold; none is used up.`
  const known = budgets.filter((budget) => shareOf(budget) !== null)
  return known.length === 0
    ? "Nothing can be said of any budget yet."
    : `All of ${plural(known.length, "budget")} with figures are below their first threshold.`
}

function nameOf({ scope, figures }: ShownBudget, organization: string): string {
  if (scope === "person") return "Each person"
  return figures.kind === "total" && figures.name !== null ? figures.name : organization
}

const EFFECT_WORDS = { warn: "agents are warned", ask: "agents ask", deny: "agents are stopped" }

function BudgetCard({ budget, loaded }: { budget: ShownBudget; loaded: Loaded }) {
  const { figures, limit, unit, period, hard, layer } = budget
  const title = nameOf(budget, loaded.organization)
  const source = layer.kind === "organization" ? "the organization's policy" : `the policy of ${layer.name ?? "a team"}`
  return (
    <li className="min-w-0 rounded-md border border-line bg-surface p-4">
      <h2 className="font-semibold break-words">
        {title} <span className="font-mono text-xs font-normal text-ink-faint">{budget.id}</span>
      </h2>
      <p className="mt-0.5 text-sm text-ink-soft">
        {formatUse(limit, unit)} a {period}, then {EFFECT_WORDS[hard]}; in {source}
      </p>
      {figures.kind === "bands" ? (
        <Bands bands={figures.bands} minGroupSize={loaded.minGroupSize} />
      ) : figures.state === "withheld" ? (
        <div className="mt-3">
          <Withheld label="Spent" minGroupSize={loaded.minGroupSize} />
        </div>
      ) : figures.state === "no_data" ? (
        <div className="mt-3">
          <NoData label="Spent">nothing was used this {period}</NoData>
        </div>
      ) : (
        <Total budget={budget} figures={figures} />
      )}
      <p className="mt-3 text-xs text-ink-faint">
        Starts anew{" "}
        <time dateTime={budget.resetsAt.toISOString()}>{formatInstant(budget.resetsAt, budget.timeZone)}</time>{" "}
        {budget.timeZone}, {formatUntil(budget.resetsAt, loaded.now)}
      </p>
    </li>
  )
}

function Total({ budget, figures }: { budget: ShownBudget; figures: BudgetFigures }) {
  const { limit, unit, softThresholds, timeZone } = budget
  const { spent, reserved, forecast, people, unpricedTokens, crossings } = figures
  const share = (spent ?? 0) / limit
  const tone = share >= 1 ? "bg-bad" : share >= (softThresholds[0] ?? 1) ? "bg-warn" : "bg-good"
  return (
    <>
      <p className="figures mt-3 text-xl font-semibold">
        {formatUse(spent ?? 0, unit)}{" "}
        <span className="text-sm font-normal text-ink-soft">{formatShare(share)} used</span>
      </p>
      <div className="relative mt-2 h-3 overflow-hidden rounded-sm bg-sunken" aria-hidden>
        <div className={clsx("h-full", tone)} style={{ width: `${Math.min(100, share * 100)}%` }} />
        {(reserved ?? 0) > 0 && (
          <div
            className="hatched absolute top-0 h-full"
            style={{
              left: `${Math.min(100, share * 100)}%`,
              width: `${Math.min(100, ((reserved ?? 0) / limit) * 100)}%`,
            }}
          />
        )}
        {softThresholds.map((threshold) => (
          <div
            key={threshold}
            className="absolute top-0 h-full w-px bg-line-strong"
            style={{ left: `${threshold * 100}%` }}
          />
        ))}
      </div>
      <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
        <dt className="text-ink-faint">Reserved</dt>
        <dd className="figures">{(reserved ?? 0) === 0 ? "nothing" : formatUse(reserved ?? 0, unit)}</dd>
        <dt className="text-ink-faint">By the end</dt>
        <dd className="figures">
          {forecast === null || forecast.state === "no_data" ? (
            "no forecast: fewer than two weeks of use"
          ) : (
            <span title="From the same weekdays of the last four weeks; 80 % interval">
              {formatUse(forecast.expected, unit)}, {formatUse(forecast.low, unit)} to {formatUse(forecast.high, unit)}{" "}
              (80 %)
              {forecast.expected >= limit && share < 1 && <strong className="text-warn"> past the limit</strong>}
            </span>
          )}
        </dd>
        <dt className="text-ink-faint">People</dt>
        <dd className="figures">{formatCount(people ?? 0)}</dd>
        <dt className="text-ink-faint">Reached</dt>
        <dd className="figures">
          {crossings.length === 0
            ? "no threshold"
            : crossings.map(({ threshold, at }) => (
                <span key={threshold} className="mr-3 inline-block">
                  {formatShare(threshold)} <span className="text-ink-faint">{formatInstant(at, timeZone)}</span>
                </span>
              ))}
        </dd>
        {(unpricedTokens ?? 0) > 0 && (
          <>
            <dt className="text-ink-faint">Not in it</dt>
            <dd className="text-warn">{plural(unpricedTokens ?? 0, "token")} of models without a price</dd>
          </>
        )}
      </dl>
    </>
  )
}

function Bands({ bands, minGroupSize }: { bands: PeopleInBands["bands"]; minGroupSize: number }) {
  return (
    <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
      {bands.map(({ from, people }, index) => {
        const next = bands[index + 1]?.from
        return (
          <div key={from} className="contents">
            <dt className="figures text-ink-faint">
              {next === undefined ? "all used" : `${formatShare(from)} to ${formatShare(next)}`}
            </dt>
            <dd className="figures">
              {people === null ? <WithheldMark minGroupSize={minGroupSize} /> : plural(people, "person", "people")}
            </dd>
          </div>
        )
      })}
    </dl>
  )
}
