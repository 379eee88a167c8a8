import { clsx } from "clsx"
import { CircleAlert } from "lucide-react"
import { type Against, sayBeside } from "../../lib/against.ts"
import { formatCount, formatMargin, formatShare, plural } from "../../lib/format.ts"
import { GLOSSARY } from "../../lib/glossary.ts"
import { paths } from "../../lib/paths.ts"
import { ChartCard, NoPicture } from "../../ui/chart-card.tsx"
import { WeeksShown, withheldReason } from "../../ui/figure.tsx"
import { useWithParams } from "../../ui/scope-filters.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { Term } from "../../ui/term.tsx"
import { OPERATION_WORDS, RUNG_COLORS, RUNG_LABELS } from "../ladder/rungs.ts"
import { OutcomesBasis } from "./basis.tsx"
import { EVIDENCE_WORDS } from "./evidence-words.ts"
import type { FunnelData, OutcomesData } from "./load.server.ts"
import { findBreak, type Stage, STAGE_LABELS } from "./stages.ts"

/** How far tasks came, one rung beside the other. */
export function Funnels({ outcomes }: { outcomes: OutcomesData }) {
  const withParams = useWithParams()
  const { funnels, previousFunnels, joins } = outcomes
  return (
    <section aria-labelledby="tasks" className="mt-8">
      <h2 id="tasks" className="text-lg font-semibold">
        Tasks
      </h2>
      <ChartCard
        term="task_funnel"
        of={outcomes.teamName ?? "all teams"}
        className="mt-3"
        basis={<OutcomesBasis outcomes={outcomes} />}
        csv={paths.outcomesCsv(withParams({ chart: "funnel" }))}
        table={<FunnelTable outcomes={outcomes} />}
      >
        <div className="grid gap-x-10 gap-y-8 lg:grid-cols-2">
          {funnels.toReversed().map((funnel) => (
            <OneFunnel
              key={funnel.rung}
              funnel={funnel}
              previous={previousFunnels.find(({ rung }) => rung === funnel.rung)}
              outcomes={outcomes}
            />
          ))}
        </div>
        <p className="mt-4 flex flex-wrap gap-x-5 gap-y-1 text-xs text-ink-soft">
          <span className="inline-flex items-center gap-1.5">
            <span aria-hidden className="hatched inline-block h-3 w-5 rounded-sm border border-line-strong" />
            not known what became of it, or merged less than 14 days ago
          </span>
          {joins !== null && (
            <>
              <span>
                <Term term="unjoined">Unjoined</Term>: in about {formatShare(joins.unjoined)} of all changes no agent’s
                work is known to be.
              </span>
              <span>
                <Term term="joined_by">Joined</Term> by{" "}
                {joins.by
                  .map(({ evidence, share }) => {
                    const { label, confidence } = EVIDENCE_WORDS[evidence]
                    return `${label} (${confidence}) about ${formatShare(share)}`
                  })
                  .join(", ")}
                .
              </span>
            </>
          )}
        </p>
      </ChartCard>
    </section>
  )
}

function OneFunnel(props: { funnel: FunnelData; previous: FunnelData | undefined; outcomes: OutcomesData }) {
  const { funnel, previous, outcomes } = props
  const words = `${OPERATION_WORDS[funnel.rung]}s`
  const { stages } = funnel
  const broken = findBreak(stages)
  const before = previous?.stages ?? []
  const { against } = outcomes
  const isNoneBeside = against !== null && funnel.state === "shown" && previous !== undefined && before.length === 0
  return (
    <section aria-label={RUNG_LABELS[funnel.rung]} className="min-w-0">
      <div className="flex flex-wrap items-baseline justify-between gap-x-3">
        <h4 className="flex items-center gap-2 text-sm font-medium">
          <span aria-hidden className="h-1.5 w-4 rounded-full" style={{ background: RUNG_COLORS[funnel.rung] }} />
          {RUNG_LABELS[funnel.rung]}
        </h4>
        <p className="figures text-xs text-ink-faint">
          {funnel.people !== null && `${plural(funnel.people, "person", "people")} · `}
          {funnel.planned !== null && plural(funnel.planned, OPERATION_WORDS[funnel.rung])}{" "}
          <WeeksShown weeks={funnel.weeks} minGroupSize={outcomes.minGroupSize} />
          {isNoneBeside && ` · ${sayBeside(against, null, previous.state)}`}
        </p>
      </div>
      {funnel.state === "shown" ? (
        <ul className="mt-2 space-y-1">
          {stages.map((stage) => (
            <StageBar
              key={stage.name}
              stage={stage}
              whole={funnel.planned ?? 0}
              color={RUNG_COLORS[funnel.rung]}
              isBreak={stage === broken}
              before={before.find(({ name }) => name === stage.name)}
              against={against}
            />
          ))}
        </ul>
      ) : (
        <div className="mt-2">
          <NoPicture height={200}>
            {funnel.state === "withheld"
              ? `withheld: it ${withheldReason(outcomes.minGroupSize)}`
              : funnel.begun === null
                ? "no data"
                : `no data: ${formatCount(funnel.begun)} ${words} ran, and of none it is known what became of it`}
          </NoPicture>
        </div>
      )}
    </section>
  )
}

