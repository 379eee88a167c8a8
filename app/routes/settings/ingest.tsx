import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { clsx } from "clsx"
import { CircleAlert, CircleCheck, CircleDashed } from "lucide-react"
import type { ReactNode } from "react"
import { asTenant } from "#server/db/tenant.ts"
import {
  type CountsByName,
  getIntake,
  type Intake,
  listProcesses,
  listToolArrivals,
  listUnknownNames,
} from "#server/ingest/queries.ts"
import { getOrganization } from "#server/team/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatAge, formatBytes, formatCount, formatDuration, formatInstant } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { Figure, NoData } from "../../ui/figure.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { judge, NAME_KINDS, REFUSED_REQUESTS, REJECTED_ITEMS, storedWithinMs, sumOf } from "./ingest-words.ts"
import { SettingsTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Ingest · Belay" }]

const HOUR_MS = 60 * 60 * 1000
/** A process says every few seconds that it is there. */
const SILENT_MS = 30_000

export const loader = guard("ingest.read", async ({ viewer, context }) => {
  const now = context.now()
  const ago = (hours: number) => new Date(now.getTime() - hours * HOUR_MS)
  return asTenant(context.db, viewer.orgId, async (tx) => ({
    now,
    timeZone: (await getOrganization(tx)).timeZone,
    canManage: mayDo(viewer.role, "settings.manage"),
    hour: await getIntake(tx, ago(1)),
    day: await getIntake(tx, ago(24)),
    tools: await listToolArrivals(tx),
    unknown: await listUnknownNames(tx),
    processes: await listProcesses(tx, ago(24)),
  }))
})

const TONES = {
  good: { Icon: CircleCheck, className: "text-good" },
  warn: { Icon: CircleAlert, className: "text-warn" },
  none: { Icon: CircleDashed, className: "text-ink-faint" },
}

export default function IngestStatus() {
  const { now, timeZone, canManage, hour, day, tools, unknown, processes } = useLoaderData<typeof loader>()
  const lastAt = tools[0]?.lastReceivedAt ?? null
  const { tone, sentence } = judge({ hour, day, lastAt, now })
  const { Icon, className } = TONES[tone]
  const time = (at: Date) => (
    <time dateTime={at.toISOString()} title={formatInstant(at, timeZone)}>
      {formatAge(at, now)}
    </time>
  )
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Ingest</h1>
        <p className="mt-1 flex max-w-4xl gap-2 text-xl font-semibold tracking-tight text-balance">
          <Icon aria-hidden className={clsx("mt-1 size-5 shrink-0", className)} />
          {sentence}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Whether telemetry arrives and is kept up with, over all processes of Belay. Counted by the minute; the last
          few seconds may be missing.
        </p>
      </header>
      {canManage && <SettingsTabs />}
      {day.requests === 0 ? (
        <Empty hasTools={tools.length > 0} />
      ) : (
        <Counts hour={hour} day={day} processes={processes} now={now} />
      )}
      <Section title="Agent tools">
        {tools.length === 0 ? (
          <p className="text-ink-soft">None has sent a signal yet.</p>
        ) : (
          <Table caption="Agent tools" titles={["Agent tool", "Last signal"]} figures={["Last signal"]}>
            {tools.map((tool) => (
              <tr key={tool.agentTool} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {tool.agentTool}
                </th>
                <td className={FIGURE_CELL}>
                  {tool.lastReceivedAt === null ? "before Belay noted it" : time(tool.lastReceivedAt)}
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Section>
      {unknown.length > 0 && (
        <Section
          title="Names that Belay does not know"
          note="They arrived and gave no signal. Many new ones after an update of an agent tool mean that it has changed what it sends."
        >
          <Table
            caption="Names that Belay does not know"
            titles={["Dialect", "Names", "Items", "Last seen"]}
            figures={["Names", "Items", "Last seen"]}
          >
            {unknown.map((item) => (
              <tr key={item.dialect} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {item.dialect}
                </th>
                <td className={FIGURE_CELL}>{formatCount(item.names)}</td>
                <td className={FIGURE_CELL}>{formatCount(item.items)}</td>
                <td className={FIGURE_CELL}>{time(item.lastSeenAt)}</td>
              </tr>
            ))}
          </Table>
          <p className="mt-2 text-sm text-ink-soft">
            <Link to={paths.connect()} className="text-accent underline underline-offset-2">
              Connect
            </Link>{" "}
            lists them by name.
          </p>
        </Section>
      )}
      <Section
        title="Processes"
        note="They serve all organizations of this Belay. One that was stopped goes from this list; one that falls silent was killed or is cut off from the database."
      >
        {processes.length === 0 ? (
          <p className="text-ink-soft">None has said anything in the last 24 hours.</p>
        ) : (
          <Table
            caption="Processes"
            titles={["Started", "Heard of", "Memory", "Held", "Rollups behind", "Unknown keys"]}
            figures={["Memory", "Held", "Rollups behind", "Unknown keys"]}
          >
            {processes.map((one) => (
              <tr key={one.id} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {time(one.startedAt)}
                </th>
                <td className={clsx(CELL, isSilent(one.seenAt, now) && "text-warn")}>
                  {isSilent(one.seenAt, now) && (
                    <CircleAlert aria-hidden className="mr-1 inline size-3.5 align-[-2px]" />
                  )}
                  {time(one.seenAt)}
                  {isSilent(one.seenAt, now) && ", silent since"}
                </td>
                <td className={FIGURE_CELL}>{formatBytes(one.residentBytes)}</td>
                <td className={FIGURE_CELL}>
                  {one.heldBytes === null || one.heldBytesMax === null
                    ? "no data"
                    : `${formatBytes(one.heldBytes)} of ${formatBytes(one.heldBytesMax)}`}
                </td>
                <td className={FIGURE_CELL}>
                  {one.rollupLagSeconds === null ? "no data" : formatDuration(one.rollupLagSeconds * 1000)}
                </td>
                <td className={FIGURE_CELL}>{formatCount(one.unknownSenders)}</td>
              </tr>
            ))}
          </Table>
        )}
        <p className="mt-2 max-w-3xl text-sm text-ink-soft">
          Held is what waits to be stored, of what a process may hold before it asks senders to come back. Unknown keys
          are requests whose key no organization here has, since the process started. Prometheus reads all of this and
          more at <code className="font-mono text-xs">/metrics</code>.
        </p>
      </Section>
    </>
  )
}

function isSilent(seenAt: Date, now: Date): boolean {
  return now.getTime() - seenAt.getTime() > SILENT_MS
}

function Section(props: { title: string; note?: string; children: ReactNode }) {
  const id = props.title.toLowerCase().replaceAll(" ", "-")
  return (
    <section aria-labelledby={id} className="mt-8 max-w-4xl">
      <h2 id={id} className="text-lg font-semibold">
        {props.title}
      </h2>
      {props.note && <p className="mt-1 max-w-3xl text-sm text-ink-soft">{props.note}</p>}
      <div className="mt-3">{props.children}</div>
    </section>
  )
}

function Empty({ hasTools }: { hasTools: boolean }) {
  return (
    <div className="mt-6 max-w-3xl rounded-md border border-dashed border-line-strong p-6">
      <p className="font-medium">No request came in during the last 24 hours.</p>
      <p className="mt-1 text-ink-soft">
        {hasTools
          ? "Agents sent before, so look at what stands between them and Belay: the key, the address, a Collector. "
          : "Once an agent sends, this page counts what is taken, refused, late and sent again. "}
        <Link to={paths.connect()} className="text-accent underline underline-offset-2">
          Connect
        </Link>{" "}
        has what to set.
      </p>
    </div>
  )
}

type Processes = Awaited<ReturnType<typeof listProcesses>>

function Counts(props: { hour: Intake; day: Intake; processes: Processes; now: Date }) {
  const { hour, day } = props
  const alive = props.processes.filter((one) => !isSilent(one.seenAt, props.now))
  const lags = alive.flatMap((one) => (one.rollupLagSeconds === null ? [] : [one.rollupLagSeconds]))
  const within = storedWithinMs(hour)
  return (
    <>
      <div className="mt-6 grid max-w-4xl grid-cols-2 gap-x-6 gap-y-5 sm:grid-cols-4">
        <Figure
          label="Signals, last hour"
          value={formatCount(hour.signals)}
          note={`${formatCount(day.signals)} in 24 hours`}
        />
        <Figure
          label="Requests refused, last hour"
          value={formatCount(sumOf(hour.refused))}
          note={`of ${formatCount(hour.requests)}; ${formatCount(sumOf(day.refused))} in 24 hours`}
        />
        {within === null ? (
          <NoData label="Stored within, p95">nothing was stored</NoData>
        ) : (
          <Figure label="Stored within, p95" value={formatDuration(within)} note="of the last hour, waiting included" />
        )}
        {lags.length === 0 ? (
          <NoData label="Rollups behind" />
        ) : (
          <Figure label="Rollups behind" value={formatDuration(Math.max(...lags) * 1000)} note="now" />
        )}
      </div>
      <Section title="What came in">
        <Table caption="What came in" titles={["(What)", "Last hour", "24 hours"]} figures={["Last hour", "24 hours"]}>
          <CountRow name="Requests" hour={hour.requests} day={day.requests} />
          <CountRow name="Signals acknowledged" hour={hour.signals} day={day.signals} />
          <CountRow
            name="Of these, there already: sent again or reported twice"
            hour={hour.duplicates}
            day={day.duplicates}
          />
          <CountRow name="Of these, late by more than an hour" hour={hour.late} day={day.late} />
          <ReasonRows what="Requests that" words={REFUSED_REQUESTS} hour={hour.refused} day={day.refused} />
          <ReasonRows what="Items left out that" words={REJECTED_ITEMS} hour={hour.rejected} day={day.rejected} />
          <ReasonRows what="Signals with (other) for" words={NAME_KINDS} hour={hour.folded} day={day.folded} />
          <TimesRow name="Waited for their turn" pick={(intake) => intake.queue} hour={hour} day={day} />
          <TimesRow name="Commit" pick={(intake) => intake.commit} hour={hour} day={day} />
        </Table>
        {sumOf(day.folded) > 0 && (
          <p className="mt-2 max-w-3xl text-sm text-ink-soft">
            More new names came in an hour than Belay takes for one organization, so the signals of the rest say
            (other). Names it knew before are not touched.
          </p>
        )}
      </Section>
    </>
  )
}

function CountRow(props: { name: string; hour: number; day: number }) {
  return (
    <tr className={ROW}>
      <th scope="row" className="h-10 min-w-36 px-3 py-2 text-left font-normal md:px-4">
        {props.name}
      </th>
      <td className={FIGURE_CELL}>{formatCount(props.hour)}</td>
      <td className={FIGURE_CELL}>{formatCount(props.day)}</td>
    </tr>
  )
}

function ReasonRows(props: {
  what: string
  words: Readonly<Record<string, string>>
  hour: CountsByName
  day: CountsByName
}) {
  return Object.entries(props.words)
    .filter(([name]) => (props.day[name] ?? 0) > 0)
    .map(([name, words]) => (
      <CountRow key={name} name={`${props.what} ${words}`} hour={props.hour[name] ?? 0} day={props.day[name] ?? 0} />
    ))
}

function TimesRow(props: { name: string; pick: (intake: Intake) => Intake["queue"]; hour: Intake; day: Intake }) {
  const [hour, day] = [props.pick(props.hour), props.pick(props.day)]
  const show = ({ p50Ms, p95Ms }: Intake["queue"]) =>
    p50Ms === null || p95Ms === null ? "no data" : `${formatDuration(p50Ms)} / ${formatDuration(p95Ms)}`
  return (
    <tr className={ROW}>
      <th scope="row" className="h-10 min-w-36 px-3 py-2 text-left font-normal md:px-4">
        {props.name}, p50 / p95
      </th>
      <td className={FIGURE_CELL}>{show(hour)}</td>
      <td className={FIGURE_CELL}>{show(day)}</td>
    </tr>
  )
}
