import { Link } from "@remix-run/react"
import { lazy, type ReactNode, Suspense } from "react"
import { sayBeside } from "../../lib/against.ts"
import {
  formatCount,
  formatDay,
  formatDuration,
  formatMargin,
  formatRate,
  formatShare,
  plural,
} from "../../lib/format.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { niceMax } from "../../lib/nice-max.ts"
import { paths } from "../../lib/paths.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { WeeksShown, WithheldMark, withheldReason } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { Term } from "../../ui/term.tsx"
import { RUNG_COLORS, RUNG_LABELS } from "../ladder/rungs.ts"
import { OutcomesBasis } from "./basis.tsx"
import type { ChangesData, OutcomesData } from "./load.server.ts"
import { Loops } from "./loops.tsx"
import type { Share } from "./stages.ts"

const Lines = lazy(() => import("../../charts/lines.tsx"))
const HEIGHT = 200
const MINUTE_MS = 60_000

/** What a person can review of it, what was merged with and without that, and what came of it. */
export function Review({ outcomes }: { outcomes: OutcomesData }) {
  return (
    <section aria-labelledby="review" className="mt-10">
      <h2 id="review" className="text-lg font-semibold">
        Review
      </h2>
      <div className="mt-3 grid gap-4 xl:grid-cols-2">
        <Reviewable outcomes={outcomes} />
        <Debt outcomes={outcomes} />
        {outcomes.teamId === null && <ByTeam outcomes={outcomes} />}
        <Compared outcomes={outcomes} term="review_effort" chart="effort" rows={EFFORT_ROWS} />
        <Compared outcomes={outcomes} term="evidence" chart="evidence" rows={EVIDENCE_ROWS} />
        <ContextHealth outcomes={outcomes} />
        <Loops outcomes={outcomes} />
      </div>
    </section>
  )
}

const sayLimit = ({ lines, files }: OutcomesData["limit"]) =>
  `${plural(lines, "line")}${files === null ? "" : ` and ${plural(files, "file")}`}`

const reviewableOf = ({ shares }: ChangesData) => shares.reviewable
const debtOf = ({ shares }: ChangesData) => shares.unreviewed

/** A figure of each rung by week, on the time axis of the page. */
function RungLines(props: {
  outcomes: OutcomesData
  valueOf: (row: ChangesData) => number | null
  tooltipOf: (row: ChangesData) => string
  max: number
  formatValue: (value: number) => string
  height?: number
  syncId?: string
}) {
  const isInBrowser = useInBrowser()
  const { outcomes, valueOf, height = HEIGHT } = props
  const { buckets, changes, timeZone, range } = outcomes
  const rungs = changes.map(({ rung }) => rung).toReversed()
  const weeks = [...Map.groupBy(buckets, ({ week }) => week.getTime())].toSorted(([a], [b]) => a - b)
  if (buckets.every((row) => valueOf(row) === null)) {
    return (
      <NoPicture height={height}>
        {buckets.some(({ state }) => state !== "no_data")
          ? `withheld: it ${withheldReason(outcomes.minGroupSize)}`
          : "no data"}
      </NoPicture>
    )
  }
  return (
    <div style={{ height }}>
      {isInBrowser && (
        <Suspense fallback={<div className="h-full rounded-md bg-sunken" />}>
          <Lines
            series={rungs.map((rung) => ({
              label: rung === "orchestration" ? "orch." : RUNG_LABELS[rung].toLowerCase(),
              color: RUNG_COLORS[rung],
              kind: rung === "orchestration" ? "main" : "dashed",
            }))}
            points={weeks.map(([at, rows]) => ({
              at,
              values: rungs.map((rung) => {
                const row = rows.find((one) => one.rung === rung)
                return row === undefined ? null : valueOf(row)
              }),
              tooltip: [`week of ${formatDay(new Date(at), timeZone)}`, ...rows.toReversed().map(props.tooltipOf)],
            }))}
            from={Math.min(range.from.getTime(), ...weeks.map(([at]) => at))}
            to={range.to.getTime()}
            max={props.max}
            objective={null}
            marks={[]}
            formatValue={props.formatValue}
            formatTime={(at) => formatDay(new Date(at), timeZone)}
            height={height}
            {...(props.syncId !== undefined && { syncId: props.syncId })}
          />
        </Suspense>
      )}
    </div>
  )
}

