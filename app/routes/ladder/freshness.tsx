import { Link, useSearchParams } from "@remix-run/react"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { withheldReason } from "../../ui/figure.tsx"
import type { LadderData } from "./load.server.ts"

/** What the figures above rest on, and how fresh they are. */
export function Freshness({ ladder }: { ladder: LadderData }) {
  const { freshness, now, timeZone, range } = ladder
  const [search] = useSearchParams()
  const onlyMine = new URLSearchParams(search)
  onlyMine.set("who", "me")
  const isAnyWithheld = [...ladder.rungs, ...ladder.byTeam].some((row) =>
    Object.values(row.weeks).some(({ shown, total }) => shown < total),
  )
  return (
    <p className="mt-3 text-xs leading-5 text-ink-faint">
      <span className="figures">
        {plural(freshness.signals, "signal")}
        {ladder.teamId !== null && " in the organization"} from {formatInstant(range.from, timeZone)} to{" "}
        {formatInstant(range.to, timeZone)} ({timeZone})
      </span>
      {freshness.lastReceivedAt && (
        <>
          {" · "}
          <time
            dateTime={freshness.lastReceivedAt.toISOString()}
            title={formatInstant(freshness.lastReceivedAt, timeZone)}
          >
            newest {formatAge(freshness.lastReceivedAt, now)}
          </time>
        </>
      )}
      {" · "}± is the 95 % Wilson interval. Acceptance counts what a human decided; what a rule, hook or mode approved
      is not trust.
      {isAnyWithheld && (
        <>
          {" "}
          Withheld in the database, week by week: what {withheldReason(ladder.minGroupSize)} by subtraction.
          {ladder.hasOwn && !ladder.isOwn && (
            <>
              {" "}
              <Link to={`?${onlyMine}`} className="text-accent underline underline-offset-2">
                See only mine
              </Link>
              .
            </>
          )}
        </>
      )}
    </p>
  )
}
