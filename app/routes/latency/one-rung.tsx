import { Link } from "@remix-run/react"
import { clsx } from "clsx"
import { BellPlus } from "lucide-react"
import { lazy, type ReactNode, Suspense } from "react"
import type { DosePoint } from "../../charts/dose.tsx"
import type { LatencySplit } from "#server/latency/queries.ts"
import {
  formatCount,
  formatDay,
  formatDuration,
  formatMargin,
  formatRate,
  formatShare,
  plural,
} from "../../lib/format.ts"
import { niceMax, niceMaxMs } from "../../lib/nice-max.ts"
import { paths } from "../../lib/paths.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { buttonClass } from "../../ui/button.ts"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { withheldReason } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { OPERATION_WORDS, RUNG_COLORS, RUNG_LABELS } from "../ladder/rungs.ts"
import { Distribution } from "./distribution.tsx"
import type { LatencyData } from "./load.server.ts"
import { nameBucket, Panel, TimeLines } from "./panel.tsx"
import { PercentileCells } from "./rungs.tsx"
import { RungBasis } from "./rung-basis.tsx"
import { describeThreshold, nameBand } from "./words.ts"

const Dose = lazy(() => import("../../charts/dose.tsx"))
const HEIGHT = 240

/** One rung in full: how its latency spreads, what it does to acceptance and use, and whose it is. */
export function OneRung({ latency }: { latency: LatencyData }) {
  const { rung } = latency
  return (
    <section aria-labelledby="one-rung" className="mt-10">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <h2 id="one-rung" className="text-lg font-semibold">
          {RUNG_LABELS[rung]}
          <span className="font-normal text-ink-soft">, {latency.objectives[rung].timed}</span>
        </h2>
        {latency.canAlert && (
          <Link to={paths.newObjective(alertSearch(latency))} className={buttonClass("quiet")}>
            <BellPlus aria-hidden className="size-3.5" /> Alert on this
          </Link>
        )}
      </div>
      <div className="mt-3 grid gap-4 xl:grid-cols-2">
        <DoseResponse latency={latency} />
        <UseOverLatency latency={latency} />
        <Distribution latency={latency} />
        {latency.firstTokens !== null && <FirstTokens latency={latency} firstTokens={latency.firstTokens} />}
        <Teams latency={latency} />
        {latency.tools === null || latency.models === null ? (
          <NotCut />
        ) : (
          <>
            <Splits latency={latency} splits={latency.tools} by="tool" />
            <Splits latency={latency} splits={latency.models} by="model" />
          </>
        )}
      </div>
    </section>
  )
}

/** The rung, tool and model that are looked at, and where the people's own threshold was seen, that. */
function alertSearch({ rung, tool, model, dose }: LatencyData): string {
  const { threshold } = dose
  const ownMs = dose.state === "shown" && threshold.state === "seen" ? Math.round(threshold.fromMs) : null
  return `?${new URLSearchParams({
    rung,
    ...(tool !== null && { tool }),
    ...(model !== null && { model }),
    ...(ownMs !== null && { threshold: String(ownMs) }),
  })}`
}

