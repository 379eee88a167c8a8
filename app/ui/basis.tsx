import type { Coverage } from "#server/usage/queries.ts"
import { formatAge, formatInstant, formatShare } from "../lib/format.ts"
import { Term } from "./term.tsx"

/** What a chart rests on: people and events, how much of the work was seen, and how fresh it is. */
export function Basis(props: {
  /** `40 people`, `1,200 suggestions`. */
  parts: readonly string[]
  coverage: Coverage
  lastReceivedAt: Date | null
  now: Date
  timeZone: string
}) {
  const { coverage, lastReceivedAt, now, timeZone } = props
  return (
    <>
      {props.parts.map((part) => (
        <span key={part}>{part} · </span>
      ))}
      <Term term="coverage">coverage</Term> {sayCoverage(coverage)}
      {lastReceivedAt !== null && (
        <>
          {" · "}
          <time dateTime={lastReceivedAt.toISOString()} title={formatInstant(lastReceivedAt, timeZone)}>
            newest {formatAge(lastReceivedAt, now)}
          </time>
        </>
      )}
    </>
  )
}

function sayCoverage({ state, eligibleDays, seenDays }: Coverage): string {
  if (state === "shown" && eligibleDays !== null && seenDays !== null) return formatShare(seenDays / eligibleDays)
  return state === "withheld" ? "withheld" : "unknown, as nobody is in a team"
}
