import { formatDay, formatDuration, formatShare, plural } from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"
import Heat from "../../charts/heat.tsx"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { OPERATION_WORDS, RUNG_COLORS } from "../ladder/rungs.ts"
import type { LatencyData } from "./load.server.ts"
import { nameBucket } from "./panel.tsx"
import { RungBasis } from "./rung-basis.tsx"
import { nameBand } from "./words.ts"

const ROW_HEIGHT = 20
/** Bands with less than this share of everything, at either end, are drawn with their neighbour. */
const EDGE_SHARE = 0.002

type Band = LatencyData["buckets"][number]["bands"][number]

/** The distribution of one rung's latency over time, as a heat map. */
export function Distribution({ latency }: { latency: LatencyData }) {
  const withParams = useWithParams()
  const { rung, timeZone } = latency
  const buckets = latency.buckets.filter((bucket) => bucket.rung === rung)
  const bands = bandsOf(buckets.flatMap((bucket) => bucket.bands))
  const sharesOf = (bucket: (typeof buckets)[number]) => {
    const counts = bands.map(() => 0)
    for (const { band, count } of bucket.bands) {
      const row = Math.max(0, Math.min(bands.length - 1, band - (bands[0]?.band ?? 0)))
      counts[row] = (counts[row] ?? 0) + count
    }
    const total = counts.reduce((sum, count) => sum + count, 0)
    return total === 0 ? null : { total, shares: counts.map((count) => count / total) }
  }
  const words = OPERATION_WORDS[rung]
  const columns = buckets.map((bucket) => {
    const found = sharesOf(bucket)
    const name = nameBucket(bucket.bucketStart, latency)
    return {
      label: formatDay(bucket.bucketStart, timeZone),
      shares: found?.shares ?? null,
      tells:
        found === null
          ? [`${name}: ${bucket.state === "withheld" ? "withheld" : "no data"}`]
          : bands.map(
              (band, index) =>
                `${name}, ${nameBand(band)}: ${formatShare(found.shares[index] ?? 0)} of ${plural(found.total, words)} by ${plural(bucket.people ?? 0, "person", "people")}`,
            ),
    }
  })
  const objectiveMs = latency.objectives[rung].p95Ms
  return (
    <ChartCard
      term="latency_distribution"
      basis={<RungBasis latency={latency} />}
      csv={paths.latencyCsv(withParams({ chart: "distribution" }))}
      table={
        <Table
          caption="Distribution of latency over time"
          titles={[latency.bucket === "week" ? "Week of" : "Day", ...bands.map(nameBand)]}
          figures={bands.map(nameBand)}
        >
          {buckets.map((bucket) => {
            const found = sharesOf(bucket)
            return (
              <tr key={bucket.bucketStart.getTime()} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {formatDay(bucket.bucketStart, timeZone)}
                </th>
                {found === null ? (
                  <td colSpan={bands.length} className={`${FIGURE_CELL} text-ink-faint`}>
                    {bucket.state === "withheld" ? "withheld" : "no data"}
                  </td>
                ) : (
                  found.shares.map((share, index) => (
                    <td key={bands[index]?.band} className={FIGURE_CELL}>
                      {formatShare(share)}
                    </td>
                  ))
                )}
              </tr>
            )
          })}
        </Table>
      }
    >
      {bands.length === 0 ? (
        <NoPicture height={240}>{buckets.some(({ state }) => state === "withheld") ? "withheld" : "no data"}</NoPicture>
      ) : (
        <Heat
          label="Distribution of latency over time"
          columns={columns}
          rows={bands.map(({ fromMs }) => formatDuration(fromMs))}
          line={lineOf(bands, objectiveMs)}
          color={RUNG_COLORS[rung]}
          rowHeight={ROW_HEIGHT}
        />
      )}
    </ChartCard>
  )
}

/** All bands between the ends that hold something, ascending and without gaps. */
function bandsOf(all: readonly Band[]): Omit<Band, "count">[] {
  const counts = new Map<number, Band>()
  for (const band of all) counts.set(band.band, { ...band, count: band.count + (counts.get(band.band)?.count ?? 0) })
  const total = all.reduce((sum, { count }) => sum + count, 0)
  const told = [...counts.values()]
    .filter(({ count }) => count >= total * EDGE_SHARE)
    .toSorted((a, b) => a.band - b.band)
  const filled: Omit<Band, "count">[] = []
  for (const { band, fromMs, toMs } of told) {
    for (let last = filled.at(-1); last !== undefined && last.band < band - 1; last = filled.at(-1)) {
      const steps = band - last.band
      filled.push({
        band: last.band + 1,
        fromMs: last.toMs,
        toMs: last.toMs * (fromMs / last.toMs) ** (1 / (steps - 1)),
      })
    }
    filled.push({ band, fromMs, toMs })
  }
  return filled
}

/** Where the objective is among the rows; null when it is beyond them. */
function lineOf(bands: readonly Omit<Band, "count">[], objectiveMs: number): { at: number; label: string } | null {
  const row = bands.findIndex(({ fromMs, toMs }) => fromMs <= objectiveMs && objectiveMs < toMs)
  const band = bands[row]
  if (band === undefined) return null
  const part = Math.log(objectiveMs / band.fromMs) / Math.log(band.toMs / band.fromMs)
  return { at: row + part, label: `objective ${formatDuration(objectiveMs)}` }
}