function DoseResponse({ latency }: { latency: LatencyData }) {
  const isInBrowser = useInBrowser()
  const withParams = useWithParams()
  const { dose, rung, minGroupSize } = latency
  const labelOf = (fromMs: number) => formatDuration(fromMs)
  const points: DosePoint[] = dose.bands.map((band) => ({
    label: labelOf(band.fromMs),
    value: band.acceptance,
    reach: [band.acceptance - band.interval.low, band.interval.high - band.acceptance],
    tooltip: [
      nameBand(band),
      `${formatShare(band.acceptance)} accepted, 95 %: ${formatShare(band.interval.low)} to ${formatShare(band.interval.high)}`,
      `${plural(band.presented, "decision")} by ${plural(band.people, "person", "people")}`,
    ],
  }))
  const { threshold } = dose
  const past = threshold.state === "seen" ? dose.bands.find(({ band }) => band >= threshold.band) : undefined
  const decided = dose.bands.reduce((sum, { presented }) => sum + presented, 0)
  const hidden = dose.cells.total - dose.cells.shown
  return (
    <ChartCard
      term="dose_response"
      says={describeThreshold(dose)}
      basis={<RungBasis latency={latency} parts={decided === 0 ? [] : [plural(decided, "decision")]} />}
      csv={paths.latencyCsv(withParams({ chart: "dose" }))}
      table={
        <Table
          caption="Acceptance by latency"
          titles={["Latency", "Accepted", "± 95 %", "Decisions", "People"]}
          figures={["Accepted", "± 95 %", "Decisions", "People"]}
        >
          {dose.bands.map((band) => (
            <tr key={band.band} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                {nameBand(band)}
              </th>
              <td className={FIGURE_CELL}>{formatShare(band.acceptance)}</td>
              <td className={FIGURE_CELL}>{formatMargin(band.interval)}</td>
              <td className={FIGURE_CELL}>{formatCount(band.presented)}</td>
              <td className={FIGURE_CELL}>{band.people}</td>
            </tr>
          ))}
        </Table>
      }
    >
      {points.length === 0 ? (
        <NoPicture height={HEIGHT}>
          {dose.state === "withheld"
            ? `withheld: it ${withheldReason(minGroupSize)}`
            : `No data: nobody was seen to decide on a timed ${OPERATION_WORDS[rung]}. A rule or mode did, or the source does not say.`}
        </NoPicture>
      ) : (
        <div style={{ height: HEIGHT }}>
          {isInBrowser && (
            <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
              <Dose
                points={points}
                threshold={past === undefined ? null : labelOf(past.fromMs)}
                color={RUNG_COLORS[rung]}
                formatValue={formatShare}
                max={Math.min(1, niceMax(Math.max(...dose.bands.map(({ interval }) => interval.high))))}
                height={HEIGHT}
              />
            </Suspense>
          )}
        </div>
      )}
      <p className="mt-2 text-xs text-ink-faint">
        {dose.state === "shown" &&
          hidden > 0 &&
          `${hidden} of ${dose.cells.total} weeks by team and band are withheld: each ${withheldReason(minGroupSize)}. `}
        Fall-backs are not told by latency: too few people fall back in one week and band, and leaving those out would
        bend the share.{" "}
        <Link to={paths.ladder()} className="text-accent underline underline-offset-2">
          Moves
        </Link>{" "}
        has them.
      </p>
    </ChartCard>
  )
}

function UseOverLatency({ latency }: { latency: LatencyData }) {
  const withParams = useWithParams()
  const { rung } = latency
  const rows = latency.buckets.filter((bucket) => bucket.rung === rung)
  const perPerson = ({ operations, users }: (typeof rows)[number]) =>
    operations === null || users === null ? null : operations / users
  const word = `${OPERATION_WORDS[rung]}s`
  const uses = rows.flatMap((row) => perPerson(row) ?? [])
  const objectiveMs = latency.objectives[rung].p95Ms
  const highest = Math.max(0, ...rows.flatMap(({ p95Ms }) => p95Ms ?? []))
  const tell = (row: (typeof rows)[number]) => {
    const use = perPerson(row)
    return [
      nameBucket(row.bucketStart, latency),
      use === null
        ? `use ${row.useState === "withheld" ? "withheld" : "no data"}`
        : `${formatRate(use)} ${word} per active person`,
      row.p95Ms === null
        ? `p95 ${row.state === "withheld" ? "withheld" : "no data"}`
        : `p95 ${formatDuration(row.p95Ms)}`,
    ]
  }
  const series = (label: string) => [{ label, color: RUNG_COLORS[rung], kind: "main" as const }]
  return (
    <ChartCard
      term="use_and_latency"
      basis={<RungBasis latency={latency} />}
      csv={paths.latencyCsv(withParams({ chart: "use" }))}
      table={
        <Table
          caption="Use and latency"
          titles={[latency.bucket === "week" ? "Week of" : "Day", "Operations", "Active people", "Per person", "p95"]}
          figures={["Operations", "Active people", "Per person", "p95"]}
        >
          {rows.map((row) => {
            const use = perPerson(row)
            const none = row.useState === "withheld" ? "withheld" : "no data"
            return (
              <tr key={row.bucketStart.getTime()} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {formatDay(row.bucketStart, latency.timeZone)}
                </th>
                <td className={FIGURE_CELL}>{row.operations ?? none}</td>
                <td className={FIGURE_CELL}>{row.users ?? none}</td>
                <td className={FIGURE_CELL}>{use === null ? none : formatRate(use)}</td>
                <td className={FIGURE_CELL}>
                  {row.p95Ms === null ? (row.state === "withheld" ? "withheld" : "no data") : formatDuration(row.p95Ms)}
                </td>
              </tr>
            )
          })}
        </Table>
      }
    >
      {uses.length === 0 ? (
        <NoPicture height={HEIGHT}>
          {rows.some(({ useState }) => useState === "withheld") ? "withheld" : "no data"}
        </NoPicture>
      ) : (
        <>
          <p className="text-xs text-ink-soft">{word} per active person</p>
          <TimeLines
            latency={latency}
            height={HEIGHT * 0.55}
            syncId="use"
            series={series("use")}
            points={rows.map((row) => ({
              at: row.bucketStart.getTime(),
              values: [perPerson(row)],
              tooltip: tell(row),
            }))}
            max={niceMax(Math.max(...uses))}
            objective={null}
            formatValue={formatRate}
          />
          <p className="mt-2 text-xs text-ink-soft">p95 latency</p>
          <TimeLines
            latency={latency}
            height={HEIGHT * 0.55}
            syncId="use"
            series={series("p95")}
            points={rows.map((row) => ({ at: row.bucketStart.getTime(), values: [row.p95Ms], tooltip: tell(row) }))}
            max={niceMaxMs(objectiveMs < highest * 3 ? Math.max(highest, objectiveMs) : highest)}
            objective={objectiveMs}
            formatValue={formatDuration}
          />
        </>
      )}
    </ChartCard>
  )
}

