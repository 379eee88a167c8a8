import { formatDay, formatRate, plural } from "../../lib/format.ts"
import { FORCING_WORDS, RUNG_LABELS } from "../ladder/rungs.ts"
import type { OwnData } from "./load.server.ts"

/** The operating rung of a person and how it changed last, in words. */
export function OwnRung({ own, whose }: { own: OwnData; whose: "You" | "They" }) {
  const { operating, gravity, activeDays, moves } = own.rung
  return (
    <section aria-labelledby="own-rung" className="mt-6 max-w-3xl">
      <h2 id="own-rung" className="text-lg font-semibold">
        {whose === "You" ? "Your rung" : "Their rung"}
      </h2>
      <p className="mt-1">
        {operating === null || gravity === null
          ? describeUnknown(activeDays)
          : `${RUNG_LABELS[operating]}: the highest rung reached on four of the last ten active days. Centre of gravity ${formatRate(gravity)} on a scale from 1, autocomplete, to 4, orchestration.`}
      </p>
      {moves.length > 0 && (
        <ul aria-label="Last moves" className="mt-2 space-y-1 text-sm text-ink-soft">
          {moves.map((move) => (
            <li key={move.at.getTime()}>
              <span className="figures text-ink-faint">{formatDay(move.at, own.timeZone)}</span>{" "}
              {RUNG_LABELS[move.from]} to {RUNG_LABELS[move.to].toLowerCase()}: {describeMove(move)}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function describeUnknown(activeDays: number): string {
  return activeDays < 6
    ? `Not known yet: it takes six active days, and there ${activeDays === 1 ? "is" : "are"} ${activeDays}.`
    : "None: too few of the last ten active days had work that was accepted or ran."
}

function describeMove(move: OwnData["rung"]["moves"][number]): string {
  switch (move.class) {
    case "climb":
      return "a climb"
    case "voluntary_fall_back":
      return "a voluntary fall-back, total use held"
    case "forced":
      return `forced, with ${move.forcedBy.map((reason) => FORCING_WORDS[reason]).join(" and ")} around it`
    case "disengagement":
      return "a disengagement, total use fell by more than half"
    case "recovery":
      return `a recovery, ${plural(move.recoveredAfterDays ?? 0, "day")} after the fall`
  }
}
