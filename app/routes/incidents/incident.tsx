import { data, type MetaFunction } from "@remix-run/node"
import { Link, useActionData, useLoaderData } from "@remix-run/react"
import { Eye, Lock } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import {
  acceptAsNormal,
  acknowledgeIncident,
  COMMENT_LENGTH_MAX,
  declineNewNormal,
  labelIncident,
  NOTE_LENGTH_MAX,
  noteOnIncident,
  reopenIncident,
} from "#server/detect/commands.ts"
import { CAUSES } from "#server/detect/contract.ts"
import { getIncident } from "#server/detect/queries.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { guard } from "../../lib/guard.server.ts"
import { parseId } from "../../lib/params.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { CopyButton } from "../../ui/copy.tsx"
import { Notice } from "../../ui/notice.tsx"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { Acknowledgement, IncidentActions, LabelForm, Proposal } from "./actions.tsx"
import { Causes, Changes, Checks, Figures, History } from "./evidence.tsx"
import { Days } from "./days.tsx"
import { describeChange, describeClosing, describeIncident, formatHour, whatToTry } from "./incident-words.ts"
import { findIncidentViewer, type IncidentData, loadIncident, mayManage } from "./load.server.ts"
import { Similar } from "./similar.tsx"
import { StateBadge } from "./state-badge.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Incident · Belay" }]

export const loader = guard("incidents.read", async ({ viewer, params, context }) => {
  const id = parseId(params["id"])
  return asTenant(context.db, viewer.orgId, (tx) => loadIncident(tx, viewer, id, context.now()))
})

const optional = z.literal("").transform(() => null)
/** A form sends two characters for the end of a line, which counts as one. */
const newlines = z.string().transform((text) => text.replaceAll("\r\n", "\n"))
const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("acknowledge") }),
  z.object({ intent: z.literal("accept") }),
  z.object({ intent: z.literal("decline") }),
  z.object({ intent: z.literal("reopen") }),
  z.object({ intent: z.literal("note"), text: newlines.pipe(z.string().trim().min(1).max(NOTE_LENGTH_MAX)) }),
  z.object({
    intent: z.literal("label"),
    verdict: z.enum(["real", "not_real"]),
    cause: z.union([z.enum(CAUSES), optional]),
    comment: z.union([optional, z.string().trim().max(COMMENT_LENGTH_MAX)]),
  }),
])

const DONE = {
  acknowledge: "Acknowledged.",
  accept: "Accepted as the new normal.",
  decline: "Declined: it stays open.",
  note: "Your note is in the history.",
  reopen: "Open again.",
  label: "Your label is kept.",
} as const

const REFUSALS = {
  not_found: "There is no such incident any more.",
  already: "Somebody did so already.",
  recovered: "It has recovered meanwhile.",
  open: "It is open.",
  not_proposed: "It is not proposed any more.",
  too_long: `A comment has at most ${COMMENT_LENGTH_MAX} characters, a note ${NOTE_LENGTH_MAX}.`,
} as const

const UNREADABLE =
  `A label says whether it was real, with a comment of at most ${COMMENT_LENGTH_MAX} characters; ` +
  `a note has 1 to ${NOTE_LENGTH_MAX} characters.`

export const action = guard("incidents.read", async ({ viewer, params, request, context }) => {
  const id = parseId(params["id"])
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) {
    return data({ done: null, error: UNREADABLE }, { status: 422 })
  }
  const values = form.data
  const now = context.now()
  const by = byViewer(viewer, context.requestId, now)
  const changed = await asTenant(context.db, viewer.orgId, async (tx) => {
    const as = await findIncidentViewer(tx, viewer, now)
    const found = await getIncident(tx, { viewer: as, id })
    if (found?.incident.disclosure !== "shown") return { ok: false, reason: "not_found" } as const
    const args = { id, viewer: as, by }
    if (values.intent === "label") {
      const { verdict, cause, comment } = values
      return labelIncident(tx, { ...args, isReal: verdict === "real", cause, comment })
    }
    if (values.intent === "note") return noteOnIncident(tx, { ...args, text: values.text })
    if (!mayManage(viewer, found.incident)) throw data(`Not part of your role (${viewer.role}).`, { status: 403 })
    if (values.intent === "acknowledge") return acknowledgeIncident(tx, args)
    if (values.intent === "decline") return declineNewNormal(tx, args)
    return values.intent === "accept" ? acceptAsNormal(tx, args) : reopenIncident(tx, args)
  })
  if (!changed.ok) {
    return data({ done: null, error: REFUSALS[changed.reason] }, { status: changed.reason === "not_found" ? 404 : 409 })
  }
  return data({ done: DONE[values.intent], error: null })
})

