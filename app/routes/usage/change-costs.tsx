import type { ReactNode } from "react"
import type { ChangeCost, ModelCost, RungCost } from "#server/usage/cost-queries.ts"
import { sayBeside } from "../../lib/against.ts"
import { formatCount, formatShare, formatUsd, plural } from "../../lib/format.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { paths } from "../../lib/paths.ts"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { WeeksShown, WithheldMark, withheldReason } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { Term } from "../../ui/term.tsx"
import { RUNG_COLORS, RUNG_LABELS } from "../ladder/rungs.ts"
import { UsageBasis } from "./basis.tsx"
import type { UsageData } from "./load.server.ts"

/** What a change that stands cost, by rung and by model. */
export function ChangeCosts({ usage, costs }: { usage: UsageData; costs: NonNullable<UsageData["costs"]> }) {
  const withParams = useWithParams()
  const { minGroupSize } = usage
  const shown = (costs.models ?? []).flatMap((row) => (row.cost === null ? [] : [{ ...row, cost: row.cost }]))
  const hidden = (costs.models ?? []).length - shown.length
  const reaches = shown.flatMap(({ cost }) => cost.interval?.high ?? cost.perStanding ?? [])
  const highest = Math.max(0.01, ...reaches)
  const titles = ["Rung", "Model", "Size", "A surviving change", "95 %", "Spent", "Merged", "Stand", "People"]
  return (
    <ChartCard
      term="cost_per_surviving_change"
      of={usage.teamName ?? "all teams"}
      basis={<UsageBasis usage={usage} />}
      csv={paths.usageCsv(withParams({ chart: "changes" }))}
      says={
        <span className="flex flex-wrap gap-x-6 gap-y-1">
          {costs.rungs.toReversed().map(({ rung, state, weeks, cost }) => (
            <span key={rung} className="figures inline-flex flex-wrap items-baseline gap-x-1.5">
              <span
                aria-hidden
                className="h-1.5 w-4 self-center rounded-full"
                style={{ background: RUNG_COLORS[rung] }}
              />
              {RUNG_LABELS[rung]}{" "}
              {cost === null ? (
                state === "no_data" ? (
                  <span className="text-ink-soft">no data</span>
                ) : (
                  <WithheldMark minGroupSize={minGroupSize} />
                )
              ) : (
                <>
                  <strong className="text-base font-semibold">{told(cost)}</strong>
                  <span className="text-xs text-ink-faint">
                    {reachOf(cost)} · {plural(cost.standing, "change")}
                    {sayOther(
                      usage.against,
                      costs.previous.find((row) => row.rung === rung),
                    )}{" "}
                    <WeeksShown weeks={weeks} minGroupSize={minGroupSize} />
                  </span>
                </>
              )}
            </span>
          ))}
        </span>
      }
      table={
        <Table caption={GLOSSARY.cost_per_surviving_change.title} titles={titles} figures={titles.slice(3)}>
          {shown.map(({ cost, ...row }) => (
            <tr key={keyOf(row)} className={ROW}>
              <td className={CELL}>{RUNG_LABELS[row.rung]}</td>
              <td className={CELL}>{modelOf(row)}</td>
              <td className={CELL}>{sizeOf(row)}</td>
              <td className={FIGURE_CELL}>{told(cost)}</td>
              <td className={FIGURE_CELL}>{reachOf(cost)}</td>
              <td className={FIGURE_CELL}>{formatUsd(cost.usd)}</td>
              <td className={FIGURE_CELL}>{formatCount(cost.merged)}</td>
              <td className={FIGURE_CELL}>{formatCount(cost.standing)}</td>
              <td className={FIGURE_CELL}>{cost.people}</td>
            </tr>
          ))}
        </Table>
      }
    >
      {costs.models === null ? (
        <p className="text-sm text-ink-soft">By model it is told of the whole organization only.</p>
      ) : shown.length === 0 ? (
        <NoPicture height={120}>
          {costs.rungs.every(({ state }) => state === "no_data")
            ? "no data: of no merged change it is known what its tasks cost"
            : `by model withheld: it ${withheldReason(minGroupSize)}`}
        </NoPicture>
      ) : (
        <ul className="space-y-2">
          {shown.map(({ cost, ...row }) => (
            <li
              key={keyOf(row)}
              className="grid grid-cols-[8.5rem_1fr_4rem] items-center gap-x-3 text-sm sm:grid-cols-[15rem_1fr_4rem]"
            >
              <span className="min-w-0 break-words">
                {RUNG_LABELS[row.rung]} · {modelOf(row)}
                <span className="block text-xs text-ink-faint">{sizeOf(row)}</span>
              </span>
              <CostBar cost={cost} highest={highest} color={RUNG_COLORS[row.rung]} />
              <span className="figures text-right whitespace-nowrap">{told(cost)}</span>
            </li>
          ))}
        </ul>
      )}
      {hidden > 0 && shown.length > 0 && (
        <p className="mt-3 text-xs text-ink-faint">
          {hidden === 1 ? "One more is" : `${hidden} more are`} withheld: it {withheldReason(minGroupSize)}.
        </p>
      )}
    </ChartCard>
  )
}