function FirstTokens({ latency, firstTokens }: { latency: LatencyData; firstTokens: LatencySplit }) {
  const withParams = useWithParams()
  return (
    <ChartCard
      term="first_token"
      basis={<RungBasis latency={latency} parts={[]} />}
      csv={paths.latencyCsv(withParams({ chart: "first-token" }))}
      table={<SplitTable latency={latency} splits={[firstTokens]} title={null} />}
    >
      <Panel
        name="Every model"
        to={null}
        color={RUNG_COLORS[latency.rung]}
        figures={firstTokens}
        previous={firstTokens.previous}
        steps={firstTokens.buckets.map((bucket) => ({ ...bucket, at: bucket.week }))}
        objectiveMs={null}
        words="calls"
        height={HEIGHT - 56}
        latency={latency}
      />
    </ChartCard>
  )
}

const SPLITS = {
  tool: { term: "latency_by_tool", title: "Agent tool", chart: "tools" },
  model: { term: "latency_by_model", title: "Model", chart: "models" },
} as const

/** The rung by agent tool or by model, as small multiples; the one that is chosen alone. */
function Splits(props: { latency: LatencyData; splits: readonly LatencySplit[]; by: "tool" | "model" }) {
  const { latency, splits, by } = props
  const withParams = useWithParams()
  const { term, title, chart } = SPLITS[by]
  const shown = splits.filter(({ state }) => state === "shown")
  const chosen = shown.filter(({ name }) => name === latency[by])
  const drawn = latency[by] === null ? shown : chosen
  const hidden = splits.length - shown.length
  const objectiveMs = by === "tool" || latency.rung === "autocomplete" ? latency.objectives[latency.rung].p95Ms : null
  return (
    <ChartCard
      term={term}
      of={latency[by] ?? RUNG_LABELS[latency.rung].toLowerCase()}
      basis={<RungBasis latency={latency} parts={[]} />}
      csv={paths.latencyCsv(withParams({ chart }))}
      table={<SplitTable latency={latency} splits={shown} title={title} />}
    >
      {drawn.length === 0 ? (
        <NoPicture height={HEIGHT / 2}>
          {hidden > 0
            ? `withheld: it ${withheldReason(latency.minGroupSize)}`
            : by === "model"
              ? "No data: no source says when a model began to answer here."
              : "no data"}
        </NoPicture>
      ) : (
        <div className={clsx("grid gap-x-8 gap-y-6", drawn.length > 1 && "md:grid-cols-2")}>
          {drawn.map((split) => (
            <Panel
              key={split.name}
              name={split.name ?? "not named"}
              to={split.name === null ? null : withParams({ [by]: latency[by] === null ? split.name : null })}
              color={RUNG_COLORS[latency.rung]}
              figures={split}
              previous={latency.against === null ? split.previous : undefined}
              steps={split.buckets.map((bucket) => ({ ...bucket, at: bucket.week }))}
              objectiveMs={objectiveMs}
              words={by === "tool" ? `${OPERATION_WORDS[latency.rung]}s` : "calls"}
              latency={latency}
            />
          ))}
        </div>
      )}
      {hidden > 0 && drawn.length > 0 && (
        <p className="mt-3 text-xs text-ink-faint">
          {hidden === 1 ? "One more is" : `${hidden} more are`} withheld: it {withheldReason(latency.minGroupSize)}.
        </p>
      )}
    </ChartCard>
  )
}