function StageBar(props: {
  stage: Stage
  whole: number
  color: string
  isBreak: boolean
  before: Stage | undefined
  against: Against | null
}) {
  const { stage, whole, isBreak, before, against } = props
  const { name, reached, step, unknown } = stage
  // Where another team has none of the funnel, its head says so once.
  const beside =
    step === null || before === undefined
      ? null
      : sayBeside(against, before.step === null ? null : formatShare(before.step.value), "no_data")
  const widthOf = (count: number) => `${whole === 0 ? 0 : (count / whole) * 100}%`
  return (
    <li className="grid grid-cols-[7.5rem_1fr_3.25rem] items-center gap-x-3 text-sm sm:grid-cols-[9.5rem_1fr_3.5rem]">
      <span className="min-w-0">{STAGE_LABELS[name]}</span>
      <span aria-hidden className="flex h-4 min-w-0 overflow-hidden rounded-sm bg-sunken">
        <span style={{ width: widthOf(reached ?? 0), background: props.color }} />
        <span className="hatched" style={{ width: widthOf(unknown) }} />
      </span>
      <span className="figures text-right">{reached === null ? "no data" : formatCount(reached)}</span>
      <span
        className={clsx(
          "figures col-start-1 col-end-4 min-h-4 sm:col-start-2 text-xs",
          isBreak ? "text-bad" : "text-ink-faint",
        )}
      >
        {isBreak && <CircleAlert aria-hidden className="mr-1 inline size-3.5 align-[-2px]" />}
        {step !== null && `${formatShare(step.value)} ${formatMargin(step.interval)} ${OF_WHAT[name]}`}
        {beside !== null && (
          <>
            , <span className="inline-block">{beside}</span>
          </>
        )}
        {isBreak && " · breaks here"}
      </span>
    </li>
  )
}

/** What the share of a step is of. */
const OF_WHAT: Record<Stage["name"], string> = {
  planned: "",
  ran: "of the planned",
  known: "of what ran",
  verified: "of the known",
  reviewed: "of the verified",
  merged: "of the reviewed",
  alive: "of those merged 14 days ago",
}

function FunnelTable({ outcomes }: { outcomes: OutcomesData }) {
  return (
    <Table
      caption={GLOSSARY.task_funnel.title}
      titles={["Rung", "Stage", "Reached", "Of the stage before", "Share", "± 95 %"]}
      figures={["Reached", "Of the stage before", "Share", "± 95 %"]}
    >
      {outcomes.funnels.toReversed().flatMap((funnel) =>
        funnel.state === "shown"
          ? funnel.stages.map(({ name, reached, step }) => (
              <tr key={`${funnel.rung} ${name}`} className={ROW}>
                <td className={CELL}>{RUNG_LABELS[funnel.rung]}</td>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {STAGE_LABELS[name]}
                </th>
                <td className={FIGURE_CELL}>{reached === null ? "no data" : formatCount(reached)}</td>
                <td className={FIGURE_CELL}>
                  {step === null ? "" : `${formatCount(step.part)} of ${formatCount(step.whole)}`}
                </td>
                <td className={FIGURE_CELL}>{step === null ? "" : formatShare(step.value)}</td>
                <td className={FIGURE_CELL}>{step === null ? "" : formatMargin(step.interval)}</td>
              </tr>
            ))
          : [
              <tr key={funnel.rung} className={ROW}>
                <td className={CELL}>{RUNG_LABELS[funnel.rung]}</td>
                <td colSpan={5} className={`${FIGURE_CELL} text-ink-faint`}>
                  {funnel.state === "withheld" ? "withheld" : "no data"}
                </td>
              </tr>,
            ],
      )}
    </Table>
  )
}