function Reviewable({ outcomes }: { outcomes: OutcomesData }) {
  const withParams = useWithParams()
  const { limit, changes, previousChanges, buckets, against, otherLimit } = outcomes
  const bound = sayLimit(limit)
  const otherBound = otherLimit === null ? bound : sayLimit(otherLimit)
  return (
    <ChartCard
      term="reviewable_share"
      of={bound}
      says={<RungShares outcomes={outcomes} shareIn={reviewableOf} rows={changes} previous={previousChanges} />}
      basis={
        <OutcomesBasis
          outcomes={outcomes}
          parts={[
            limit.isFromPolicy ? "limit of the policy" : "no policy sets a limit",
            ...(otherBound === bound ? [] : [`that of ${against?.name ?? ""} is ${otherBound}`]),
            ...peopleOf(changes),
          ]}
        />
      }
      csv={paths.outcomesCsv(withParams({ chart: "changes" }))}
      table={
        <WeekTable
          outcomes={outcomes}
          caption={GLOSSARY.reviewable_share.title}
          figures={["Changes", "Within", "Unclear", "Share", "± 95 %"]}
          cells={(row) => {
            const share = reviewableOf(row)
            return [
              countOf(row.sized),
              countOf(row.within),
              countOf(row.unclear),
              share === null ? null : formatShare(share.value),
              share === null ? null : formatMargin(share.interval),
            ]
          }}
        />
      }
    >
      <RungLines
        outcomes={outcomes}
        valueOf={(row) => reviewableOf(row)?.value ?? null}
        tooltipOf={(row) => {
          const share = reviewableOf(row)
          return share === null
            ? `${RUNG_LABELS[row.rung]}: withheld`
            : `${RUNG_LABELS[row.rung]}: ${formatShare(share.value)} ${formatMargin(share.interval)} of ${plural(share.whole, "change")}`
        }}
        max={1}
        formatValue={formatShare}
      />
      {buckets.some(({ unclear }) => unclear !== null && unclear > 0) && (
        <p className="mt-2 text-xs text-ink-faint">
          {changes
            .toReversed()
            .flatMap(({ rung, unclear, sized }) =>
              unclear === null || sized === null
                ? []
                : [`${RUNG_LABELS[rung]}: ${formatCount(unclear)} of ${formatCount(sized)}`],
            )
            .join(" · ")}{" "}
          unclear: larger, with generated or lock files in them.
        </p>
      )}
    </ChartCard>
  )
}

/** A share of each rung with its interval and the one beside it: the sentence over a picture. */
function RungShares(props: {
  outcomes: OutcomesData
  rows: readonly ChangesData[]
  previous: readonly ChangesData[]
  shareIn: (row: ChangesData) => Share | null
}) {
  return (
    <span className="flex flex-wrap gap-x-6 gap-y-1">
      {props.rows.toReversed().map((row) => {
        const share = props.shareIn(row)
        const before = props.previous.find(({ rung }) => rung === row.rung)
        const was = before === undefined ? null : props.shareIn(before)
        const beside = sayBeside(
          props.outcomes.against,
          was === null ? null : formatShare(was.value),
          before?.state ?? "no_data",
        )
        return (
          <span key={row.rung} className="figures inline-flex flex-wrap items-baseline gap-x-1.5">
            <span
              aria-hidden
              className="h-1.5 w-4 self-center rounded-full"
              style={{ background: RUNG_COLORS[row.rung] }}
            />
            {RUNG_LABELS[row.rung]}{" "}
            {share === null ? (
              <WhyNone state={row.state} minGroupSize={props.outcomes.minGroupSize} />
            ) : (
              <>
                <strong className="text-base font-semibold">{formatShare(share.value)}</strong>
                <span className="text-ink-soft">{formatMargin(share.interval)}</span>
                <span className="text-xs text-ink-faint">
                  of {formatCount(share.whole)}
                  {beside !== null && (
                    <>
                      {" "}
                      · <span className="inline-block">{beside}</span>
                    </>
                  )}
                </span>
              </>
            )}
          </span>
        )
      })}
    </span>
  )
}

/** In place of a figure: of a shown whole, its own people are too few. */
function WhyNone({ state, minGroupSize }: { state: string; minGroupSize: number }) {
  return state === "no_data" ? (
    <span className="text-ink-soft">no data</span>
  ) : (
    <WithheldMark minGroupSize={minGroupSize} />
  )
}

