import { data, type MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { clsx } from "clsx"
import { ChevronRight, Lock } from "lucide-react"
import { asTenant } from "#server/db/tenant.ts"
import type { Breakdown, Change, DryRun, JudgedKind } from "#server/policy/dry-run.ts"
import { getVersion } from "#server/policy/layers.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatCount } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { WithheldMark } from "../../ui/figure.tsx"
import { FIGURE_CELL, ROW } from "../../ui/table.tsx"
import { DRY_RUN_DAYS, readDryRunSearch } from "./dry-run-search.ts"
import { CHANGE_TITLES, describeDryRun } from "./dry-run-words.ts"
import { addressOf, loadPolicy, parseTarget } from "./load.server.ts"
import { useDryRun } from "./use-dry-run.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction<typeof loader> = ({ data: loaded }) => [
  { title: `Dry run${loaded == null ? "" : ` of the policy of ${loaded.title}`} · Belay` },
]

export const loader = guard("policy.manage", async ({ viewer, params, request, context }) => {
  const target = parseTarget(params)
  const { days, version } = readDryRunSearch(new URL(request.url).searchParams)
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { layer, name, inForce, draft } = await loadPolicy(tx, viewer, target)
    const { name: organization, minGroupSize } = await getOrganization(tx)
    const isThere =
      version === null ? draft !== null : layer !== null && (await getVersion(tx, layer.id, version)) !== null
    if (!isThere) throw data("There is no such draft or version", { status: 404 })
    return {
      title: name ?? organization,
      address: addressOf(target),
      days,
      version,
      revision: draft?.revision ?? null,
      versionInForce: inForce?.version ?? null,
      minGroupSize,
    }
  })
})

export default function DryRunPage() {
  const { title, address, days, version, revision, versionInForce, minGroupSize } = useLoaderData<typeof loader>()
  const search = (wanted: number) => `?days=${wanted}${version === null ? "" : `&version=${version}`}`
  // A draft that was saved since is another one.
  const { state, stop, start } = useDryRun(paths.dryRunEvents(address, `${search(days)}&revision=${revision ?? ""}`))
  const subject = version === null ? "the draft" : `version ${version}`
  const against = versionInForce === null ? "no policy in force for it" : `version ${versionInForce}, in force`
  return (
    <>
      <header>
        <p className="flex flex-wrap items-center gap-1 text-sm text-ink-faint">
          <Link to={paths.policies()} className="hover:text-ink hover:underline">
            Policy
          </Link>
          <ChevronRight aria-hidden className="size-3.5" />
          <Link to={paths.policy(address)} className="hover:text-ink hover:underline">
            {title}
          </Link>
          <ChevronRight aria-hidden className="size-3.5" />
          <span>dry run of {subject}</span>
        </p>
        <h1 className="sr-only">
          Dry run of {subject} of {title}
        </h1>
        <p role="status" className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {state.kind === "done" && describeDryRun(state.result, days)}
          {(state.kind === "running" || state.kind === "adding_up") && `Judging what is on record of ${days} days…`}
          {state.kind === "stopped" && "Stopped before it was done."}
          {state.kind === "failed" && "The dry run failed. Nothing was changed."}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Everything that policies decided and people were asked, judged anew under {subject} and under {against}.
          Actions are on record by their names alone: a script by the command that it starts with, and what hangs on
          arguments or paths counts as what cannot be told.
        </p>
      </header>
      <div className="mt-5 flex flex-wrap items-center gap-3">
        <div
          role="group"
          aria-label="Time range"
          className="flex rounded-md border border-line-strong bg-surface p-0.5"
        >
          {DRY_RUN_DAYS.map((wanted) => (
            <Link
              key={wanted}
              to={search(wanted)}
              preventScrollReset
              aria-current={wanted === days ? "true" : undefined}
              className={clsx(
                "rounded-sm px-2.5 py-1 text-sm transition-colors duration-150",
                wanted === days
                  ? "bg-accent-soft font-medium text-accent"
                  : "text-ink-soft hover:bg-sunken hover:text-ink",
              )}
            >
              {wanted} days
            </Link>
          ))}
        </div>
        {state.kind === "running" || state.kind === "adding_up" ? (
          <>
            <progress
              aria-label="Judged"
              className="h-2 w-40 accent-(--accent)"
              max={state.kind === "running" ? (state.total ?? undefined) : undefined}
              value={state.kind === "running" && state.total !== null ? state.judged : undefined}
            />
            <span className="figures text-sm text-ink-soft">
              {state.kind === "adding_up"
                ? "adding up"
                : state.total === null
                  ? "reading"
                  : `${formatCount(state.judged)} of ${formatCount(state.total)} different cases`}
            </span>
            <button type="button" onClick={stop} className={buttonClass("quiet")}>
              Cancel
            </button>
          </>
        ) : (
          <button type="button" onClick={start} className={buttonClass("quiet")}>
            Run again
          </button>
        )}
      </div>
      {state.kind === "done" && <Result result={state.result} minGroupSize={minGroupSize} />}
    </>
  )
}

