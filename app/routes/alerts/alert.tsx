import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { BellOff, Check } from "lucide-react"
import { z } from "zod"
import {
  acknowledgeAlert,
  addSilence,
  CAUSES,
  labelAlert,
  resendDelivery,
  resolveAlert,
} from "#server/alert/commands.ts"
import { getAlert, listDeliveries } from "#server/alert/queries.ts"
import { describeFacts, KIND_NAMES } from "#server/alert/words.ts"
import type { AuditActor } from "#server/audit/commands.ts"
import { asTenant, type TenantTx } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams, type Readable } from "#server/team/readable-teams.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatAge, formatDuration, formatInstant } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { parseId } from "../../lib/params.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Figure } from "../../ui/figure.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { AlertState, SeverityBadge } from "./badges.tsx"
import { Deliveries } from "./deliveries.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Alert · Belay" }]

export const loader = guard("alerts.read", async ({ viewer, params, context }) => {
  const now = context.now()
  const id = parseId(params["id"])
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const readable = await findReadableTeams(tx, viewer, now)
    const found = await getAlert(tx, { id, readable })
    if (found === null) throw data("No such alert", { status: 404 })
    const { facts, ...alert } = found.alert
    return {
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      alert: { ...alert, kindName: KIND_NAMES[alert.kind], ...describeFacts(facts) },
      incidentId: facts.kind === "incident" ? facts.incidentId : null,
      objectiveId: facts.kind === "latency" ? alert.subject : null,
      events: found.events,
      children: found.children.map((child) => ({ id: child.id, title: describeFacts(child.facts).title })),
      deliveries: await listDeliveries(tx, { alertId: id }),
      causes: CAUSES,
      canManage: mayDo(viewer.role, "alerts.manage"),
      canResend: mayDo(viewer.role, "alert_rules.manage"),
    }
  })
})

/** Whoever is on call silences one subject for a week at most; more is a matter of the rules. */
const SILENCE_HOURS_MAX = 7 * 24

const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.enum(["acknowledge", "resolve"]) }),
  z.object({
    intent: z.literal("silence"),
    reason: z.string(),
    hours: z.coerce.number().positive().max(SILENCE_HOURS_MAX),
  }),
  z.object({ intent: z.literal("label"), cause: z.union([z.enum(CAUSES), z.literal("")]) }),
  z.object({ intent: z.literal("resend"), delivery: z.uuid() }),
])

export const action = guard("alerts.manage", async ({ viewer, request, params, context }) => {
  const id = parseId(params["id"])
  const parsed = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!parsed.success) throw data("That cannot be done to an alert", { status: 422 })
  const form = parsed.data
  if (form.intent === "resend" && !mayDo(viewer.role, "alert_rules.manage")) {
    throw data("This is not part of your role", { status: 403 })
  }
  const by = byViewer(viewer, context.requestId, context.now())
  const done = await asTenant(context.db, viewer.orgId, async (tx) => {
    const readable = await findReadableTeams(tx, viewer, context.now())
    const args = { id, readable, by }
    switch (form.intent) {
      case "label":
        return labelAlert(tx, { ...args, cause: form.cause === "" ? null : form.cause })
      case "silence":
        return silenceSubject(tx, { ...args, reason: form.reason, hours: form.hours })
      case "resend":
        return resendDelivery(tx, { id: form.delivery, by })
      case "acknowledge":
        return acknowledgeAlert(tx, args)
      case "resolve":
        return resolveAlert(tx, args)
    }
  })
  if (!done.ok && done.reason === "not_found") throw data("No such alert", { status: 404 })
  return done.ok ? { ok: true, message: DONE[form.intent] } : { ok: false, message: REFUSED[done.reason] }
})

/** What the alert is of, until so many hours from now. */
async function silenceSubject(
  tx: TenantTx,
  args: {
    readonly id: string
    readonly readable: Readable
    readonly reason: string
    readonly hours: number
    readonly by: AuditActor
  },
) {
  const { id, readable, reason, hours, by } = args
  const found = await getAlert(tx, { id, readable })
  if (found === null) return { ok: false, reason: "not_found" } as const
  const { kind, subject } = found.alert
  const startsAt = by.occurredAt
  const endsAt = new Date(startsAt.getTime() + hours * 3_600_000)
  return addSilence(tx, { silence: { kind, subject, teamId: null, reason, startsAt, endsAt }, by })
}

