import { lazy, Suspense } from "react"
import { formatCount, formatDay, plural } from "../../lib/format.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { niceMax } from "../../lib/nice-max.ts"
import { paths } from "../../lib/paths.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { withheldReason } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { UsageBasis } from "./basis.tsx"
import type { UsageData } from "./load.server.ts"

const Lines = lazy(() => import("../../charts/lines.tsx"))
const HEIGHT = 220

export function ActiveDays({ usage, days }: { usage: UsageData; days: NonNullable<UsageData["days"]> }) {
  const isInBrowser = useInBrowser()
  const withParams = useWithParams()
  const { timeZone, range, minGroupSize } = usage
  const hasShown = days.some(({ active }) => active !== null)
  const hidden = days.filter(({ active }) => active === null).length
  return (
    <ChartCard
      term="active_days"
      basis={<UsageBasis usage={usage} parts={hidden === 0 ? [] : [`${plural(hidden, "day")} withheld`]} />}
      csv={paths.usageCsv(withParams({ chart: "days" }))}
      table={
        <Table caption={GLOSSARY.active_days.title} titles={["Day", "Active"]} figures={["Active"]}>
          {days.map(({ day, active }) => (
            <tr key={day.getTime()} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                {formatDay(day, timeZone)}
              </th>
              <td className={FIGURE_CELL}>{active ?? "withheld"}</td>
            </tr>
          ))}
        </Table>
      }
    >
      {!hasShown ? (
        <NoPicture height={HEIGHT}>
          {days.length === 0 ? "no data: nobody in a team was active" : `withheld: it ${withheldReason(minGroupSize)}`}
        </NoPicture>
      ) : (
        <div style={{ height: HEIGHT }}>
          {isInBrowser && (
            <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
              <Lines
                series={[{ label: "active", color: "var(--rung-3)", kind: "main" }]}
                points={days.map(({ day, active }) => ({
                  at: day.getTime(),
                  values: [active],
                  tooltip: [
                    formatDay(day, timeZone),
                    active === null ? "withheld" : plural(active, "active person", "active people"),
                  ],
                }))}
                from={Math.min(range.from.getTime(), ...days.map(({ day }) => day.getTime()))}
                to={range.to.getTime()}
                max={niceMax(Math.max(0, ...days.map(({ active }) => active ?? 0)))}
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
