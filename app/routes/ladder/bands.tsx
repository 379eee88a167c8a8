import { Link } from "@remix-run/react"
import { clsx } from "clsx"
import { CircleAlert, CircleCheck, TrendingDown, TrendingUp } from "lucide-react"
import { RUNGS } from "#sdk/ladder.ts"
import { SparkBars } from "../../charts/sparkline.tsx"
import { sayBeside, sayDifference } from "../../lib/against.ts"
import {
  formatCount,
  formatDuration,
  formatMargin,
  formatPoints,
  formatRate,
  formatShare,
  plural,
} from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"
import { Figure, NoData, WeeksShown, Withheld } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import type { LadderData } from "./load.server.ts"
import { acceptanceMoved } from "./moves.ts"
import { Ropes } from "./ropes.tsx"
import { OPERATION_WORDS, RUNG_COLORS, RUNG_DESCRIPTIONS, RUNG_LABELS } from "./rungs.ts"

type Row = LadderData["rungs"][number]
type Figures = LadderData["previous"][number]

/** The ladder itself: a band for each rung, orchestration on top. */
export function Bands({ ladder }: { ladder: LadderData }) {
  return (
    <ol aria-label="Rungs, highest first" className="mt-5 overflow-hidden rounded-md border border-line bg-surface">
      {ladder.rungs.map((row) => (
        <Band key={row.rung} row={row} ladder={ladder} />
      ))}
    </ol>
  )
}

function Band({ row, ladder }: { row: Row; ladder: LadderData }) {
  const position = RUNGS.indexOf(row.rung) + 1
  const isUnused = row.volumeState === "no_data"
  return (
    <li className="flex border-b border-line last:border-b-0">
      <Ropes color={isUnused ? null : RUNG_COLORS[row.rung]} />
      <div className="grid min-w-0 flex-1 grid-cols-2 gap-x-4 gap-y-4 py-4 pr-4 sm:grid-cols-3 xl:grid-cols-[13rem_repeat(5,minmax(0,1fr))] xl:items-start xl:gap-x-6 xl:py-5">
        <div className="col-span-2 min-w-0 sm:col-span-3 xl:col-span-1">
          <h2 className="flex items-baseline gap-2 text-lg font-semibold">
            <span className="figures text-xs font-medium text-ink-faint">{position}</span>
            {RUNG_LABELS[row.rung]}
          </h2>
          <p className="text-sm text-ink-soft">{RUNG_DESCRIPTIONS[row.rung]}</p>
          {row.agentTools.length > 0 && (
            <p className="mt-1 truncate font-mono text-xs text-ink-faint" title={row.agentTools.join(", ")}>
              {row.agentTools.join(" · ")}
            </p>
          )}
          <Incidents row={row} ladder={ladder} />
        </div>
        {isUnused ? (
          <div className="hatched col-span-2 flex min-h-14 items-center rounded-md px-4 sm:col-span-3 xl:col-span-5">
            <p className="rounded-sm bg-surface px-2 py-0.5 text-sm text-ink-soft">
              No {OPERATION_WORDS[row.rung]} in this period
            </p>
          </div>
        ) : (
          <>
            <People row={row} minGroupSize={ladder.minGroupSize} />
            <Operations row={row} ladder={ladder} />
            <Acceptance row={row} ladder={ladder} />
            <Latency row={row} ladder={ladder} />
            <Prompts row={row} ladder={ladder} />
          </>
        )}
      </div>
    </li>
  )
}

/** How many incidents are not over, with the way to them. Draws nothing when there is none. */
function Incidents({ row, ladder }: { row: Row; ladder: LadderData }) {
  const count = ladder.incidents.find(({ rung }) => rung === row.rung)?.incidents ?? 0
  if (count === 0) return null
  const team = ladder.teamId === null ? "" : `&team=${ladder.teamId}`
  return (
    <Link
      to={paths.incidents(`?rung=${row.rung}${team}`)}
      prefetch="intent"
      className="mt-1.5 inline-flex items-center gap-1.5 rounded-sm bg-bad-soft px-2 py-0.5 text-xs font-medium text-bad hover:underline"
    >
      <CircleAlert aria-hidden className="size-3.5 shrink-0" />
      {plural(count, "incident")}
      <span className="sr-only"> at {RUNG_LABELS[row.rung].toLowerCase()}</span>
    </Link>
  )
}

function People({ row, minGroupSize }: { row: Row; minGroupSize: number }) {
  if (row.developers === null) return <Withheld label="People" minGroupSize={minGroupSize} />
  return (
    <Figure
      label="People"
      value={formatCount(row.developers)}
      note={<WeeksShown weeks={row.weeks.volume} minGroupSize={minGroupSize} />}
    />
  )
}