function Debt({ outcomes }: { outcomes: OutcomesData }) {
  const withParams = useWithParams()
  const { changes, previousChanges, buckets } = outcomes
  const most = Math.max(0, ...buckets.map(({ merged }) => merged ?? 0))
  const debts = buckets.flatMap((row) => debtOf(row)?.value ?? [])
  return (
    <ChartCard
      term="review_debt"
      says={<RungShares outcomes={outcomes} shareIn={debtOf} rows={changes} previous={previousChanges} />}
      basis={<OutcomesBasis outcomes={outcomes} parts={["share merged without review", ...peopleOf(changes)]} />}
      csv={paths.outcomesCsv(withParams({ chart: "changes" }))}
      table={
        <WeekTable
          outcomes={outcomes}
          caption={GLOSSARY.review_debt.title}
          figures={["Merged", "Without review", "Share", "± 95 %"]}
          cells={(row) => {
            const share = debtOf(row)
            return [
              countOf(row.merged),
              countOf(row.mergedUnreviewed),
              share === null ? null : formatShare(share.value),
              share === null ? null : formatMargin(share.interval),
            ]
          }}
        />
      }
    >
      <p className="text-xs text-ink-faint">Merged changes by the week in which they were opened</p>
      <RungLines
        outcomes={outcomes}
        valueOf={({ merged }) => merged}
        tooltipOf={({ rung, merged }) => `${RUNG_LABELS[rung]}: ${merged === null ? "withheld" : `${merged} merged`}`}
        max={niceMax(most)}
        formatValue={formatCount}
        height={130}
        syncId="debt"
      />
      <p className="mt-2 text-xs text-ink-faint">Of those, merged without review</p>
      <RungLines
        outcomes={outcomes}
        valueOf={(row) => debtOf(row)?.value ?? null}
        tooltipOf={(row) => {
          const share = debtOf(row)
          return `${RUNG_LABELS[row.rung]}: ${share === null ? "withheld" : `${formatShare(share.value)} ${formatMargin(share.interval)} without review`}`
        }}
        max={Math.min(1, niceMax(Math.max(0.1, ...debts)))}
        formatValue={formatShare}
        height={130}
        syncId="debt"
      />
    </ChartCard>
  )
}

/** One figure of both rungs: what it is, how it is told, and on how many changes it rests. */
interface ComparedRow {
  readonly label: string
  readonly valueOf: (row: ChangesData) => string | null
  /** After the value: an interval, or how many it is of. */
  readonly restsOn: (row: ChangesData) => string | null
}

const minutes = (value: number | null) => (value === null ? null : formatDuration(value * MINUTE_MS))
const ofChanges = (count: number | null) => (count === null ? null : `of ${formatCount(count)}`)
const perChange = (count: number | null, changes: number | null) =>
  count === null || changes === null || changes === 0 ? null : formatRate(count / changes)

const EFFORT_ROWS: readonly ComparedRow[] = [
  {
    label: "Changed lines, median",
    valueOf: ({ medianLines }) => (medianLines === null ? null : formatCount(medianLines)),
    restsOn: ({ sized }) => ofChanges(sized),
  },
  {
    label: "Waiting for the first review, median",
    valueOf: ({ medianWaitMinutes }) => minutes(medianWaitMinutes),
    restsOn: ({ reviewed }) => ofChanges(reviewed),
  },
  {
    label: "Reviewing 100 lines, median",
    valueOf: ({ medianMinutesPer100Lines }) => minutes(medianMinutesPer100Lines),
    restsOn: ({ approved }) => ofChanges(approved),
  },
  {
    label: "Rounds a change",
    valueOf: ({ rounds, changes }) => perChange(rounds, changes),
    restsOn: ({ changes }) => ofChanges(changes),
  },
]

const shareRow = (label: string, shareIn: (row: ChangesData) => Share | null): ComparedRow => ({
  label,
  valueOf: (row) => {
    const share = shareIn(row)
    return share === null ? null : formatShare(share.value)
  },
  restsOn: (row) => {
    const share = shareIn(row)
    return share === null ? null : `${formatMargin(share.interval)} of ${formatCount(share.whole)}`
  },
})

const EVIDENCE_ROWS: readonly ComparedRow[] = [
  shareRow("Verified, of all changes", ({ shares }) => shares.verified),
  shareRow("Merged without evidence", ({ shares }) => shares.unverified),
  shareRow("Taken back, of merged ones", ({ shares }) => shares.reverted),
  shareRow("Closed without merging", ({ shares }) => shares.abandoned),
]