export default function Incident() {
  const { id, now, timeZone, minGroupSize, withheld, shown } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const when = { now, timeZone }
  return (
    <>
      <nav aria-label="Back" className="mb-3 text-sm">
        <Link to={paths.incidents()} className="rounded-sm text-ink-soft hover:text-ink hover:underline">
          ← All incidents
        </Link>
      </nav>
      {shown === null ? (
        <header>
          <h1 className="text-sm font-medium text-ink-faint">Incident</h1>
          <p className="mt-1 flex max-w-4xl items-start gap-2 text-xl font-semibold tracking-tight text-balance">
            <Lock aria-hidden className="mt-1 size-5 shrink-0" />A group too small to show: fewer than {minGroupSize}{" "}
            people.
          </p>
          <p className="mt-1 max-w-3xl text-ink-soft">
            Something was found at {RUNG_LABELS[withheld.rung].toLowerCase()}, {formatHour(withheld.openedAt, when)}.
            More would tell about single people. If more people are concerned later, it is shown.
          </p>
        </header>
      ) : (
        <Shown shown={shown} when={when} result={result} />
      )}
      <p className="mt-10 flex flex-wrap items-center gap-3 text-xs text-ink-faint">
        Incident <code className="font-mono break-all select-all">{id}</code>
        <CopyButton text={id} label="id" title="Copy id" />
      </p>
    </>
  )
}

function Shown(props: {
  shown: IncidentData
  when: { now: Date; timeZone: string }
  result: { done: string | null; error: string | null } | undefined
}) {
  const { shown, when, result } = props
  const { incident, closing } = shown
  const isNote = incident.kind === "data_quality"
  const steps = whatToTry(incident)
  const [from, to] = [incident.startedFrom, incident.startedTo]
  return (
    <>
      <header>
        <div className="flex flex-wrap items-center gap-3">
          <h1 className="text-sm font-medium text-ink-faint">Incident</h1>
          <StateBadge state={incident.state} kind={incident.kind} />
          {incident.developerId !== null && (
            <span className="inline-flex items-center gap-1.5 text-xs text-ink-soft">
              <Eye aria-hidden className="size-3.5" />
              Only you see this
            </span>
          )}
        </div>
        <p className="mt-2 max-w-4xl text-xl font-semibold tracking-tight text-balance wrap-anywhere">
          {describeIncident(incident, when)}
        </p>
        {!isNote && from < to && (
          <p className="mt-1 max-w-3xl text-ink-soft">
            It began between {formatHour(from, when)} and {formatHour(to, when)} (80 % interval).
          </p>
        )}
        <Acknowledgement incident={incident} when={when} />
      </header>
      <LookFurther data={shown} />
      <Proposal data={shown} when={when} />
      <IncidentActions data={shown} />
      <div className="mt-3 max-w-3xl">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
      </div>
      <Figures data={shown} />
      <Days data={shown} timeZone={when.timeZone} />
      <Causes data={shown} />
      <Checks checks={isNote ? [] : incident.checks} />
      <Changes incident={incident} when={when} />
      {incident.fallbackTo !== null && (
        <Section title="Where people went instead">
          <p className="text-ink-soft">
            To {RUNG_LABELS[incident.fallbackTo].toLowerCase()}: of the lower rungs its use rose most since then.
          </p>
        </Section>
      )}
      {steps.length > 0 && (
        <Section title="What to try">
          <ul className="list-disc space-y-1 pl-5 text-ink-soft">
            {steps.map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ul>
        </Section>
      )}
      <Section title="When it is over">
        <p className="text-ink-soft">{describeClosing(incident, closing)}</p>
        {incident.recoveredAfter !== null && (
          <p className="mt-1 text-ink-soft">
            Shortly before it got better: {describeChange(incident.recoveredAfter)},{" "}
            {formatHour(new Date(incident.recoveredAfter.at), when)}.
          </p>
        )}
      </Section>
      <Similar data={shown} when={when} />
      <History data={shown} when={when} />
      <LabelForm data={shown} />
    </>
  )
}

/** Pages that have the figures behind it, of its rung and team. */
function LookFurther({ data: { incident, teams, alertId } }: { data: IncidentData }) {
  // Of another team's, or of one person's, there is nothing to be seen there.
  const isReadable =
    incident.developerId === null && (incident.teamId === null || teams.some(({ id }) => id === incident.teamId))
  const team = incident.teamId === null ? "" : `team=${incident.teamId}`
  const links = [
    ...(isReadable
      ? [
          { to: paths.ladder(team && `?${team}`), text: "Ladder" },
          { to: paths.latency(`?rung=${incident.rung}${team && `&${team}`}`), text: "Latency" },
          { to: paths.outcomes(team && `?${team}`), text: "Outcomes" },
        ]
      : []),
    ...(alertId === null ? [] : [{ to: paths.alert(alertId), text: "Alert" }]),
  ]
  if (links.length === 0) return null
  return (
    <nav aria-label="Look further" className="mt-4 flex flex-wrap gap-2">
      {links.map(({ to, text }) => (
        <Link key={text} to={to} prefetch="intent" className={buttonClass("quiet")}>
          {text}
        </Link>
      ))}
    </nav>
  )
}

function Section({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section aria-label={title} className="mt-10 max-w-3xl">
      <h2 className="text-lg font-semibold">{title}</h2>
      <div className="mt-2">{children}</div>
    </section>
  )
}