function Operations({ row, ladder }: { row: Row; ladder: LadderData }) {
  const word = `${OPERATION_WORDS[row.rung]}s`
  const label = `${word.charAt(0).toUpperCase()}${word.slice(1)}`
  if (row.operations === null) return <Withheld label={label} minGroupSize={ladder.minGroupSize} />
  const values = ladder.buckets.filter((bucket) => bucket.rung === row.rung).map((bucket) => bucket.operations)
  return (
    <div className="min-w-0">
      <Figure label={label} value={formatCount(row.operations)} />
      {values.length > 1 && (
        <div className="mt-1 max-w-32">
          <SparkBars
            values={values}
            color={RUNG_COLORS[row.rung]}
            label={`${label} per ${ladder.bucket}: ${values.map((value) => value ?? "withheld").join(", ")}`}
          />
        </div>
      )}
    </div>
  )
}

function Acceptance({ row, ladder }: { row: Row; ladder: LadderData }) {
  if (row.acceptanceState === "withheld") return <Withheld label="Acceptance" minGroupSize={ladder.minGroupSize} />
  if (row.acceptance === null || row.interval === null) {
    return <NoData label="Acceptance">not decidable from this source</NoData>
  }
  const before = ladder.previous.find((candidate) => candidate.rung === row.rung)
  return (
    <Figure
      label="Acceptance"
      value={formatShare(row.acceptance)}
      detail={formatMargin(row.interval)}
      note={
        <>
          {before !== undefined && <Change now={row} beside={before} against={ladder.against} />}
          {plural(row.presented ?? 0, "decision")} by {plural(row.presentedDevelopers ?? 0, "person", "people")}{" "}
          <WeeksShown weeks={row.weeks.acceptance} minGroupSize={ladder.minGroupSize} />
        </>
      }
    />
  )
}

/** Coloured only when it may not be chance. To another team it is no move: without colour, and in words when it may be. */
function Change({ now, beside, against }: { now: Figures; beside: Figures; against: LadderData["against"] }) {
  const points =
    now.acceptance === null || beside.acceptance === null ? null : formatPoints(now.acceptance - beside.acceptance)
  const told = sayDifference(against, points, beside.acceptanceState)
  if (told === null) return null
  const difference = acceptanceMoved(now, beside)
  if (against !== null) {
    return (
      <span className="block">
        {told}
        {points !== null && difference === null && ", within chance"}
      </span>
    )
  }
  const Icon = difference === "rose" ? TrendingUp : TrendingDown
  return (
    <>
      <span className={clsx(difference === "rose" && "text-good", difference === "fell" && "text-bad")}>
        {difference !== null && <Icon aria-hidden className="mr-1 inline size-3.5 align-[-2px]" />}
        {told}
      </span>{" "}
      ·{" "}
    </>
  )
}

function Latency({ row, ladder }: { row: Row; ladder: LadderData }) {
  const withParams = useWithParams()
  const objective = ladder.objectives[row.rung]
  const timed = `p95 ${objective.timed}`
  const label = "p95 latency"
  if (row.latencyState === "withheld") return <Withheld label={label} minGroupSize={ladder.minGroupSize} />
  if (row.latencyP95Ms === null || row.latencyP50Ms === null)
    return <NoData label={label}>not measured by this source</NoData>
  const isMet = row.latencyP95Ms <= objective.p95Ms
  const other = ladder.against === null ? undefined : ladder.previous.find(({ rung }) => rung === row.rung)
  const Icon = isMet ? CircleCheck : CircleAlert
  return (
    <Figure
      label={
        ladder.isOwn ? (
          timed
        ) : (
          <Link
            to={paths.latency(withParams({ rung: row.rung }))}
            prefetch="intent"
            className="underline decoration-line-strong underline-offset-2 hover:text-ink"
          >
            {timed}
          </Link>
        )
      }
      value={formatDuration(row.latencyP95Ms)}
      detail={`p50 ${formatDuration(row.latencyP50Ms)}`}
      note={
        <>
          <span className={isMet ? "text-good" : "text-bad"}>
            <Icon aria-hidden className="mr-1 inline size-3.5 align-[-2px]" />
            {isMet ? "within" : "past"} {formatDuration(objective.p95Ms)}
          </span>{" "}
          <WeeksShown weeks={row.weeks.latency} minGroupSize={ladder.minGroupSize} />
          {other !== undefined && (
            <span className="block">
              {sayBeside(
                ladder.against,
                other.latencyP95Ms === null ? null : formatDuration(other.latencyP95Ms),
                other.latencyState,
              )}
            </span>
          )}
        </>
      }
    />
  )
}

function Prompts({ row, ladder }: { row: Row; ladder: LadderData }) {
  const label = `Questions per ${OPERATION_WORDS[row.rung]}`
  if (row.volumeState === "withheld") return <Withheld label={label} minGroupSize={ladder.minGroupSize} />
  if (row.promptsPerOperation === null) return <NoData label={label} />
  const beside = ladder.previous.find((candidate) => candidate.rung === row.rung)
  const prompts = beside?.promptsPerOperation ?? null
  const isTold = prompts !== null && (prompts > 0 || ladder.against !== null)
  return (
    <Figure
      label={label}
      value={formatRate(row.promptsPerOperation)}
      note={sayBeside(ladder.against, isTold ? formatRate(prompts) : null, beside?.volumeState ?? "no_data")}
    />
  )
}