/** Figures of one rung beside those of the other, and what each was before or is of the team that is compared with. */
function Compared(props: {
  outcomes: OutcomesData
  term: "review_effort" | "evidence"
  chart: string
  rows: readonly ComparedRow[]
}) {
  const { outcomes, term, rows } = props
  const withParams = useWithParams()
  const { changes, previousChanges } = outcomes
  const rungs = changes.toReversed()
  return (
    <ChartCard
      term={term}
      basis={<OutcomesBasis outcomes={outcomes} parts={peopleOf(changes)} />}
      csv={paths.outcomesCsv(withParams({ chart: "changes" }))}
      table={
        <WeekTable
          outcomes={outcomes}
          caption={GLOSSARY[term].title}
          figures={rows.map(({ label }) => label)}
          cells={(row) => rows.map(({ valueOf }) => valueOf(row))}
        />
      }
    >
      <div className="grid grid-cols-2 gap-x-4 sm:grid-cols-[minmax(0,1.1fr)_1fr_1fr]">
        <span className="max-sm:hidden" />
        {rungs.map(({ rung, weeks }) => (
          <p key={rung} className="flex flex-wrap items-center gap-x-2 pb-1 text-xs text-ink-faint">
            <span aria-hidden className="h-1.5 w-4 rounded-full" style={{ background: RUNG_COLORS[rung] }} />
            {RUNG_LABELS[rung]} <WeeksShown weeks={weeks} minGroupSize={outcomes.minGroupSize} />
          </p>
        ))}
        {rows.map(({ label, valueOf, restsOn }) => (
          <div key={label} className="col-span-2 grid grid-cols-subgrid border-t border-line py-2 sm:col-span-3">
            <p className="text-sm text-ink-soft max-sm:col-span-2">{label}</p>
            {rungs.map((row) => {
              const [value, rest] = [valueOf(row), restsOn(row)]
              const before = previousChanges.find(({ rung }) => rung === row.rung)
              const was = before === undefined ? null : valueOf(before)
              const beside = sayBeside(outcomes.against, was, before?.state ?? "no_data")
              return (
                <div key={row.rung} className="figures min-w-0">
                  <span className="sr-only">{RUNG_LABELS[row.rung]}: </span>
                  {value === null ? (
                    <span className="text-sm">
                      <WhyNone state={row.state} minGroupSize={outcomes.minGroupSize} />
                    </span>
                  ) : (
                    <>
                      <strong className="text-base font-semibold">{value}</strong>{" "}
                      <span className="text-xs whitespace-nowrap text-ink-faint">{rest}</span>
                      {beside !== null && <span className="block text-xs text-ink-faint">{beside}</span>}
                    </>
                  )}
                </div>
              )
            })}
          </div>
        ))}
      </div>
    </ChartCard>
  )
}

const toolCallsOf = ({ acceptedToolCalls, accepted }: ChangesData) =>
  acceptedToolCalls === null || accepted === null || accepted === 0 ? null : acceptedToolCalls / accepted

function ContextHealth({ outcomes }: { outcomes: OutcomesData }) {
  const withParams = useWithParams()
  const { changes, buckets } = outcomes
  return (
    <ChartCard
      term="context_health"
      basis={<OutcomesBasis outcomes={outcomes} parts={peopleOf(changes)} />}
      says={changes
        .toReversed()
        .flatMap((row) => {
          const calls = toolCallsOf(row)
          return calls === null
            ? []
            : [`${RUNG_LABELS[row.rung]} ${formatRate(calls)}, from ${plural(row.accepted ?? 0, "accepted change")}`]
        })
        .join(" · ")}
      csv={paths.outcomesCsv(withParams({ chart: "changes" }))}
      table={
        <WeekTable
          outcomes={outcomes}
          caption={GLOSSARY.context_health.title}
          figures={["Accepted changes", "Tool calls", "A change"]}
          cells={(row) => [countOf(row.accepted), countOf(row.acceptedToolCalls), rateOf(toolCallsOf(row))]}
        />
      }
    >
      <RungLines
        outcomes={outcomes}
        valueOf={toolCallsOf}
        tooltipOf={(row) => `${RUNG_LABELS[row.rung]}: ${rateOf(toolCallsOf(row)) ?? "withheld"} tool calls a change`}
        max={niceMax(Math.max(0, ...buckets.map((row) => toolCallsOf(row) ?? 0)))}
        formatValue={formatCount}
        height={150}
      />
    </ChartCard>
  )
}

