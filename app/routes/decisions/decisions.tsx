import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData, useSearchParams } from "@remix-run/react"
import { Gavel, Lock } from "lucide-react"
import { formatCount, formatDay, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { EffectBadge } from "./effect.tsx"
import { Filters } from "./filters.tsx"
import { type DecisionsData, loadDecisions, type ShownDecision } from "./load.server.ts"
import { describeWhy, STANDING_WORDS, standingOf } from "./words.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Decisions · Belay" }]

const PER_PAGE = 50

export const loader = guard("decisions.read", ({ viewer, request, context }) =>
  loadDecisions(viewer, new URL(request.url).searchParams, context, PER_PAGE),
)

export default function Decisions() {
  const loaded = useLoaderData<typeof loader>()
  const { rows, sentence, minGroupSize, withheldBuckets, isByHour, hasOwn, mayRead } = loaded
  return (
    <>
      <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-64 flex-1">
          <h1 className="text-sm font-medium text-ink-faint">Decisions</h1>
          <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
            {mayRead ? sentence : "There is no team whose decisions you may read."}
          </p>
          <p className="mt-1 max-w-3xl text-ink-soft">
            What policies decided on agents' actions, as agents report it. Only kinds of decisions that at least{" "}
            {minGroupSize} people came upon on a day are counted here; everyone sees their own one by one.
          </p>
        </div>
        {hasOwn && (
          <Link to={paths.ownDecisions()} className={buttonClass("quiet")}>
            My own decisions
          </Link>
        )}
      </header>
      {mayRead && <Filters loaded={loaded} />}
      {rows.length === 0 ? <Empty loaded={loaded} /> : <Rows loaded={loaded} />}
      {withheldBuckets > 0 && (
        <p className="mt-3 flex items-start gap-2 text-sm text-ink-soft">
          <Lock aria-hidden className="mt-0.5 size-3.5 shrink-0" />
          On {plural(withheldBuckets, isByHour ? "hour" : "day")} there were others, which are withheld: they rest on
          fewer than {minGroupSize} people, or would reveal such a group.
        </p>
      )}
      <Pages page={loaded.page} pages={loaded.pages} />
    </>
  )
}

function Empty({ loaded: { isFiltered, minGroupSize } }: { loaded: DecisionsData }) {
  return (
    <div className="mt-4 rounded-md border border-line bg-surface px-4 py-12 text-center">
      <Gavel aria-hidden className="mx-auto size-6 text-ink-faint" />
      <h2 className="mt-3 text-lg font-semibold">
        {isFiltered ? "None that may be shown" : "No decisions to show yet"}
      </h2>
      <p className="mx-auto mt-1 max-w-md text-ink-soft">
        {isFiltered
          ? `There was none like that, or fewer than ${minGroupSize} people came upon it on any day.`
          : "Decisions come in with what agents send, once a policy is published and an agent or a hook decides by it."}
      </p>
    </div>
  )
}

function Rows({ loaded }: { loaded: DecisionsData }) {
  const { rows, isByHour, timeZone } = loaded
  return (
    <div className="mt-4">
      <Table
        caption="Decisions"
        titles={[isByHour ? "Hour" : "Day", "Decided", "Action", "Decisions", "People", "Why", "Agent tool", "Rung"]}
        figures={["Decisions", "People"]}
      >
        {rows.map((row) => (
          <tr key={keyOf(row)} className={`${ROW} align-top`}>
            <td className={`${CELL} py-2.5`}>
              <time dateTime={row.bucketStart.toISOString()}>
                {isByHour ? formatInstant(row.bucketStart, timeZone) : formatDay(row.bucketStart, timeZone)}
              </time>
            </td>
            <td className={`${CELL} py-2.5`}>
              <EffectBadge effect={row.effect} />
            </td>
            <td className={`${CELL} py-2.5 font-mono text-xs leading-5`}>{row.action ?? "–"}</td>
            <td className={`${FIGURE_CELL} py-2.5`}>{formatCount(row.decisions)}</td>
            <td className={`${FIGURE_CELL} py-2.5`}>{formatCount(row.people)}</td>
            <td className="min-w-72 px-3 py-2.5 md:px-4">
              <Why row={row} />
            </td>
            <td className={`${CELL} py-2.5`}>{row.agentTool}</td>
            <td className={`${CELL} py-2.5`}>{row.rung}</td>
          </tr>
        ))}
      </Table>
    </div>
  )
}

function Why({ row }: { row: ShownDecision }) {
  const { ruleThen } = row
  const standing = standingOf(row)
  const of =
    ruleThen === null || ruleThen.teamId === null ? ORGANIZATION : { kind: "team" as const, id: ruleThen.teamId }
  return (
    <>
      <p>
        {describeWhy(row)}
        {standing !== "in_force" && row.because !== "no_policy" && row.because !== "error" && (
          <span className="text-warn">, {STANDING_WORDS[standing]}</span>
        )}
        {(row.because === "no_policy" || row.because === "error") && <span className="text-warn">: not enforced</span>}
      </p>
      {ruleThen !== null && (
        <p className="mt-0.5 text-sm break-words text-ink-soft">
          {ruleThen.text}.{" "}
          <Link
            to={paths.policyVersion(of, ruleThen.layerVersion)}
            className="whitespace-nowrap text-accent underline underline-offset-2"
          >
            Version {ruleThen.layerVersion}
          </Link>
        </p>
      )}
      {row.rule !== null && row.effect !== "allow" && (
        <Link
          to={paths.newPolicyException(row.rule)}
          aria-label={`Ask for an exception from ${row.rule}`}
          className={rowActionClass("quiet")}
        >
          Ask for an exception
        </Link>
      )}
    </>
  )
}

const ORGANIZATION = { kind: "organization", id: null } as const

function keyOf(row: ShownDecision): string {
  const { bucketStart, effect, because, rule, layer, policyVersion, action, agentTool, rung } = row
  return [bucketStart.getTime(), effect, because, rule, layer, policyVersion, action, agentTool, rung].join(" ")
}

function Pages({ page, pages }: { page: number; pages: number }) {
  const [search] = useSearchParams()
  if (pages <= 1) return null
  const to = (number: number) => {
    const next = new URLSearchParams(search)
    next.set("page", String(number))
    return `?${next}`
  }
  return (
    <nav aria-label="Pages of decisions" className="mt-3 flex items-center gap-2 text-sm text-ink-soft">
      {page > 1 && (
        <Link to={to(page - 1)} className={buttonClass("quiet")}>
          Newer
        </Link>
      )}
      {page < pages && (
        <Link to={to(page + 1)} className={buttonClass("quiet")}>
          Older
        </Link>
      )}
      Page {page} of {pages}
    </nav>
  )
}
