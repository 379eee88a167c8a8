import type { LatencyFigures } from "#server/latency/queries.ts"
import { formatDay, formatDuration, formatShare } from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"
import { Basis } from "../../ui/basis.tsx"
import { ChartCard } from "../../ui/chart-card.tsx"
import { WeeksShown } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { OPERATION_WORDS, RUNG_COLORS, RUNG_LABELS } from "../ladder/rungs.ts"
import type { LatencyData } from "./load.server.ts"
import { Marks, Panel } from "./panel.tsx"

/** Percentiles of every rung over time, in ladder order. */
export function Rungs({ latency }: { latency: LatencyData }) {
  const withParams = useWithParams()
  return (
    <section aria-labelledby="rungs" className="mt-8">
      <h2 id="rungs" className="text-lg font-semibold">
        {latency.teamName === null ? "Every rung" : `Every rung of ${latency.teamName}`}
      </h2>
      <ChartCard
        term="latency"
        className="mt-3"
        basis={<Basis parts={[]} {...latency} lastReceivedAt={latency.freshness.lastReceivedAt} />}
        csv={paths.latencyCsv(withParams({ chart: "rungs" }))}
        table={<RungTable latency={latency} />}
      >
        <div className="grid gap-x-8 gap-y-6 md:grid-cols-2">
          {latency.rungs.toReversed().map((row) => (
            <Panel
              key={row.rung}
              name={RUNG_LABELS[row.rung]}
              to={row.rung === latency.rung ? null : withParams({ rung: row.rung, tool: null, model: null })}
              color={RUNG_COLORS[row.rung]}
              figures={row}
              previous={latency.previous.find(({ rung }) => rung === row.rung)}
              steps={latency.buckets.flatMap((bucket) =>
                bucket.rung === row.rung ? [{ ...bucket, at: bucket.bucketStart }] : [],
              )}
              objectiveMs={latency.objectives[row.rung].p95Ms}
              words={`${OPERATION_WORDS[row.rung]}s`}
              note={
                <span className="text-xs text-ink-faint">
                  {row.lateShare !== null && `${formatShare(row.lateShare)} late `}
                  <WeeksShown weeks={row.weeks} minGroupSize={latency.minGroupSize} />
                </span>
              }
              latency={latency}
            />
          ))}
        </div>
        <Marks latency={latency} />
      </ChartCard>
    </section>
  )
}

const FIGURES = ["p50", "p95", "p99", "Late", "Timed", "People"]

function RungTable({ latency }: { latency: LatencyData }) {
  return (
    <Table
      caption="Latency by rung and time"
      titles={[latency.bucket === "week" ? "Week of" : "Day", "Rung", ...FIGURES]}
      figures={FIGURES}
    >
      {latency.buckets.map((row) => (
        <tr key={`${row.rung} ${row.bucketStart.getTime()}`} className={ROW}>
          <th scope="row" className={`${CELL} text-left font-normal`}>
            {formatDay(row.bucketStart, latency.timeZone)}
          </th>
          <td className={CELL}>{RUNG_LABELS[row.rung]}</td>
          <PercentileCells row={row} lateShare={row.lateShare} />
        </tr>
      ))}
    </Table>
  )
}

/** p50, p95, p99, the late share where it is told, what was timed and people; or why not. */
export function PercentileCells(props: {
  row: Omit<LatencyFigures, "rung" | "weeks" | "lateShare">
  lateShare?: number | null
}) {
  const { row, lateShare } = props
  if (row.state !== "shown") {
    return (
      <td colSpan={lateShare === undefined ? 5 : 6} className={`${FIGURE_CELL} text-ink-faint`}>
        {row.state === "withheld" ? "withheld" : "no data"}
      </td>
    )
  }
  return (
    <>
      {[row.p50Ms, row.p95Ms, row.p99Ms].map((ms, index) => (
        <td key={FIGURES[index]} className={FIGURE_CELL}>
          {ms === null ? "" : formatDuration(ms)}
        </td>
      ))}
      {lateShare !== undefined && <td className={FIGURE_CELL}>{lateShare === null ? "" : formatShare(lateShare)}</td>}
      <td className={FIGURE_CELL}>{row.timed}</td>
      <td className={FIGURE_CELL}>{row.people}</td>
    </>
  )
}