function SplitTable(props: { latency: LatencyData; splits: readonly LatencySplit[]; title: string | null }) {
  const { latency, splits, title } = props
  const figures = ["p50", "p95", "p99", "Timed", "People"]
  return (
    <Table
      caption={title === null ? "By week" : `By ${title.toLowerCase()} and week`}
      titles={["Week of", ...(title === null ? [] : [title]), ...figures]}
      figures={figures}
    >
      {splits.flatMap((split) =>
        split.buckets.map((row) => (
          <tr key={`${split.name} ${row.week.getTime()}`} className={ROW}>
            <th scope="row" className={`${CELL} text-left font-normal`}>
              {formatDay(row.week, latency.timeZone)}
            </th>
            {title !== null && <td className={CELL}>{split.name ?? "not named"}</td>}
            <PercentileCells row={row} />
          </tr>
        )),
      )}
    </Table>
  )
}

/** Where a team is chosen. */
function NotCut(): ReactNode {
  const withParams = useWithParams()
  return (
    <p className="self-start rounded-md border border-line bg-surface p-4 text-sm text-ink-soft">
      By agent tool and by model latency is told of the whole organization only: cut by team as well, the groups would
      be too small to show.{" "}
      <Link to={withParams({ team: null })} preventScrollReset className="text-accent underline underline-offset-2">
        All teams
      </Link>
    </p>
  )
}

function Teams({ latency }: { latency: LatencyData }) {
  const withParams = useWithParams()
  const rows = latency.teams.flatMap((team) => {
    const row = latency.byTeam.find(({ teamId, rung }) => teamId === team.id && rung === latency.rung)
    return row === undefined ? [] : [{ team, row }]
  })
  if (latency.teamId !== null || rows.length === 0) return null
  const highest = Math.max(...rows.map(({ row }) => row.p95Ms ?? 0), 1)
  const objectiveMs = latency.objectives[latency.rung].p95Ms
  const figures = ["p50", "p95", "p99", "Late", "Timed", "People"]
  return (
    <ChartCard
      term="latency_by_team"
      of={RUNG_LABELS[latency.rung].toLowerCase()}
      basis={<RungBasis latency={latency} />}
      csv={paths.latencyCsv(withParams({ chart: "teams" }))}
      table={
        <Table caption="Latency by team" titles={["Team", ...figures]} figures={figures}>
          {rows.map(({ team, row }) => (
            <tr key={team.id} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                {team.name}
              </th>
              <PercentileCells row={row} lateShare={row.lateShare} />
            </tr>
          ))}
        </Table>
      }
    >
      <ul className="space-y-1.5">
        {rows.map(({ team, row }) => (
          <li key={team.id}>
            <Link
              to={withParams({ team: team.id, tool: null, model: null })}
              preventScrollReset
              prefetch="intent"
              className="group grid grid-cols-[8rem_1fr_5rem] items-center gap-3 text-sm"
            >
              <span className={clsx("truncate group-hover:text-accent", team.parentId !== null && "pl-4")}>
                {team.name}
              </span>
              {row.p95Ms === null ? (
                <span className="hatched h-4 rounded-sm" />
              ) : (
                <svg role="presentation" width="100%" height="16" className="block">
                  <rect width={`${(row.p95Ms / highest) * 100}%`} height="16" rx="2" fill={RUNG_COLORS[latency.rung]} />
                  {objectiveMs <= highest && (
                    <line
                      x1={`${(objectiveMs / highest) * 100}%`}
                      x2={`${(objectiveMs / highest) * 100}%`}
                      y2="16"
                      stroke="var(--good)"
                      strokeWidth="2"
                      strokeDasharray="3 2"
                    />
                  )}
                </svg>
              )}
              <span className="figures text-right whitespace-nowrap">
                {row.p95Ms === null ? (
                  <span className="text-xs text-ink-faint">{row.state === "withheld" ? "withheld" : "no data"}</span>
                ) : (
                  formatDuration(row.p95Ms)
                )}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="mt-2 text-xs text-ink-faint">
        p95{objectiveMs <= highest && `; the dashed line is the objective of ${formatDuration(objectiveMs)}`}.
      </p>
    </ChartCard>
  )
}
