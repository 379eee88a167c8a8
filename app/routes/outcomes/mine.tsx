import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { CircleAlert, CircleCheck, CircleHelp } from "lucide-react"
import { asTenant } from "#server/db/tenant.ts"
import { getReviewLimit, listOwnChanges, type OwnChange, type ReviewLimit } from "#server/outcomes/review-queries.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatCount, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { EVIDENCE_WORDS } from "./evidence-words.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "My changes · Belay" }]

const PER_PAGE = 100

export const loader = guard("signed_in", async ({ viewer, request, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => {
    const now = context.now()
    const developerIds = await listDevelopersOf(tx, viewer.accountId)
    const asked = new Date(new URL(request.url).searchParams.get("before") ?? Number.NaN)
    const isNewest = Number.isNaN(asked.getTime())
    const before = isNewest ? new Date(now.getTime() + 1) : asked
    const found = await listOwnChanges(tx, { developerIds, before, limit: PER_PAGE + 1 })
    const changes = found.slice(0, PER_PAGE)
    return {
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      limit: await getReviewLimit(tx, null),
      isNewest,
      changes,
      earlierBefore: found.length > PER_PAGE ? (changes.at(-1)?.openedAt ?? null) : null,
    }
  }),
)

export default function OwnChanges() {
  const { changes, earlierBefore, isNewest, limit, now, timeZone } = useLoaderData<typeof loader>()
  const merged = changes.filter(({ mergedAt }) => mergedAt !== null).length
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">My changes</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {changes.length === 0
            ? "No change is known to have your agents’ work in it."
            : `Of the last ${plural(changes.length, "change")} with your agents’ work, ${merged} ${merged === 1 ? "was" : "were"} merged.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Nobody but you sees these one by one.
          {changes.length === 0 &&
            " A Belay-Operation trailer in a commit, or an agent that says what it committed or on which branch it worked, joins them."}
        </p>
      </header>
      {changes.length > 0 && (
        <div className="mt-4">
          <Table
            caption="My changes"
            titles={["Change", "Rung", "Opened", "How it stands", "Size, lines", "Rounds", "Joined by"]}
            figures={["Size, lines", "Rounds"]}
          >
            {changes.map((change) => (
              <tr key={`${change.provider} ${change.repository} ${change.number}`} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-mono text-xs font-normal`}>
                  {change.repository}#{change.number}
                </th>
                <td className={CELL}>
                  {RUNG_LABELS[change.rung]}, {plural(change.tasks, "task")}
                </td>
                <td className={CELL}>
                  <time dateTime={change.openedAt.toISOString()} title={formatInstant(change.openedAt, timeZone)}>
                    {formatAge(change.openedAt, now)}
                  </time>
                </td>
                <td className={CELL}>
                  <Standing change={change} now={now} timeZone={timeZone} />
                </td>
                <td className={FIGURE_CELL}>
                  <Size change={change} limit={limit} />
                </td>
                <td className={FIGURE_CELL}>{change.rounds}</td>
                <td className={CELL}>
                  {change.evidence.map((name) => EVIDENCE_WORDS[name].label).join(", ")}
                  {change.evidence[0] !== undefined && (
                    <span className="text-ink-faint"> · {EVIDENCE_WORDS[change.evidence[0]].confidence}</span>
                  )}
                </td>
              </tr>
            ))}
          </Table>
        </div>
      )}
      <nav aria-label="Pages of my changes" className="mt-3 flex gap-2">
        {!isNewest && (
          <Link to={paths.ownChanges()} className={buttonClass("quiet")}>
            Newest
          </Link>
        )}
        {earlierBefore !== null && (
          <Link
            to={paths.ownChanges(`?before=${encodeURIComponent(earlierBefore.toISOString())}`)}
            className={buttonClass("quiet")}
          >
            Earlier
          </Link>
        )}
      </nav>
    </>
  )
}

/** The stages that it reached, each with when. */
function Standing({ change, now, timeZone }: { change: OwnChange; now: Date; timeZone: string }) {
  const stages = [
    ["checked", change.checkedAt],
    ["reviewed", change.firstReviewAt],
    ["approved", change.approvedAt],
    ["merged", change.mergedAt],
    ["closed", change.mergedAt === null ? change.abandonedAt : null],
    ["taken back", change.revertedAt],
  ] as const
  const reached = stages.flatMap(([name, at]) => (at === null ? [] : [{ name, at }]))
  if (reached.length === 0) return "open"
  return (
    <>
      {reached.map(({ name, at }, index) => (
        <span key={name}>
          {index > 0 && " → "}
          <time dateTime={at.toISOString()} title={`${formatInstant(at, timeZone)}, ${formatAge(at, now)}`}>
            {name}
          </time>
        </span>
      ))}
    </>
  )
}

/** Lines, and how they stand to the limit. */
function Size({ change, limit }: { change: OwnChange; limit: ReviewLimit }) {
  const { lines, files, hasGenerated } = change
  if (lines === null) return "no data"
  const isOver = lines > limit.lines || (limit.files !== null && files !== null && files > limit.files)
  const [Icon, words, color] = !isOver
    ? ([CircleCheck, "within the review limit", "text-good"] as const)
    : hasGenerated
      ? ([CircleHelp, "over the review limit, with generated or lock files in it", "text-ink-soft"] as const)
      : ([CircleAlert, "over the review limit", "text-bad"] as const)
  return (
    <span className="inline-flex items-center gap-1.5" title={words}>
      {formatCount(lines)}
      <Icon aria-hidden className={`size-3.5 ${color}`} />
      <span className="sr-only">{words}</span>
    </span>
  )
}