/** A length with its interval. */
function CostBar({ cost, highest, color }: { cost: ChangeCost; highest: number; color: string }) {
  const at = (usd: number) => `${Math.min(100, (usd / highest) * 100)}%`
  return (
    <svg role="presentation" width="100%" height="16" className="block">
      <rect width={at(cost.perStanding ?? 0)} height="16" rx="2" fill={color} fillOpacity={0.55} />
      {cost.interval !== null && (
        <line
          x1={at(cost.interval.low)}
          x2={at(cost.interval.high)}
          y1="8"
          y2="8"
          stroke="var(--ink)"
          strokeWidth="1.5"
        />
      )}
    </svg>
  )
}

const told = ({ perStanding }: ChangeCost) => (perStanding === null ? "none stands" : formatUsd(perStanding))
const reachOf = ({ interval }: ChangeCost) =>
  interval === null ? "" : `${formatUsd(interval.low)} to ${formatUsd(interval.high)}`
function sayOther(against: UsageData["against"], other: RungCost | undefined): ReactNode {
  if (other === undefined) return null
  const { cost, state } = other
  const isTold = cost !== null && (cost.perStanding !== null || against !== null)
  const beside = sayBeside(against, isTold ? told(cost) : null, state)
  return (
    beside !== null && (
      <>
        {" "}
        · <span className="inline-block">{beside}</span>
      </>
    )
  )
}
const keyOf = (row: Omit<ModelCost, "cost">) => `${row.rung} ${modelOf(row)} ${row.isEasy}`
const modelOf = ({ name, hasSeveral }: Pick<ModelCost, "name" | "hasSeveral">) =>
  hasSeveral ? "several models" : (name ?? "not named")
const sizeOf = ({ isEasy }: Pick<ModelCost, "isEasy">) => (isEasy ? "up to 100 lines" : "larger, or of unknown size")

/** Whether a cheaper model does easy work as well. */
export function EasyWorkCard(props: { usage: UsageData; easyWork: NonNullable<UsageData["easyWork"]> }) {
  const { usage, easyWork } = props
  const points = ({ low, high }: { low: number; high: number }) => `${pointsOf(low)} to ${pointsOf(high)} pts`
  return (
    <div className="relative min-w-0 rounded-md border border-line bg-surface p-4">
      <h3 className="text-base font-medium">
        <Term term="easy_work" />
      </h3>
      <p className="figures mt-1 mb-3 text-xs text-ink-faint">
        <UsageBasis usage={usage} />
      </p>
      {easyWork.length === 0 ? (
        <NoPicture height={120}>
          No data: to compare, two models need merged changes of up to 100 lines at one rung, each by enough people to
          be shown and of known cost.
        </NoPicture>
      ) : (
        <ul className="space-y-4">
          {easyWork.map((row) => (
            <li key={row.rung}>
              <p className="text-sm">
                <strong className="font-semibold">
                  {RUNG_LABELS[row.rung]}:{" "}
                  {row.isEqual
                    ? `${formatUsd(row.savingUsd)} less with ${row.cheap}`
                    : `not known whether ${row.cheap} would do`}
                </strong>
                <br />
                {row.dear} made {plural(row.changes, "merged change")} of up to 100 lines for {formatUsd(row.usd)},{" "}
                {formatShare(row.shareOfSpend)} of what such changes cost. With {row.cheap} they would have cost{" "}
                {formatUsd(row.usd - row.savingUsd)}.
              </p>
              <dl className="figures mt-1.5 grid grid-cols-[auto_1fr] gap-x-3 text-xs text-ink-soft">
                <dt>{row.cheap}, more or fewer merged</dt>
                <dd>{points(row.acceptance)}</dd>
                <dt>and of those that stand</dt>
                <dd>{points(row.survival)}</dd>
              </dl>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

function pointsOf(difference: number): string {
  const points = Math.round(difference * 100)
  return `${points < 0 ? "−" : points > 0 ? "+" : ""}${Math.abs(points)}`
}