function ByTeam({ outcomes }: { outcomes: OutcomesData }) {
  const withParams = useWithParams()
  const { byTeam, teams, minGroupSize } = outcomes
  const rows = teams.flatMap((team) => {
    const ofTeam = byTeam.filter(({ teamId }) => teamId === team.id).toReversed()
    return ofTeam.map((row) => ({ team, row }))
  })
  const cells = (row: ChangesData): readonly ReactNode[] => {
    return [
      countOf(row.merged),
      toldShare(debtOf(row)),
      toldShare(row.shares.over),
      row.medianMinutesPer100Lines === null ? null : minutes(row.medianMinutesPer100Lines),
      toldShare(row.shares.reverted),
    ]
  }
  const figures = ["Merged", "Without review", "Over the limit", "Reviewing 100 lines", "Taken back"]
  return (
    <figure
      aria-labelledby="by-team"
      className="relative min-w-0 rounded-md border border-line bg-surface p-4 xl:col-span-2"
    >
      <figcaption className="flex items-start justify-between gap-3">
        <h3 id="by-team" className="text-base font-medium">
          <Term term="outcomes_by_team" />
        </h3>
        <a
          href={paths.outcomesCsv(withParams({ chart: "teams" }))}
          download
          className="text-sm text-accent underline underline-offset-2"
        >
          CSV
        </a>
      </figcaption>
      <p className="figures mt-1 mb-3 text-xs text-ink-faint">
        <OutcomesBasis outcomes={outcomes} />
      </p>
      {rows.length === 0 ? (
        <p className="text-sm text-ink-soft">No team has changes in this period.</p>
      ) : (
        <Table caption={GLOSSARY.outcomes_by_team.title} titles={["Team", "Rung", ...figures]} figures={figures}>
          {rows.map(({ team, row }) => (
            <tr key={`${team.id} ${row.rung}`} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-normal`}>
                <Link to={withParams({ team: team.id })} className="text-accent underline underline-offset-2">
                  {team.name}
                </Link>
              </th>
              <td className={CELL}>{RUNG_LABELS[row.rung]}</td>
              {row.state === "shown" ? (
                cells(row).map((cell, index) => (
                  <td key={figures[index]} className={FIGURE_CELL}>
                    {cell ?? "withheld"}
                  </td>
                ))
              ) : (
                <td colSpan={figures.length} className={`${FIGURE_CELL} text-ink-faint`}>
                  <WithheldMark minGroupSize={minGroupSize} />
                </td>
              )}
            </tr>
          ))}
        </Table>
      )}
    </figure>
  )
}

function toldShare(share: Share | null): ReactNode {
  if (share === null) return null
  return (
    <>
      {formatShare(share.value)} <span className="text-ink-faint">{formatMargin(share.interval)}</span>
    </>
  )
}

const countOf = (count: number | null) => (count === null ? null : formatCount(count))
const rateOf = (rate: number | null) => (rate === null ? null : formatRate(rate))

function peopleOf(rows: readonly ChangesData[]): string[] {
  return rows
    .toReversed()
    .flatMap(({ rung, people, changes }) =>
      people === null || changes === null
        ? []
        : [`${RUNG_LABELS[rung]}: ${plural(people, "person", "people")}, ${plural(changes, "change")}`],
    )
}

/** The figures behind a picture by week and rung. */
function WeekTable(props: {
  outcomes: OutcomesData
  caption: string
  figures: readonly string[]
  cells: (row: ChangesData) => readonly (string | null)[]
}) {
  const { outcomes, caption, figures } = props
  return (
    <Table caption={caption} titles={["Week of", "Rung", ...figures]} figures={figures}>
      {outcomes.buckets.map((row) => (
        <tr key={`${row.week.getTime()} ${row.rung}`} className={ROW}>
          <th scope="row" className={`${CELL} text-left font-normal`}>
            {formatDay(row.week, outcomes.timeZone)}
          </th>
          <td className={CELL}>{RUNG_LABELS[row.rung]}</td>
          {row.state === "shown" ? (
            props.cells(row).map((cell, index) => (
              <td key={figures[index]} className={FIGURE_CELL}>
                {cell ?? "withheld"}
              </td>
            ))
          ) : (
            <td colSpan={figures.length} className={`${FIGURE_CELL} text-ink-faint`}>
              withheld
            </td>
          )}
        </tr>
      ))}
    </Table>
  )
}
