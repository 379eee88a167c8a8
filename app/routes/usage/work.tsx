import { Link, useSearchParams } from "@remix-run/react"
import { formatCount, formatUsd, plural } from "../../lib/format.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { paths } from "../../lib/paths.ts"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { withheldReason } from "../../ui/figure.tsx"
import { Segments, useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { RUNG_COLORS, RUNG_LABELS } from "../ladder/rungs.ts"
import { Bar, changeColumns, MoreWithheld, sayChange } from "./bar.tsx"
import { UsageBasis } from "./basis.tsx"
import type { UsageData } from "./load.server.ts"
import { nameOfWork, WORK_CUTS, type WorkRow, workRowsOf } from "./work-rows.ts"

/** What a bar is as long as. */
const MEASURES = {
  operations: {
    label: "Operations",
    of: ({ operations }: WorkRow) => operations,
    before: ({ previous }: WorkRow) => previous,
    format: formatCount,
  },
  cost: {
    label: "Cost",
    of: ({ spend }: WorkRow) => spend?.usd ?? null,
    before: ({ spend }: WorkRow) => spend?.previousUsd ?? null,
    format: formatUsd,
  },
  tokens: {
    label: "Tokens",
    of: ({ spend }: WorkRow) => spend?.tokens ?? null,
    // Of the period before there is what it cost.
    before: () => null,
    format: formatCount,
  },
} as const
type MeasureName = keyof typeof MEASURES
const MEASURE_NAMES: readonly MeasureName[] = ["operations", "cost", "tokens"]

/** Operations, tokens and cost by rung and by what the address names. */
export function WorkCard({ usage }: { usage: UsageData }) {
  const [search] = useSearchParams()
  const withParams = useWithParams()
  const { seesSpend, work, minGroupSize } = usage
  const cuts = WORK_CUTS.filter(({ name }) => name === "rung" || work.pieces !== null)
  const cut = cuts.find(({ name }) => name === search.get("by")) ?? cuts.find(({ isFirst }) => isFirst) ?? cuts[0]
  const name = seesSpend ? (MEASURE_NAMES.find((one) => one === search.get("measure")) ?? "operations") : "operations"
  if (cut === undefined) return null
  const measure = MEASURES[name]
  const rows = workRowsOf(work, cut.name)
  const told = rows.filter(({ state }) => state === "shown")
  const shown = told.flatMap((row) => {
    const value = measure.of(row)
    return value === null ? [] : [{ row, value }]
  })
  const highest = Math.max(Number.EPSILON, ...shown.map(({ value }) => value))
  const changes = changeColumns(usage)
  const spends = seesSpend ? ["Tokens", "Cost"] : []
  const figures = ["Operations", ...changes, "People", ...spends]
  return (
    <ChartCard
      term={cut.term}
      className="xl:col-span-2"
      {...(cut.name === "rung" && usage.teamName !== null && { of: usage.teamName })}
      says={sayUnpriced(told)}
      basis={<UsageBasis usage={usage} />}
      csv={paths.usageCsv(withParams({ chart: "work", by: cut.name }))}
      table={
        <Table
          caption={GLOSSARY[cut.term].title}
          titles={["Rung", ...(cut.name === "rung" ? [] : [cut.label]), ...figures]}
          figures={figures}
        >
          {told.map((row) => (
            <tr key={row.key} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                {RUNG_LABELS[row.rung]}
              </th>
              {cut.name !== "rung" && <td className={CELL}>{nameOfWork(row)}</td>}
              <td className={FIGURE_CELL}>{formatCount(row.operations ?? 0)}</td>
              {changes.map((title) => (
                <td key={title} className={FIGURE_CELL}>
                  {sayChange(row.operations, row.previous)}
                </td>
              ))}
              <td className={FIGURE_CELL}>{row.people}</td>
              {seesSpend && (
                <>
                  <td className={FIGURE_CELL}>{row.spend === null ? sayNone(row) : formatCount(row.spend.tokens)}</td>
                  <td className={FIGURE_CELL}>{row.spend === null ? sayNone(row) : formatUsd(row.spend.usd)}</td>
                </>
              )}
            </tr>
          ))}
        </Table>
      }
    >
      <div className="mb-4 flex flex-wrap gap-2">
        {cuts.length > 1 && (
          <Segments
            label="By"
            choices={cuts.map((one) => ({
              label: one.label,
              to: withParams({ by: one.isFirst ? null : one.name }),
              isCurrent: one.name === cut.name,
            }))}
          />
        )}
        {seesSpend && (
          <Segments
            label="Figure"
            choices={MEASURE_NAMES.map((one) => ({
              label: MEASURES[one].label,
              to: withParams({ measure: one === "operations" ? null : one }),
              isCurrent: one === name,
            }))}
          />
        )}
      </div>
      {shown.length === 0 ? (
        <NoPicture height={140}>{sayEmpty(rows, told, minGroupSize)}</NoPicture>
      ) : (
        <ul className="space-y-1.5">
          {shown.map(({ row, value }) => (
            <Bar
              key={row.key}
              label={
                <WorkLabel row={row} isByRung={cut.name === "rung"} latency={latencyOf(row, cut.name, withParams)} />
              }
              share={value / highest}
              color={RUNG_COLORS[row.rung]}
              figure={measure.format(value)}
              change={changes.length === 0 ? "" : sayChange(value, measure.before(row))}
            />
          ))}
        </ul>
      )}
      <MoreWithheld
        hidden={rows.filter(({ state }) => state === "withheld").length}
        isAnyShown={shown.length > 0}
        usage={usage}
      />
      {work.pieces === null && (
        <p className="mt-3 text-xs text-ink-faint">
          By agent tool, mode, language and model use is told of the whole organization only: cut by team as well, the
          groups would be too small to show.{" "}
          <Link to={withParams({ team: null })} preventScrollReset className="text-accent underline underline-offset-2">
            All teams
          </Link>
        </p>
      )}
    </ChartCard>
  )
}

/** Leads to how fast it is, where that is told of it. */
function WorkLabel({ row, isByRung, latency }: { row: WorkRow; isByRung: boolean; latency: string | null }) {
  const label = isByRung ? RUNG_LABELS[row.rung] : `${RUNG_LABELS[row.rung]} · ${nameOfWork(row)}`
  return latency === null ? (
    label
  ) : (
    <Link to={latency} title="Its latency" className="hover:text-accent hover:underline hover:underline-offset-2">
      {label}
    </Link>
  )
}

function latencyOf(row: WorkRow, by: string, withParams: ReturnType<typeof useWithParams>): string | null {
  const own = { by: null, measure: null, rung: row.rung }
  if (by === "rung") return paths.latency(withParams({ ...own, tool: null }))
  return by === "agent_tool" && row.name !== null ? paths.latency(withParams({ ...own, tool: row.name })) : null
}

const sayNone = ({ spendState }: WorkRow) => (spendState === "no_data" ? "no data" : "withheld")

function sayEmpty(rows: readonly WorkRow[], told: readonly WorkRow[], minGroupSize: number): string {
  if (told.some(({ spendState }) => spendState === "no_data")) return "no data: no source says what this took"
  return rows.every(({ state }) => state === "no_data") ? "no data" : `withheld: it ${withheldReason(minGroupSize)}`
}

/** Of which tokens the cost has nothing. */
function sayUnpriced(rows: readonly WorkRow[]): string | undefined {
  const tokens = rows.reduce((sum, { spend }) => sum + (spend?.unpricedTokens ?? 0), 0)
  return tokens === 0
    ? undefined
    : `${plural(tokens, "token")} without a price, or of several models at once, are not in the cost.`
}