function Result({ result, minGroupSize }: { result: DryRun; minGroupSize: number }) {
  return (
    <div className="mt-6 space-y-8">
      {(["calls", "prompts"] as const).flatMap((judged) =>
        Object.entries(CHANGE_TITLES[judged]).map(([change, title]) => (
          <ChangeSection
            key={`${judged} ${change}`}
            judged={judged}
            change={change}
            title={title}
            result={result}
            minGroupSize={minGroupSize}
          />
        )),
      )}
      <Unchanged result={result} minGroupSize={minGroupSize} />
    </div>
  )
}

const BREAKDOWN_TITLES: Record<Breakdown, string> = { rule: "Rule", team: "Team", rung: "Rung", action: "Action" }
const NOTHING: Record<Breakdown, string> = {
  rule: "no rule: a default",
  team: "in no team",
  rung: "–",
  action: "not on record",
}
const ROWS_MAX = 12

function ChangeSection(props: {
  judged: JudgedKind
  change: string
  title: string
  result: DryRun
  minGroupSize: number
}) {
  const { judged, change, title, result, minGroupSize } = props
  const total = result.totals.find((one) => one.judged === judged && one.change === change)
  if (total === undefined) return null
  const id = `${judged}-${change}`
  return (
    <section aria-labelledby={id}>
      <h2 id={id} className="text-lg font-semibold">
        {title}
      </h2>
      {total.count === null || total.people === null ? (
        <p className="mt-1 text-sm text-ink-soft">
          <WithheldMark minGroupSize={minGroupSize} />
        </p>
      ) : (
        <>
          <p className="figures mt-1 text-ink-soft">
            {formatCount(total.count)} of {formatCount(total.people)} people
          </p>
          <div className="mt-2 grid gap-4 md:grid-cols-2">
            {(change === "cannot_tell"
              ? (["action", "team"] as const)
              : (["rule", "team", "rung", "action"] as const)
            ).map((by) => (
              <BreakdownTable
                key={by}
                by={by}
                label={`${title}, by ${by}`}
                rows={result.rows.filter((row) => row.judged === judged && row.change === change && row.by === by)}
                isPartWithheld={result.withheld.includes(`${judged} ${change} ${by}`)}
                minGroupSize={minGroupSize}
              />
            ))}
          </div>
        </>
      )}
    </section>
  )
}

function BreakdownTable(props: {
  by: Breakdown
  label: string
  rows: DryRun["rows"]
  isPartWithheld: boolean
  minGroupSize: number
}) {
  const { by, label, rows, isPartWithheld, minGroupSize } = props
  return (
    <div className="min-w-0 self-start rounded-md border border-line bg-surface">
      <table className="w-full text-sm">
        <caption className="sr-only">{label}</caption>
        <thead>
          <tr className="border-b border-line text-left text-xs text-ink-faint">
            <th scope="col" className="h-9 px-3 font-medium md:px-4">
              {BREAKDOWN_TITLES[by]}
            </th>
            <th scope="col" className="h-9 px-3 text-right font-medium md:px-4">
              Times
            </th>
            <th scope="col" className="h-9 px-3 text-right font-medium md:px-4">
              People
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_MAX).map(({ value, count, people }) => (
            <tr key={value} className={ROW}>
              <th
                scope="row"
                className={clsx(
                  "h-9 px-3 text-left font-normal break-words md:px-4",
                  value !== null && (by === "rule" || by === "action") && "font-mono text-xs",
                )}
              >
                {value ?? <span className="text-ink-faint">{NOTHING[by]}</span>}
              </th>
              <td className={FIGURE_CELL}>{formatCount(count)}</td>
              <td className={FIGURE_CELL}>{formatCount(people)}</td>
            </tr>
          ))}
          {rows.length > ROWS_MAX && (
            <tr className={ROW}>
              <td colSpan={3} className="h-9 px-3 text-ink-faint md:px-4">
                and {formatCount(rows.length - ROWS_MAX)} more
              </td>
            </tr>
          )}
          {isPartWithheld && (
            <tr className={ROW}>
              <td colSpan={3} className="h-9 px-3 text-ink-soft md:px-4">
                <span className="inline-flex items-center gap-1.5">
                  <Lock aria-hidden className="size-3.5 shrink-0" />
                  {rows.length === 0 ? "withheld" : "others are withheld"}: fewer than {minGroupSize} people
                </span>
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  )
}

const UNCHANGED: Change = "unchanged"

/** What would have gone on as it did, so that the rest can be weighed. */
function Unchanged({ result, minGroupSize }: { result: DryRun; minGroupSize: number }) {
  const of = (judged: JudgedKind) =>
    result.totals.find((total) => total.judged === judged && total.change === UNCHANGED) ?? null
  const [calls, prompts] = [of("calls"), of("prompts")]
  if (calls === null && prompts === null) return null
  return (
    <section aria-labelledby="unchanged">
      <h2 id="unchanged" className="text-lg font-semibold">
        What would have gone on as it did
      </h2>
      <ul className="figures mt-1 text-ink-soft">
        {[calls, prompts].map(
          (total) =>
            total !== null && (
              <li key={total.judged}>
                {total.count === null || total.people === null ? (
                  <WithheldMark minGroupSize={minGroupSize} />
                ) : (
                  `${formatCount(total.count)} ${total.judged} of ${formatCount(total.people)} people`
                )}
              </li>
            ),
        )}
      </ul>
    </section>
  )
}