const REFUSED: Readonly<Record<string, string>> = {
  reason: "Say why, in up to 500 characters.",
  not_open: "Somebody was faster: it is not open any more.",
}

const DONE = {
  silence:
    "Silenced. If it is still open when the silence ends, it is told of then. The page of channels ends it sooner.",
  acknowledge: "Acknowledged. Those who were told of it hear that you are at it.",
  resolve: "Resolved. It stays so until its rule was calm once.",
  label: "Kept with the alert.",
  resend: "It is sent again, under the same idempotency key.",
}

export default function Alert() {
  const loaded = useLoaderData<typeof loader>()
  const { alert, now, timeZone, children, incidentId, objectiveId, canManage } = loaded
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state === "submitting"
  const time = (at: Date | null) => (at === null ? "not yet" : formatDuration(at.getTime() - alert.openedAt.getTime()))
  return (
    <>
      <header>
        <Link to={paths.alerts()} className="text-sm text-ink-soft hover:underline">
          Alerts
        </Link>
        <h1 className="mt-2 max-w-4xl text-xl font-semibold tracking-tight text-balance">{alert.title}</h1>
        <p className="mt-2 flex flex-wrap gap-2">
          <AlertState state={alert.state} hasData={alert.hasData} />
          <SeverityBadge severity={alert.severity} />
        </p>
        <p className="mt-2 max-w-3xl text-ink-soft">{alert.summary}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">{alert.todo}</p>
        {alert.parentId !== null && (
          <p className="mt-1 text-ink-soft">
            <Link to={paths.alert(alert.parentId)} className="text-accent hover:underline">
              An alert of a wider scope
            </Link>{" "}
            speaks for it: it is not told of by itself.
          </p>
        )}
      </header>
      {result !== undefined && (
        <div className="mt-4">
          <Notice tone={result.ok ? "good" : "bad"}>{result.message}</Notice>
        </div>
      )}
      <div className="mt-4 flex flex-wrap gap-2">
        {canManage && alert.state === "open" && (
          <Form method="post" preventScrollReset>
            <input type="hidden" name="intent" value="acknowledge" />
            <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
              <Check aria-hidden className="size-3.5" />
              Acknowledge
            </button>
          </Form>
        )}
        {canManage && alert.state !== "resolved" && (
          <Confirm
            trigger="Resolve"
            triggerClass={buttonClass("quiet")}
            title="Resolve this alert?"
            description="It closes now and is told as over. It opens again only once its rule was calm and fires anew."
            action="Resolve the alert"
            fields={{ intent: "resolve" }}
          />
        )}
        {canManage && alert.state !== "resolved" && <Silence />}
        {incidentId !== null && (
          <Link to={paths.incident(incidentId)} className={buttonClass("quiet")}>
            Open the incident
          </Link>
        )}
        {objectiveId !== null && (
          <Link to={paths.objective(objectiveId)} className={buttonClass("quiet")}>
            Open the objective
          </Link>
        )}
      </div>
      <section
        aria-label="Times"
        className="mt-6 grid grid-cols-2 gap-4 rounded-md border border-line bg-surface p-4 md:grid-cols-4"
      >
        <Figure label="Opened" value={formatAge(alert.openedAt, now)} note={formatInstant(alert.openedAt, timeZone)} />
        <Figure label="Until acknowledged" value={time(alert.acknowledgedAt)} note={alert.acknowledgedBy} />
        <Figure
          label="Until resolved"
          value={time(alert.resolvedAt)}
          note={alert.resolvedAt === null ? null : (alert.resolvedByEmail ?? "its rule was calm")}
        />
        <Figure label="Of" value={alert.team ?? "Everyone"} note={alert.kindName} />
      </section>
      {canManage && <CauseForm />}
      {children.length > 0 && (
        <section className="mt-6" aria-labelledby="children">
          <h2 id="children" className="text-lg font-semibold">
            Narrower alerts that it speaks for
          </h2>
          <ul className="mt-2 list-disc space-y-1 pl-5">
            {children.map((child) => (
              <li key={child.id}>
                <Link to={paths.alert(child.id)} className="text-accent hover:underline">
                  {child.title}
                </Link>
              </li>
            ))}
          </ul>
        </section>
      )}
      <History />
      <section className="mt-6" aria-labelledby="sent">
        <h2 id="sent" className="text-lg font-semibold">
          What was sent
        </h2>
        <Deliveries
          deliveries={loaded.deliveries}
          now={now}
          timeZone={timeZone}
          canResend={loaded.canResend}
          empty={
            alert.parentId === null
              ? "Nothing: no channel takes it, or it was silenced."
              : "Nothing: the alert of the wider scope is told of."
          }
        />
      </section>
    </>
  )
}

