import { Link, useSearchParams } from "@remix-run/react"
import { clsx } from "clsx"
import { CircleAlert } from "lucide-react"
import { formatDuration, formatMargin, formatPoints, formatRate, formatShare } from "../../lib/format.ts"
import { WeeksShown, WithheldMark } from "../../ui/figure.tsx"
import type { LadderData } from "./load.server.ts"
import { acceptanceMoved, promptsSurged } from "./moves.ts"
import { OPERATION_WORDS, RUNG_COLORS, RUNG_LABELS } from "./rungs.ts"

type Figures = LadderData["byTeam"][number]

/** Every team on every rung: where to look next. */
export function Teams({ ladder }: { ladder: LadderData }) {
  const [search] = useSearchParams()
  return (
    <section aria-labelledby="teams" className="mt-10">
      <h2 id="teams" className="text-lg font-semibold">
        By team
      </h2>
      <div className="mt-3 overflow-x-auto rounded-md border border-line bg-surface">
        <table className="w-full min-w-[52rem] text-sm">
          <caption className="sr-only">Acceptance, p95 latency and questions of each team on each rung</caption>
          <thead>
            <tr className="border-b border-line text-left text-xs text-ink-faint">
              <th scope="col" className="h-9 px-4 font-medium">
                Team
              </th>
              {ladder.rungs.map((row) => (
                <th key={row.rung} scope="col" className="px-4 font-medium">
                  <span
                    aria-hidden
                    className="mr-2 inline-block h-1.5 w-4 rounded-full align-middle"
                    style={{ background: RUNG_COLORS[row.rung] }}
                  />
                  {RUNG_LABELS[row.rung]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {ladder.teams.map((team) => {
              const next = new URLSearchParams(search)
              next.set("team", team.id)
              return (
                <tr key={team.id} className="group relative border-b border-line last:border-b-0 hover:bg-sunken">
                  <th
                    scope="row"
                    className={clsx(
                      "py-3 pr-4 text-left",
                      team.parentId === null ? "pl-4 font-medium" : "pl-9 font-normal",
                    )}
                  >
                    {team.parentName !== null && <span className="sr-only">{team.parentName}, </span>}
                    <Link
                      to={`?${next}`}
                      prefetch="intent"
                      className="after:absolute after:inset-0 group-hover:text-accent"
                    >
                      {team.name}
                    </Link>
                  </th>
                  {ladder.rungs.map(({ rung }) => (
                    <td key={rung} className="px-4 py-3 align-top">
                      <Cell
                        figures={ladder.byTeam.find((row) => row.teamId === team.id && row.rung === rung)}
                        before={ladder.previousByTeam.find((row) => row.teamId === team.id && row.rung === rung)}
                        ladder={ladder}
                      />
                    </td>
                  ))}
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Cell(props: { figures: Figures | undefined; before: Figures | undefined; ladder: LadderData }) {
  const { figures, before, ladder } = props
  if (figures === undefined) {
    return (
      <span className="text-ink-faint">
        <span
          aria-hidden
          className="hatched mr-1.5 inline-block size-3 rounded-sm border border-line-strong align-[-1px]"
        />
        not used
      </span>
    )
  }
  const { minGroupSize } = ladder
  if (figures.volumeState === "withheld") {
    return (
      <span className="text-ink-faint">
        <WithheldMark minGroupSize={minGroupSize} />
      </span>
    )
  }
  const objective = ladder.objectives[figures.rung].p95Ms
  const isSlow = figures.latencyP95Ms !== null && figures.latencyP95Ms > objective
  const prompts = figures.promptsPerOperation
  const isAsking = promptsSurged(prompts, before?.promptsPerOperation ?? null)
  const hasFallen = acceptanceMoved(figures, before) === "fell"
  return (
    <div className="figures">
      <p>
        {figures.acceptance === null || figures.interval === null ? (
          <span className="text-ink-faint">
            acceptance{" "}
            {figures.acceptanceState === "withheld" ? <WithheldMark minGroupSize={minGroupSize} /> : "not decidable"}
          </span>
        ) : (
          <>
            <span className="text-lg font-semibold">{formatShare(figures.acceptance)}</span>{" "}
            <span className="text-xs text-ink-faint">{formatMargin(figures.interval)}</span>
            {before?.acceptance != null && (
              <Mark isOn={hasFallen} className="ml-2 text-xs">
                {formatPoints(figures.acceptance - before.acceptance)}
              </Mark>
            )}
          </>
        )}
      </p>
      <p className="mt-0.5 flex flex-wrap gap-x-3 text-xs text-ink-soft">
        {figures.latencyP95Ms !== null && <Mark isOn={isSlow}>p95 {formatDuration(figures.latencyP95Ms)}</Mark>}
        {prompts !== null && prompts > 0 && (
          <Mark isOn={isAsking}>
            {formatRate(prompts)} questions/{OPERATION_WORDS[figures.rung]}
          </Mark>
        )}
        <WeeksShown weeks={figures.weeks.volume} minGroupSize={minGroupSize} />
      </p>
    </div>
  )
}

function Mark({ isOn, className, children }: { isOn: boolean; className?: string; children: React.ReactNode }) {
  return (
    <span className={clsx("whitespace-nowrap", isOn && "font-medium text-bad", className)}>
      {isOn && <CircleAlert aria-label="worse" className="mr-1 inline size-3.5 align-[-2px]" />}
      {children}
    </span>
  )
}
