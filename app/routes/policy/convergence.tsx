import { lazy, Suspense } from "react"
import type { Convergence, ReleaseReach } from "#server/policy/coverage.ts"
import { formatDay, formatDuration, formatInstant, formatShare, plural } from "../../lib/format.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"

const Trend = lazy(() => import("../../charts/trend.tsx"))
const HEIGHT = 168

/** The share of clients that went by the newest policy, day by day, with the table behind it. */
export function Converged({ points, timeZone }: { points: readonly Convergence[]; timeZone: string }) {
  const isInBrowser = useInBrowser()
  const shown = points.map((point) => ({ ...point, share: shareOf(point) }))
  const [first, last] = [points[0]?.at, points.at(-1)?.at]
  if (first === undefined || last === undefined) return null
  return (
    <section aria-labelledby="converged">
      <h2 id="converged" className="text-lg font-semibold">
        Clients on the newest policy
      </h2>
      <figure className="mt-3 rounded-md border border-line bg-surface p-4">
        <figcaption className="text-sm text-ink-soft">
          Share of the clients known at this hour of each day, of the last {points.length} days
        </figcaption>
        <div className="mt-2" style={{ height: HEIGHT }}>
          {shown.every(({ share }) => share === null) ? (
            <div className="hatched flex h-full items-center justify-center rounded-md">
              <p className="rounded-sm bg-surface px-2 py-0.5 text-sm text-ink-soft">no data</p>
            </div>
          ) : (
            isInBrowser && (
              <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
                <Trend
                  points={shown.map(({ at, share, clients, current }) => ({
                    at: at.getTime(),
                    value: share,
                    interval: null,
                    tooltip: [
                      formatInstant(at, timeZone),
                      share === null ? "no data" : `${formatShare(share)} on the newest`,
                      current === null ? plural(clients, "client") : `${current} of ${plural(clients, "client")}`,
                    ],
                  }))}
                  from={first.getTime()}
                  to={last.getTime()}
                  max={1}
                  objective={null}
                  color="var(--accent)"
                  formatValue={formatShare}
                  formatTime={(at) => formatDay(new Date(at), timeZone)}
                  height={HEIGHT}
                />
              </Suspense>
            )
          )}
        </div>
        <p className="sr-only">The figures of the chart are in the table that follows.</p>
      </figure>
      <details className="mt-3">
        <summary className="w-fit rounded-sm text-sm text-ink-soft hover:text-ink">Show as a table</summary>
        <div className="mt-2">
          <Table
            caption="Clients on the newest policy by day"
            titles={["At", "Clients", "On the newest", "Share"]}
            figures={["Clients", "On the newest", "Share"]}
          >
            {shown.toReversed().map(({ at, clients, current, share }) => (
              <tr key={at.getTime()} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {formatInstant(at, timeZone)}
                </th>
                <td className={FIGURE_CELL}>{clients === 0 ? "none" : clients}</td>
                <td className={FIGURE_CELL}>{current ?? "–"}</td>
                <td className={FIGURE_CELL}>{share === null ? "no data" : formatShare(share)}</td>
              </tr>
            ))}
          </Table>
        </div>
      </details>
    </section>
  )
}

function shareOf({ clients, current }: Convergence): number | null {
  return clients === 0 || current === null ? null : current / clients
}

const CAUSE_WORDS: Readonly<Record<ReleaseReach["cause"], string>> = {
  published: "published",
  rolled_back: "rolled back",
  exception: "an exception",
}

/** How fast and how far each release got to the clients that were there. */
export function Reach({ reach, timeZone }: { reach: readonly ReleaseReach[]; timeZone: string }) {
  if (reach.length === 0) return null
  const figures = ["Reached", "Half within", "95 % within"]
  return (
    <section aria-labelledby="reach">
      <h2 id="reach" className="text-lg font-semibold">
        How fast each version got there
      </h2>
      <p className="mt-1 text-ink-soft">
        Counted over clients that were known when it was released; reached is whoever went by it before the next one.
      </p>
      <div className="mt-3">
        <Table caption="Releases and their reach" titles={["Version", "Released", "By", ...figures]} figures={figures}>
          {reach.map((release) => (
            <tr key={release.version} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-medium`}>
                version {release.version}
              </th>
              <td className={CELL}>{formatInstant(release.releasedAt, timeZone)}</td>
              <td className={CELL}>{CAUSE_WORDS[release.cause]}</td>
              <td className={FIGURE_CELL}>
                {release.clients === 0 ? "no client yet" : `${release.reached} of ${release.clients}`}
              </td>
              <td className={FIGURE_CELL}>{formatSeconds(release.medianSeconds)}</td>
              <td className={FIGURE_CELL}>{formatSeconds(release.p95Seconds)}</td>
            </tr>
          ))}
        </Table>
      </div>
    </section>
  )
}

function formatSeconds(seconds: number | null): string {
  return seconds === null ? "–" : formatDuration(seconds * 1000)
}