function Silence() {
  return (
    <details className="w-full sm:w-auto">
      <summary className={buttonClass("quiet", "w-fit list-none")}>
        <BellOff aria-hidden className="size-3.5" />
        Silence
      </summary>
      <Form
        method="post"
        preventScrollReset
        className="mt-2 grid max-w-xl gap-3 rounded-md border border-line bg-surface p-4 sm:grid-cols-2"
      >
        <input type="hidden" name="intent" value="silence" />
        <Select label="For" name="hours" defaultValue="4">
          {SILENCE_CHOICES.map(([hours, name]) => (
            <option key={hours} value={hours}>
              {name}
            </option>
          ))}
        </Select>
        <Field label="Why" name="reason" required maxLength={500} />
        <p className="text-sm text-ink-faint sm:col-span-2">
          Nobody is told of this subject in that time. Other alerts are told of as before.
        </p>
        <div>
          <button type="submit" className={buttonClass("primary")}>
            Silence it
          </button>
        </div>
      </Form>
    </details>
  )
}

const SILENCE_CHOICES = [
  [1, "1 hour"],
  [4, "4 hours"],
  [24, "1 day"],
  [SILENCE_HOURS_MAX, "7 days"],
] as const

function CauseForm() {
  const { alert, causes } = useLoaderData<typeof loader>()
  return (
    <Form method="post" preventScrollReset className="mt-6 flex flex-wrap items-end gap-2" key={alert.cause}>
      <input type="hidden" name="intent" value="label" />
      <Select label="What it was" name="cause" defaultValue={alert.cause ?? ""} className="w-56">
        <option value="">Not said</option>
        {causes.map((cause) => (
          <option key={cause} value={cause}>
            {CAUSE_WORDS[cause]}
          </option>
        ))}
      </Select>
      <button type="submit" className={buttonClass("quiet", "h-10")}>
        Keep the cause
      </button>
    </Form>
  )
}

const CAUSE_WORDS = {
  latency: "Slow answers",
  quality: "Worse results",
  wrong_path: "Edits outside the task",
  permission: "Permission prompts",
  context_loss: "Lost context",
  errors: "Errors",
  provider: "The provider",
  network: "The network",
  deployment: "Something that was deployed",
  false_alarm: "Nothing: a false alarm",
  other: "Something else",
}

const EVENT_WORDS: Readonly<Record<string, string>> = {
  opened: "Opened",
  reopened: "Opened again",
  escalated: "Became a page",
  reminded: "Reminded, as nobody had acknowledged it",
  acknowledged: "Acknowledged",
  resolved: "Resolved",
  data_lost: "Too little came in to say more",
  data_back: "Data came in again",
  labelled: "Its cause was said",
}

function History() {
  const { events, timeZone } = useLoaderData<typeof loader>()
  return (
    <section className="mt-6" aria-labelledby="history">
      <h2 id="history" className="text-lg font-semibold">
        History
      </h2>
      <ol className="mt-2 space-y-1 border-l border-line-strong pl-4 text-sm">
        {events.map((event, index) => (
          // oxlint-disable-next-line react/no-array-index-key -- events never change, and two may be of one instant
          <li key={index}>
            <time dateTime={event.at.toISOString()} className="figures text-ink-faint">
              {formatInstant(event.at, timeZone)}
            </time>{" "}
            {EVENT_WORDS[event.kind] ?? event.kind}
            {event.by !== null && ` by ${event.by}`}
          </li>
        ))}
      </ol>
    </section>
  )
}
