import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData, useSearchParams } from "@remix-run/react"
import { Download, Eye, Lock, Pin, ShieldCheck } from "lucide-react"
import { plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { Filters } from "./filters.tsx"
import {
  CAUSE_LABELS,
  describeIncident,
  describeLevel,
  describePeople,
  describePlace,
  describeRungs,
  formatHour,
  formatSure,
  KIND_LABELS,
} from "./incident-words.ts"
import { type IncidentList, loadIncidents } from "./load.server.ts"
import { TrackRecordNote } from "./track-record.tsx"
import { StateBadge } from "./state-badge.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Incidents · Belay" }]

export const loader = guard("incidents.read", async ({ viewer, request, context }) =>
  loadIncidents(viewer, new URL(request.url).searchParams, context),
)

export default function Incidents() {
  const list = useLoaderData<typeof loader>()
  const [search] = useSearchParams()
  const withParams = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(search)
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) next.delete(name)
      else next.set(name, value)
    }
    return paths.incidents(`?${next}`)
  }
  const { choice } = list
  const hidesWithheld = choice.state !== "any" || choice.cause !== null || choice.kind !== null || choice.team !== null
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Incidents</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{describeList(list)}</p>
      </header>
      <Filters list={list} />
      {list.incidents.length === 0 ? (
        <Nothing list={list} />
      ) : (
        <ol aria-label="Incidents, newest first" className="mt-5 rounded-md border border-line bg-surface">
          {list.incidents.map((incident) => (
            <li key={incident.id} className="border-b border-line last:border-b-0">
              {incident.disclosure === "shown" ? (
                <Row incident={incident} list={list} />
              ) : (
                <WithheldRow incident={incident} list={list} />
              )}
            </li>
          ))}
        </ol>
      )}
      <nav aria-label="Pages of the list" className="mt-3 flex flex-wrap gap-2">
        {!list.isNewest && (
          <Link to={withParams({ before: null })} className={buttonClass("quiet")}>
            Newest
          </Link>
        )}
        {list.next !== null && (
          <Link to={withParams({ before: list.next })} className={buttonClass("quiet")}>
            Older
          </Link>
        )}
        {list.incidents.length > 0 && (
          <a href={paths.incidentsCsv(`?${search}`)} download className={buttonClass("quiet", "ml-auto")}>
            <Download aria-hidden className="size-3.5" />
            CSV
          </a>
        )}
      </nav>
      <TrackRecordNote record={list.trackRecord} />
      {hidesWithheld && (
        <p className="mt-3 max-w-3xl text-xs text-ink-faint">
          Incidents of fewer than {list.minGroupSize} people are found by rung only, as any other filter would tell what
          they are.{" "}
          <Link
            to={paths.incidents(choice.rung === null ? "?state=any" : `?state=any&rung=${choice.rung}`)}
            className="text-accent underline underline-offset-2"
          >
            See every incident
          </Link>
          .
        </p>
      )}
    </>
  )
}

type Incident = IncidentList["incidents"][number]
type Shown = Extract<Incident, { disclosure: "shown" }>

/** Whether incidents of some kind are left out, other than those that are over. */
function isFiltered({ choice }: IncidentList): boolean {
  const { state, rung, team, cause, kind } = choice
  const isOfState = state !== "current" && state !== "any"
  return isOfState || rung !== null || team !== null || cause !== null || kind !== null
}

function describeList(list: IncidentList): string {
  const { incidents, watch, now, timeZone } = list
  const newest = incidents.find((incident) => incident.disclosure === "shown")
  if (watch !== null) {
    if (isFiltered(list) || !list.isNewest) return "No incident is like that."
    if (watch.days < watch.learningDays) return "Nothing yet: Belay is still learning what is normal here."
    return "Nothing is broken, as far as the signals say."
  }
  const count = `${list.next === null ? "" : "More than "}${plural(incidents.length, "incident")}`
  if (isFiltered(list) || list.choice.state === "any" || !list.isNewest || newest === undefined) {
    return list.isNewest ? `${count}, the newest first.` : `${count}, opened earlier.`
  }
  const since = formatHour(newest.startedAt, { now, timeZone })
  return `${count} not over yet; the newest is at ${describeRungs(newest).toLowerCase()}: ${describePlace(newest)}, since ${since}.`
}

