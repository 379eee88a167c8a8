import { formatChange, formatCount, formatMargin, formatShare, formatUsd, plural } from "../../lib/format.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { sayBeside } from "../../lib/against.ts"
import { paths } from "../../lib/paths.ts"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { withheldReason } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { RUNG_COLORS, RUNG_LABELS } from "../ladder/rungs.ts"
import { OutcomesBasis } from "./basis.tsx"
import type { OutcomesData } from "./load.server.ts"

type LoopsData = OutcomesData["loops"][number]

/** How often agents went in circles on each rung, and what it took. */
export function Loops({ outcomes }: { outcomes: OutcomesData }) {
  const withParams = useWithParams()
  const { loops, previousLoops, minGroupSize } = outcomes
  const shown = loops.filter(({ share }) => share !== null).toReversed()
  const figures = ["Tasks", "Loops", "Share", "± 95 %", ...(outcomes.seesSpend ? ["Tokens", "Cost"] : [])]
  const highest = Math.max(0.02, ...shown.map(({ share }) => share?.interval.high ?? 0))
  return (
    <ChartCard
      term="loops"
      basis={
        <OutcomesBasis
          outcomes={outcomes}
          parts={shown.map(
            ({ rung, people, tasks }) =>
              `${RUNG_LABELS[rung]}: ${plural(people ?? 0, "person", "people")}, ${plural(tasks ?? 0, "task")}`,
          )}
        />
      }
      csv={paths.outcomesCsv(withParams({ chart: "loops" }))}
      table={
        <Table caption={GLOSSARY.loops.title} titles={["Rung", ...figures]} figures={figures}>
          {loops.toReversed().map((row) => (
            <tr key={row.rung} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                {RUNG_LABELS[row.rung]}
              </th>
              {row.share === null ? (
                <td colSpan={figures.length} className={`${FIGURE_CELL} text-ink-faint`}>
                  {row.state === "withheld" ? "withheld" : "no data"}
                </td>
              ) : (
                <>
                  <td className={FIGURE_CELL}>{formatCount(row.share.whole)}</td>
                  <td className={FIGURE_CELL}>{formatCount(row.share.part)}</td>
                  <td className={FIGURE_CELL}>{formatShare(row.share.value)}</td>
                  <td className={FIGURE_CELL}>{formatMargin(row.share.interval)}</td>
                  {outcomes.seesSpend && (
                    <>
                      <td className={FIGURE_CELL}>
                        {row.burned.tokens === null ? sayNone(row) : formatCount(row.burned.tokens)}
                      </td>
                      <td className={FIGURE_CELL}>
                        {row.burned.usd === null ? sayNone(row) : formatUsd(row.burned.usd)}
                      </td>
                    </>
                  )}
                </>
              )}
            </tr>
          ))}
        </Table>
      }
    >
      {shown.length === 0 ? (
        <NoPicture height={150}>
          {loops.some(({ state }) => state === "withheld")
            ? `withheld: it ${withheldReason(minGroupSize)}`
            : "no data: no agent told of its calls of tools"}
        </NoPicture>
      ) : (
        <ul className="space-y-4">
          {shown.map((row) => (
            <Rung
              key={row.rung}
              row={row}
              highest={highest}
              outcomes={outcomes}
              before={previousLoops.find(({ rung }) => rung === row.rung)}
            />
          ))}
        </ul>
      )}
    </ChartCard>
  )
}

function Rung(props: { row: LoopsData; highest: number; outcomes: OutcomesData; before: LoopsData | undefined }) {
  const { row, highest, outcomes, before } = props
  const { share } = row
  if (share === null) return null
  const was = before?.share ?? null
  const beside = sayBeside(outcomes.against, was === null ? null : formatShare(was.value), before?.state ?? "no_data")
  const at = (value: number) => `${(value / highest) * 100}%`
  return (
    <li className="text-sm">
      <p className="figures flex flex-wrap items-baseline gap-x-2">
        <span>{RUNG_LABELS[row.rung]}</span>
        <strong className="text-base font-semibold">{formatShare(share.value)}</strong>
        <span className="text-ink-soft">{formatMargin(share.interval)}</span>
        <span className="text-xs text-ink-faint">
          {formatCount(share.part)} of {plural(share.whole, "task")}
          {beside !== null && ` · ${beside}`}
        </span>
      </p>
      <svg role="presentation" width="100%" height="14" className="mt-1 block">
        <rect width="100%" height="14" rx="2" fill="var(--sunken)" />
        <rect width={at(share.value)} height="14" rx="2" fill={RUNG_COLORS[row.rung]} />
        <line
          x1={at(share.interval.low)}
          x2={at(share.interval.high)}
          y1="7"
          y2="7"
          stroke="var(--ink)"
          strokeWidth="1.5"
        />
      </svg>
      {outcomes.seesSpend && <p className="mt-1 text-xs text-ink-soft">{sayBurned(row, before)}</p>}
    </li>
  )

  function sayBurned({ burned: { state, tokens, usd } }: LoopsData, then: LoopsData | undefined): string {
    if (share?.part === 0) return "None, so nothing was burned."
    if (state === "no_data") return "What they burned: no data, no source says what they took."
    if (tokens === null || usd === null)
      return `What they burned is withheld: it ${withheldReason(outcomes.minGroupSize)}.`
    const earlier = then?.burned.usd ?? null
    // Against another team a sum would tell of its size.
    const change =
      outcomes.against !== null || earlier === null || earlier === 0 ? "" : ` (${formatChange(usd / earlier - 1)})`
    return `They burned ${formatUsd(usd)}${change} and ${plural(tokens, "token")}.`
  }
}

const sayNone = ({ burned }: LoopsData) => (burned.state === "no_data" ? "no data" : "withheld")
