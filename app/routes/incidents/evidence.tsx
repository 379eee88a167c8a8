import { CircleCheck, CircleDashed, CircleHelp, CircleMinus, Lock } from "lucide-react"
import type { ShownCheck } from "#server/detect/queries.ts"
import { formatShare, plural } from "../../lib/format.ts"
import { Figure, Withheld, WithheldMark } from "../../ui/figure.tsx"
import { CELL, FIGURE_CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"
import {
  CAUSE_LABELS,
  describeChange,
  describeCheck,
  describeDistance,
  describeEvent,
  describeFigures,
  describePeople,
  describePlace,
  formatHour,
  formatRatio,
  formatSure,
  REASON_LABELS,
  SIGNAL_LABELS,
  type When,
} from "./incident-words.ts"
import type { IncidentData } from "./load.server.ts"
import { NoteForm } from "./actions.tsx"

/** What it stands on: the leading signal, the people, the rest of the organization, and how sure. */
export function Figures({ data }: { data: IncidentData }) {
  const { incident } = data
  const { leading, leadingSignal } = incident
  if (incident.kind === "data_quality") return null
  const people = describePeople(incident)
  const figures = leading === null ? null : describeFigures(leading, incident.rung)
  return (
    <section
      aria-label="Figures"
      className="mt-6 grid grid-cols-2 gap-x-6 gap-y-5 rounded-md border border-line bg-surface p-5 lg:grid-cols-4"
    >
      {leading !== null && (
        <Figure
          label={SIGNAL_LABELS[leading.watched]}
          value={formatRatio(leading.ratio)}
          detail={`${formatRatio(leading.low)} to ${formatRatio(leading.high)}`}
          note={figures === null ? "80 % interval" : `${figures} · 80 % interval`}
        />
      )}
      {leading === null && leadingSignal !== null && (
        <Withheld label={SIGNAL_LABELS[leadingSignal]} minGroupSize={data.minGroupSize} />
      )}
      {incident.developerId === null && (
        <Figure
          label="Who shows it"
          value={people ?? "withheld"}
          note={
            people === null
              ? `too few to count, of ${plural(incident.people, "person", "people")}`
              : `who work here: ${describePlace(incident)}`
          }
        />
      )}
      {leading !== null && leading.restRatio !== null && (
        <Figure
          label="The rest of the organization"
          value={formatRatio(leading.restRatio)}
          note={
            incident.explained === null
              ? "against what is expected there"
              : `${formatShare(incident.explained)} of the whole loss is here`
          }
        />
      )}
      {leading?.isRestWithheld === true && (
        <Withheld label="The rest of the organization" minGroupSize={data.minGroupSize} />
      )}
      <Figure label="Confidence that it is real" value={formatSure(incident.confidence)} />
    </section>
  )
}

/** Causes by how likely they are, each with the figures of its signals; then the signals that speak for none of them. */
export function Causes({ data }: { data: IncidentData }) {
  const { incident, signals } = data
  if (signals.length === 0) return null
  // Of a single person only the cause itself is told.
  const causes =
    incident.causes.length > 0 ? incident.causes : [{ cause: incident.cause, share: null, reasons: [] as const }]
  const ranked = causes.map(({ cause }) => cause)
  const rankOf = (cause: (typeof ranked)[number]) => (ranked.includes(cause) ? ranked.indexOf(cause) : ranked.length)
  const evidenceOf = (signal: Signal) => (signal.disclosure === "shown" ? signal.logEvidence : 0)
  const rows = signals.toSorted((a, b) => rankOf(a.cause) - rankOf(b.cause) || evidenceOf(b) - evidenceOf(a))
  return (
    <section aria-labelledby="why" className="mt-10">
      <h2 id="why" className="text-lg font-semibold">
        Why, most likely first
      </h2>
      <div className="mt-3">
        <Table
          caption="Causes and their signals"
          titles={["Cause", "Share", "Signal", "Observed", "Against expected", "80 % interval", "Elsewhere"]}
          figures={["Share", "Against expected", "80 % interval", "Elsewhere"]}
        >
          {rows.map((signal, index) => {
            const known = causes.find(({ cause }) => cause === signal.cause)
            const isFirst = rows[index - 1]?.cause !== signal.cause
            return (
              <tr key={signal.watched} className={ROW}>
                <th scope="row" className={`${CAUSE_CELL} text-left font-medium`}>
                  {known === undefined ? (
                    <span className="font-normal text-ink-faint">{describeUnranked(signal)}</span>
                  ) : (
                    <span className={isFirst ? "" : "sr-only"}>{CAUSE_LABELS[signal.cause]}</span>
                  )}
                  {isFirst && known !== undefined && known.reasons.length > 0 && (
                    <span className="block text-xs font-normal text-ink-faint">
                      {known.reasons.map((reason) => REASON_LABELS[reason]).join(", ")}
                    </span>
                  )}
                </th>
                <td className={FIGURE_CELL}>{isFirst && known?.share != null ? formatSure(known.share) : ""}</td>
                <td className={CELL}>{SIGNAL_LABELS[signal.watched]}</td>
                {signal.disclosure === "withheld" ? (
                  <td className={`${CELL} text-ink-soft`} colSpan={4}>
                    <WithheldMark minGroupSize={data.minGroupSize} />
                  </td>
                ) : (
                  <>
                    <td className={OBSERVED_CELL}>
                      {describeFigures(signal, incident.rung) ?? <WithheldMark minGroupSize={data.minGroupSize} />}
                    </td>
                    <td className={FIGURE_CELL}>{formatRatio(signal.ratio)}</td>
                    <td className={FIGURE_CELL}>
                      {formatRatio(signal.low)} to {formatRatio(signal.high)}
                    </td>
                    <td className={FIGURE_CELL}>
                      {signal.isRestWithheld ? (
                        <WithheldMark minGroupSize={data.minGroupSize} />
                      ) : signal.restRatio === null ? (
                        "–"
                      ) : (
                        formatRatio(signal.restRatio)
                      )}
                    </td>
                  </>
                )}
              </tr>
            )
          })}
        </Table>
      </div>
    </section>
  )
}

type Signal = IncidentData["signals"][number]

/** Wide enough for reasons in words, which take several lines. */
const CAUSE_CELL = "h-10 min-w-44 max-w-80 px-3 py-2 md:px-4"
const OBSERVED_CELL = "figures h-10 min-w-44 px-3 py-2 md:px-4"

/** Of a signal that speaks for none of the causes. */
function describeUnranked(signal: Signal): string {
  if (signal.disclosure === "withheld") return "not ranked"
  const { watched, low, high } = signal
  if (low <= 1 && high >= 1) return "as expected"
  const isLoss = watched === "use" || watched === "acceptance" || watched === "outcome"
  return isLoss && high < 1 ? "the loss itself" : "too weak to rank"
}

const RESULTS: Record<ShownCheck["result"], { label: string; icon: typeof CircleCheck; color: string }> = {
  excluded: { label: "Ruled out", icon: CircleCheck, color: "text-good" },
  found: { label: "Found", icon: CircleHelp, color: "text-warn" },
  not_checked: { label: "Not checked", icon: CircleDashed, color: "text-ink-faint" },
  withheld: { label: "Withheld", icon: Lock, color: "text-ink-faint" },
}

/** Innocent explanations, each with the number that speaks for or against it. */
export function Checks({ checks }: { checks: readonly ShownCheck[] }) {
  if (checks.length === 0) return null
  const order = ["found", "excluded", "withheld", "not_checked"]
  return (
    <section aria-labelledby="checks" className="mt-10 max-w-3xl">
      <h2 id="checks" className="text-lg font-semibold">
        What was ruled out
      </h2>
      <ul className="mt-3 divide-y divide-line rounded-md border border-line bg-surface">
        {checks
          .toSorted((a, b) => order.indexOf(a.result) - order.indexOf(b.result))
          .map((check) => {
            const { label, icon: Icon, color } = RESULTS[check.result]
            return (
              <li key={check.check} className="flex items-start gap-3 px-4 py-2.5 text-sm">
                <span className={`inline-flex w-28 shrink-0 items-center gap-1.5 text-xs leading-5 ${color}`}>
                  <Icon aria-hidden className="size-3.5 shrink-0" />
                  {label}
                </span>
                <span className="figures">{describeCheck(check)}</span>
              </li>
            )
          })}
      </ul>
    </section>
  )
}

/** What changed around the start, those that do not fit too. */
export function Changes({ incident, when }: { incident: IncidentData["incident"]; when: When }) {
  const { changes, startedAt, kind } = incident
  if (kind === "data_quality") return null
  return (
    <section aria-labelledby="changes" className="mt-10 max-w-3xl">
      <h2 id="changes" className="text-lg font-semibold">
        What changed around then
      </h2>
      {changes.length === 0 ? (
        <p className="mt-2 text-ink-soft">Nothing that Belay was told of, from two days before until a day after.</p>
      ) : (
        <div className="mt-3">
          <Table caption="Changes around the start" titles={["Change", "When", "Against the start", "Fits"]}>
            {changes.map((change) => (
              <tr key={`${change.kind} ${change.subject} ${change.at}`} className={ROW}>
                <th scope="row" className={`${TEXT_CELL} text-left font-medium wrap-anywhere`}>
                  {describeChange(change)}
                  {change.kind === "policy" && <span className="font-normal text-ink-faint"> ({change.subject})</span>}
                </th>
                <td className={CELL}>{formatHour(new Date(change.at), when)}</td>
                <td className={CELL}>{describeDistance(change.at, startedAt)}</td>
                <td className={CELL}>
                  <span className={`inline-flex items-center gap-1.5 ${change.fits ? "" : "text-ink-faint"}`}>
                    {change.fits ? (
                      <CircleCheck aria-hidden className="size-3.5" />
                    ) : (
                      <CircleMinus aria-hidden className="size-3.5" />
                    )}
                    {change.fits ? "fits" : "does not fit"}
                  </span>
                </td>
              </tr>
            ))}
          </Table>
        </div>
      )}
    </section>
  )
}

/** What became of it and who did what, and what people say it was. */
export function History({ data, when }: { data: IncidentData; when: When }) {
  const { history, teams } = data
  return (
    <section aria-labelledby="history" className="mt-10 max-w-3xl">
      <h2 id="history" className="text-lg font-semibold">
        History
      </h2>
      {history.events.length === 0 && <p className="mt-2 text-ink-soft">Nothing happened since it was found.</p>}
      <ol className="mt-3 space-y-2 border-l border-line-strong pl-4">
        {history.events.map((event, index) => (
          // Never changed or reordered.
          // oxlint-disable-next-line react/no-array-index-key
          <li key={index} className="text-sm wrap-anywhere">
            <span className="text-ink-faint">{formatHour(event.at, when)}</span>{" "}
            <span className="whitespace-pre-line">{describeEvent(event, teams)}</span>{" "}
            <span className="text-ink-soft">
              {event.isByDetector ? "Belay" : (event.byEmail ?? "somebody who is gone")}
            </span>
          </li>
        ))}
      </ol>
      <NoteForm data={data} />
      {history.labels.length > 0 && (
        <ul aria-label="Labels" className="mt-4 divide-y divide-line rounded-md border border-line bg-surface">
          {history.labels.map((label) => (
            <li key={label.byEmail} className="px-4 py-2.5 text-sm wrap-anywhere">
              <span className="font-medium">{label.isReal ? "Real" : "Not real"}</span>
              {label.cause !== null && label.cause in CAUSE_LABELS && (
                <> · {Object.entries(CAUSE_LABELS).find(([cause]) => cause === label.cause)?.[1]}</>
              )}
              {label.comment !== null && <> · “{label.comment}”</>}
              <span className="text-ink-soft"> {label.byEmail}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