function Row({ incident, list }: { incident: Shown; list: IncidentList }) {
  const when = { now: list.now, timeZone: list.timeZone }
  const isNote = incident.kind === "data_quality"
  const people = incident.developerId !== null ? "you" : describePeople(incident)
  return (
    <article className="relative grid gap-x-6 gap-y-3 px-4 py-4 transition-colors duration-150 hover:bg-sunken md:px-5 xl:grid-cols-[7.5rem_minmax(0,1fr)_28rem] xl:items-start">
      <div className="flex flex-wrap items-center gap-2 xl:flex-col xl:items-start">
        <StateBadge state={incident.state} kind={incident.kind} />
        {incident.kind === "over_trust" && <span className="text-xs text-ink-soft">{KIND_LABELS.over_trust}</span>}
        {incident.developerId !== null && (
          <span className="inline-flex items-center gap-1 text-xs text-ink-soft">
            <Eye aria-hidden className="size-3.5" />
            Only you see this
          </span>
        )}
      </div>
      <div className="min-w-0">
        <h2 className="text-base font-medium">
          <Link
            to={paths.incident(incident.id)}
            prefetch="intent"
            className="rounded-sm wrap-anywhere after:absolute after:inset-0 hover:text-accent"
          >
            {describeIncident(incident, when)}
          </Link>
        </h2>
        {incident.proposedAt !== null && (
          <p className="mt-1.5 inline-flex items-start gap-1.5 text-sm text-ink-soft">
            <Pin aria-hidden className="mt-0.5 size-3.5 shrink-0" />
            Proposed as the new normal
            {incident.proposedRatio !== null && `: it stays at ${describeLevel(incident.proposedRatio)}`}.
          </p>
        )}
      </div>
      <dl className="grid grid-cols-2 gap-x-3 gap-y-2 text-sm sm:grid-cols-[1fr_1fr_1.1fr]">
        <Fact label="Rung">{describeRungs(incident)}</Fact>
        <Fact label="Place">{describePlace(incident)}</Fact>
        <Fact label="Since">{formatHour(incident.startedAt, when)}</Fact>
        {!isNote && people !== null && <Fact label="People">{people}</Fact>}
        {!isNote && <Fact label="Cause">{CAUSE_LABELS[incident.cause]}</Fact>}
        <Fact label="Confidence">{formatSure(incident.confidence)}</Fact>
      </dl>
    </article>
  )
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-ink-faint">{label}</dt>
      <dd className="figures wrap-anywhere">{children}</dd>
    </div>
  )
}

function WithheldRow({ incident, list }: { incident: Incident; list: IncidentList }) {
  return (
    <article className="grid gap-x-6 gap-y-2 px-4 py-4 text-ink-soft md:px-5 xl:grid-cols-[7.5rem_minmax(0,1fr)_28rem]">
      <span className="inline-flex items-center gap-1.5 self-start text-xs leading-5 font-medium">
        <Lock aria-hidden className="size-3.5" />
        Withheld
      </span>
      <h2 className="text-base">A group too small to show: fewer than {list.minGroupSize} people</h2>
      <dl className="grid grid-cols-2 gap-x-3 gap-y-2 text-sm sm:grid-cols-[1fr_1fr_1.1fr]">
        <Fact label="Rung">{RUNG_LABELS[incident.rung]}</Fact>
        <Fact label="Found">{formatHour(incident.openedAt, { now: list.now, timeZone: list.timeZone })}</Fact>
      </dl>
    </article>
  )
}

/** What it means that there is none. */
function Nothing({ list }: { list: IncidentList }) {
  const { watch } = list
  if (watch === null) return null
  if (isFiltered(list) || !list.isNewest) {
    return (
      <div className="mt-5 rounded-md border border-line bg-surface p-8">
        <p className="max-w-2xl text-ink-soft">There may be others, which this address leaves out.</p>
        <Link to={paths.incidents()} className={buttonClass("quiet", "mt-4")}>
          Clear the filters
        </Link>
      </div>
    )
  }
  const isLearning = watch.days < watch.learningDays
  return (
    <div className="mt-5 rounded-md border border-line bg-surface p-8">
      <ShieldCheck aria-hidden className={isLearning ? "size-5 text-ink-faint" : "size-5 text-good"} />
      <h2 className="mt-3 text-lg font-semibold">
        {isLearning ? `${watch.days} of ${watch.learningDays} days of data are there` : "Nothing was found"}
      </h2>
      <p className="mt-1 max-w-2xl text-ink-soft">
        {isLearning
          ? `What is normal differs by team, tool and weekday. After ${plural(watch.learningDays, "day")} of signals every hour is compared with it; until then nothing is reported.`
          : describeWatch(watch)}
      </p>
    </div>
  )
}

function describeWatch({ people, weeks, isOnlyOwn }: NonNullable<IncidentList["watch"]>): string {
  if (isOnlyOwn) return "Your own signals were compared, hour by hour, with what is usual for you."
  const who = people === null ? "The people that you may read about were" : plural(people, "person was", "people were")
  return `${who} watched in the last ${plural(weeks, "week")}: what they accepted, how long they waited, how often they were asked, what failed, and whether they came back. None of it is outside of what is normal here.`
}
