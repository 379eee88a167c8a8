import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { randomUUID } from "node:crypto"
import { useState } from "react"
import { z } from "zod"
import { CHANNEL_KINDS, type ChannelKind, OPSGENIE_URL, PAGERDUTY_URL } from "#server/alert/channels.ts"
import {
  addRoute,
  addSilence,
  endSilence,
  makeChannelSecret,
  noteTest,
  readChannel,
  removeChannel,
  removeRoute,
  resendDelivery,
  setChannel,
} from "#server/alert/commands.ts"
import { send } from "#server/alert/deliver.ts"
import { testMessage } from "#server/alert/message.ts"
import {
  listChannels,
  listDeliveries,
  listRoutes,
  listSilences,
  type ListedChannel,
  type ListedRoute,
} from "#server/alert/queries.ts"
import { KIND_NAMES } from "#server/alert/words.ts"
import { asTenant } from "#server/db/tenant.ts"
import { isTaken } from "#server/outbound/post.ts"
import { listTeams } from "#server/rungs/queries.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatAge, formatUntil, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { CopyButton } from "../../ui/copy.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { ChangeChannel } from "./change-channel.tsx"
import { ChannelFields } from "./channel-fields.tsx"
import { CHANNEL_WORDS } from "./channel-words.ts"
import { Deliveries, describeAnswer } from "./deliveries.tsx"
import { AlertTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Alert channels · Belay" }]

export const loader = guard("alerts.read", async ({ viewer, context }) => {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const organization = await getOrganization(tx)
    return {
      now,
      timeZone: organization.timeZone,
      slackUrl: `${context.publicUrl}/webhooks/slack`,
      hasMail: context.mailer !== null,
      kindNames: Object.entries(KIND_NAMES).map(([kind, name]) => ({ kind, name })),
      channels: await listChannels(tx),
      routes: await listRoutes(tx),
      silences: (await listSilences(tx, now)).map((silence) => ({
        ...silence,
        what: silence.kind === null ? "Every alert" : KIND_NAMES[silence.kind],
      })),
      dead: await listDeliveries(tx, { state: "dead" }),
      teams: await listTeams(tx),
      canManage: mayDo(viewer.role, "alert_rules.manage"),
      isOwner: viewer.role === "owner",
    }
  })
})

const minute = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/)
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)))
const orNull = <Schema extends z.ZodType>(schema: Schema) => z.union([z.literal("").transform(() => null), schema])

const formSchema = z.discriminatedUnion("intent", [
  z.looseObject({ intent: z.literal("channel"), kind: z.enum(CHANNEL_KINDS as [ChannelKind]), name: z.string() }),
  z.looseObject({
    intent: z.literal("change"),
    id: z.uuid(),
    kind: z.enum(CHANNEL_KINDS as [ChannelKind]),
    name: z.string(),
  }),
  z.object({ intent: z.literal("test"), id: z.uuid() }),
  z.object({ intent: z.literal("remove"), id: z.uuid() }),
  z.object({
    intent: z.literal("route"),
    channel: z.uuid(),
    team: orNull(z.uuid()),
    severity: orNull(z.enum(["page", "ticket"])),
    quietFrom: orNull(minute),
    quietTo: orNull(minute),
  }),
  z.object({ intent: z.literal("remove_route"), id: z.uuid() }),
  z.object({
    intent: z.literal("silence"),
    kind: orNull(z.string().max(40)),
    team: orNull(z.uuid()),
    reason: z.string(),
    hours: z.coerce.number().positive(),
  }),
  z.object({ intent: z.literal("end_silence"), id: z.uuid() }),
  z.object({ intent: z.literal("resend"), delivery: z.uuid() }),
])

interface Done {
  readonly ok: boolean
  readonly message: string
  readonly secret?: string
}

const refuse = (message: string) => data<Done>({ ok: false, message }, { status: 422 })
const done = (message: string, secret?: string) =>
  data<Done>({ ok: true, message, ...(secret !== undefined && { secret }) })

export const action = guard("alert_rules.manage", async ({ viewer, request, context }) => {
  const parsed = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!parsed.success) return refuse("One of the fields is not as it should be; nothing was changed.")
  const form = parsed.data
  const by = byViewer(viewer, context.requestId, context.now())
  const inTenant = <T,>(work: Parameters<typeof asTenant<T>>[2]) => asTenant(context.db, viewer.orgId, work)
  switch (form.intent) {
    case "channel":
    case "change": {
      const { intent, kind, name } = form
      const typed = readSettings(kind, form)
      const isKept = intent === "change" && Object.keys(typed).length === 0
      const secret = kind === "webhook" && !isKept ? makeChannelSecret() : undefined
      const settings = isKept ? null : { ...defaultsOf(kind), ...typed, ...(secret !== undefined && { secret }) }
      const id = intent === "change" ? form.id : null
      const set = await inTenant(async (tx) => {
        const before = (await listChannels(tx)).find((one) => one.id === id)
        const channel = {
          id,
          kind,
          name,
          settings,
          // Only who answers for the network may let requests into it.
          isPrivateAllowed:
            viewer.role === "owner" ? form["isPrivateAllowed"] !== undefined : (before?.isPrivateAllowed ?? false),
          isEnabled: intent === "channel" || form["isEnabled"] !== undefined,
        }
        return setChannel(tx, { channel, secret: context.secret, by })
      })
      if (!set.ok) return refuse(CHANNEL_REASONS[set.reason])
      return intent === "channel"
        ? done(`${name}: added, with a route for every alert. Send a test to see what it answers.`, secret)
        : done(`${name}: changed.`, secret)
    }
    case "test": {
      const { id } = form
      const known = await inTenant((tx) => readChannel(tx, { id, orgId: viewer.orgId, secret: context.secret }))
      if (known === null) return refuse("The channel is gone, or its settings cannot be opened: add it again.")
      const organization = await inTenant(getOrganization)
      const sending = { deliveryId: randomUUID(), channelId: id, orgId: viewer.orgId }
      const answer = await send(
        known.channel,
        testMessage({ id: randomUUID(), at: context.now(), organization: organization.name }),
        { ...sending, isPrivateAllowed: known.isPrivateAllowed },
        { secret: context.secret, mailer: context.mailer, publicUrl: () => context.publicUrl, now: context.now },
      )
      await inTenant((tx) => noteTest(tx, { id, answer, by }))
      const said = `${known.name} answered: ${describeAnswer(answer)}`
      return isTaken(answer) ? done(said) : refuse(said)
    }
    case "remove": {
      await inTenant((tx) => removeChannel(tx, { id: form.id, by }))
      return done("The channel is removed, with its routes.")
    }
    case "route": {
      const { channel: channelId, team: teamId, severity, quietFrom, quietTo } = form
      const quiet = quietFrom === null || quietTo === null ? null : { from: quietFrom, to: quietTo }
      const added = await inTenant((tx) => addRoute(tx, { route: { channelId, teamId, severity, quiet }, by }))
      return added.ok ? done("The route is added.") : refuse("The channel or team is not there any more.")
    }
    case "remove_route": {
      await inTenant((tx) => removeRoute(tx, { id: form.id, by }))
      return done("The route is removed.")
    }
    case "silence": {
      const startsAt = context.now()
      const endsAt = new Date(startsAt.getTime() + form.hours * 3_600_000)
      const { kind, team: teamId, reason } = form
      const silence = { kind, subject: null, teamId, reason, startsAt, endsAt }
      const added = await inTenant((tx) => addSilence(tx, { silence, by }))
      if (added.ok) return done("Silenced. What is still open when it ends is told of then.")
      return refuse(added.reason === "reason" ? "Say why, in up to 500 characters." : "A silence lasts up to 31 days.")
    }
    case "end_silence": {
      await inTenant((tx) => endSilence(tx, { id: form.id, by }))
      return done("The silence is over.")
    }
    case "resend": {
      const again = await inTenant((tx) => resendDelivery(tx, { id: form.delivery, by }))
      return again.ok ? done("It is sent again, under the same idempotency key.") : refuse("It was sent again already.")
    }
  }
})

const CHANNEL_REASONS = {
  settings: "The settings are not as this kind of channel needs them; nothing was changed.",
  not_found: "The channel is not there any more.",
  name: "Give it a name of up to 80 characters.",
  too_many: "There are as many channels as there can be.",
}

function defaultsOf(kind: ChannelKind): Readonly<Record<string, string | null>> {
  switch (kind) {
    case "pagerduty":
      return { url: PAGERDUTY_URL }
    case "opsgenie":
      return { url: OPSGENIE_URL }
    case "slack":
      return { signingSecret: null }
    case "otlp":
      return { headers: "" }
    case "webhook":
    case "email":
      return {}
  }
}

/** Those of the kind's settings that were typed. */
function readSettings(kind: ChannelKind, form: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    CHANNEL_WORDS[kind].fields.flatMap(({ name }) => {
      const value = form[name]
      const text = typeof value === "string" ? value.trim() : ""
      return text === "" ? [] : [[name, text]]
    }),
  )
}

type Loaded = ReturnType<typeof useLoaderData<typeof loader>>

export default function Channels() {
  const loaded = useLoaderData<typeof loader>()
  const { channels, dead, canManage, now, timeZone } = loaded
  const result = useActionData<typeof action>()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Alert channels</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{sentence(loaded)}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Each message is sent until it is taken, for up to 24 hours, in the order of what happened. What is sent twice
          has the same idempotency key.
        </p>
      </header>
      <AlertTabs />
      {result !== undefined && (
        <div className="mt-4">
          <Notice tone={result.ok ? "good" : "bad"}>
            <p className="break-words">{result.message}</p>
            {result.secret !== undefined && (
              <div className="mt-2 flex flex-wrap items-center gap-2">
                <span>The secret that signs, shown this once:</span>
                <code className="min-w-0 font-mono text-sm break-all text-ink">{result.secret}</code>
                <CopyButton label="the secret" text={result.secret} />
              </div>
            )}
          </Notice>
        </div>
      )}
      <section className="mt-4" aria-labelledby="channels">
        <h2 id="channels" className="text-lg font-semibold">
          Channels
        </h2>
        {channels.length === 0 ? (
          <p className="mt-2 text-ink-soft">None yet. Alerts are on their page alone, and nobody is told of them.</p>
        ) : (
          <ul className="mt-3 grid gap-3 lg:grid-cols-2">
            {channels.map((channel) => (
              <ChannelCard key={channel.id} channel={channel} loaded={loaded} />
            ))}
          </ul>
        )}
      </section>
      {canManage && <AddChannel loaded={loaded} />}
      {canManage && channels.length > 0 && <AddRoute loaded={loaded} />}
      <Silences loaded={loaded} />
      <section className="mt-8" aria-labelledby="dead">
        <h2 id="dead" className="text-lg font-semibold">
          Given up
        </h2>
        <Deliveries
          {...{ now, timeZone }}
          deliveries={dead}
          canResend={canManage}
          empty="Nothing: all that was sent was taken, or is still tried."
        />
      </section>
    </>
  )
}

function sentence({ channels, dead }: Loaded): string {
  if (channels.length === 0) return "Alerts go nowhere yet: nobody is told of them."
  const lost =
    dead.length === 0
      ? "none of their messages was given up"
      : `${plural(dead.length, "message")} ${dead.length === 1 ? "was" : "were"} given up`
  return `Alerts go to ${plural(channels.length, "channel")}; ${lost}.`
}

function ChannelCard({ channel, loaded }: { channel: ListedChannel; loaded: Loaded }) {
  const { routes, canManage, now } = loaded
  const isBusy = useNavigation().state !== "idle"
  const own = routes.filter(({ channelId }) => channelId === channel.id)
  return (
    <li className="min-w-0 rounded-md border border-line bg-surface p-4">
      <h3 className="font-semibold break-words">
        {channel.name} <span className="text-sm font-normal text-ink-faint">{CHANNEL_WORDS[channel.kind].name}</span>
      </h3>
      <p className="mt-0.5 font-mono text-xs break-all text-ink-soft">{channel.target}</p>
      {!channel.isEnabled && <p className="mt-1 text-sm text-warn">Off: nothing is sent to it.</p>}
      {channel.isPrivateAllowed && <p className="mt-1 text-sm text-warn">May have an address inside the network.</p>}
      <ul className="mt-2 space-y-1 text-sm" aria-label={`Routes to ${channel.name}`}>
        {own.length === 0 && <li className="text-warn">No route leads here.</li>}
        {own.map((route) => (
          <li key={route.id} className="flex flex-wrap items-center justify-between gap-2">
            <span>{describeRoute(route)}</span>
            {canManage && (
              <Form method="post" preventScrollReset>
                <input type="hidden" name="intent" value="remove_route" />
                <input type="hidden" name="id" value={route.id} />
                <button
                  type="submit"
                  className={rowActionClass("danger")}
                  aria-label={`Remove the route to ${channel.name}: ${describeRoute(route)}`}
                >
                  Remove
                </button>
              </Form>
            )}
          </li>
        ))}
      </ul>
      <p className="mt-2 text-sm text-ink-soft">
        {channel.testedAt === null || channel.testAnswer === null ? (
          "Not tested yet."
        ) : (
          <>
            Tested {formatAge(channel.testedAt, now)}:{" "}
            <span className="font-mono text-xs break-words">{describeAnswer(channel.testAnswer)}</span>
          </>
        )}
      </p>
      {canManage && (
        <div className="mt-3 flex flex-wrap gap-2">
          <Form method="post" preventScrollReset>
            <input type="hidden" name="intent" value="test" />
            <input type="hidden" name="id" value={channel.id} />
            <button
              type="submit"
              disabled={isBusy}
              className={buttonClass("quiet")}
              aria-label={`Send a test to ${channel.name}`}
            >
              Send a test
            </button>
          </Form>
          <Confirm
            trigger="Remove"
            triggerLabel={`Remove ${channel.name}`}
            triggerClass={buttonClass("danger")}
            title={`Remove ${channel.name}?`}
            description="Its routes go with it, and what was not taken yet is not sent. This cannot be undone."
            action="Remove the channel"
            fields={{ intent: "remove", id: channel.id }}
          />
          <ChangeChannel channel={channel} slackUrl={loaded.slackUrl} isOwner={loaded.isOwner} />
        </div>
      )}
    </li>
  )
}

const clock = (minutes: number) =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`

function describeRoute({ team, severity, quietFrom, quietTo }: ListedRoute): string {
  const what = severity === null ? "Pages and tickets" : severity === "page" ? "Pages" : "Tickets"
  const quiet =
    quietFrom === null || quietTo === null ? "" : `; tickets wait from ${clock(quietFrom)} to ${clock(quietTo)}`
  return `${what} of ${team ?? "everyone"}${quiet}`
}

function AddChannel({ loaded }: { loaded: Loaded }) {
  const [kind, setKind] = useState<ChannelKind>("slack")
  const { about } = CHANNEL_WORDS[kind]
  // What was typed, secrets among it, is gone once it is kept.
  const result = useActionData<typeof action>()
  const formKey = useDoneKey(result, result?.ok === true)
  const isBusy = useNavigation().state !== "idle"
  return (
    <section className="mt-8" aria-labelledby="add">
      <h2 id="add" className="text-lg font-semibold">
        Add a channel
      </h2>
      <Form
        key={formKey}
        method="post"
        preventScrollReset
        className="mt-3 max-w-xl space-y-4 rounded-md border border-line bg-surface p-4"
      >
        <input type="hidden" name="intent" value="channel" />
        <Select
          label="Kind"
          name="kind"
          value={kind}
          onChange={(event) => {
            const chosen = event.currentTarget.value
            if (isKind(chosen)) setKind(chosen)
          }}
          hint={kind === "email" && !loaded.hasMail ? "No mail server is configured: set BELAY_SMTP_URL." : about}
        >
          {Object.entries(CHANNEL_WORDS).map(([value, { name }]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </Select>
        <Field label="Name" name="name" required maxLength={80} />
        <ChannelFields kind={kind} slackUrl={loaded.slackUrl} isOwner={loaded.isOwner} />
        <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
          Add the channel
        </button>
      </Form>
    </section>
  )
}

function isKind(text: string): text is ChannelKind {
  return text in CHANNEL_WORDS
}

function AddRoute({ loaded }: { loaded: Loaded }) {
  const { channels, teams, timeZone } = loaded
  return (
    <section className="mt-8" aria-labelledby="route">
      <h2 id="route" className="text-lg font-semibold">
        Add a route
      </h2>
      <Form
        method="post"
        preventScrollReset
        className="mt-3 grid max-w-3xl gap-4 rounded-md border border-line bg-surface p-4 sm:grid-cols-2"
      >
        <input type="hidden" name="intent" value="route" />
        <Select label="To" name="channel">
          {channels.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
        <Select label="Alerts of" name="team" hint="A top-level team's routes take those of its parts.">
          <option value="">Everyone and every team</option>
          {teams.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
        <Select label="Which" name="severity">
          <option value="">Pages and tickets</option>
          <option value="page">Pages</option>
          <option value="ticket">Tickets</option>
        </Select>
        <div className="grid grid-cols-2 gap-2">
          <Field label="Quiet from" name="quietFrom" type="time" hint={timeZone} />
          <Field label="Quiet to" name="quietTo" type="time" hint="tickets wait" />
        </div>
        <div>
          <button type="submit" className={buttonClass("primary")}>
            Add the route
          </button>
        </div>
      </Form>
    </section>
  )
}

function Silences({ loaded }: { loaded: Loaded }) {
  const { silences, kindNames, teams, canManage, now } = loaded
  return (
    <section className="mt-8" aria-labelledby="silences">
      <h2 id="silences" className="text-lg font-semibold">
        Silences
      </h2>
      {silences.length === 0 ? (
        <p className="mt-2 text-ink-soft">None: every alert is told of.</p>
      ) : (
        <ul className="mt-2 space-y-2">
          {silences.map((silence) => (
            <li
              key={silence.id}
              className="flex flex-wrap items-center justify-between gap-2 rounded-md border border-line bg-surface px-4 py-2"
            >
              <span className="min-w-0 break-words">
                {silence.alertId === null ? (
                  `${silence.what} of ${silence.team ?? "everyone"}`
                ) : (
                  <Link to={paths.alert(silence.alertId)} className="text-accent hover:underline">
                    {silence.what}: one alert’s subject
                  </Link>
                )}
                , ends {formatUntil(silence.endsAt, now)}: {silence.reason}
                {silence.byEmail !== null && <span className="text-ink-faint"> ({silence.byEmail})</span>}
              </span>
              {canManage && (
                <Form method="post" preventScrollReset>
                  <input type="hidden" name="intent" value="end_silence" />
                  <input type="hidden" name="id" value={silence.id} />
                  <button
                    type="submit"
                    className={rowActionClass("quiet")}
                    aria-label={`End the silence: ${silence.reason}`}
                  >
                    End it now
                  </button>
                </Form>
              )}
            </li>
          ))}
        </ul>
      )}
      {canManage && (
        <Form
          method="post"
          preventScrollReset
          className="mt-3 grid max-w-3xl gap-4 rounded-md border border-line bg-surface p-4 sm:grid-cols-2"
        >
          <input type="hidden" name="intent" value="silence" />
          <Select label="Silence" name="kind">
            <option value="">Every alert</option>
            {kindNames.map(({ kind, name }) => (
              <option key={kind} value={kind}>
                {name}
              </option>
            ))}
          </Select>
          <Select label="Of" name="team">
            <option value="">Everyone and every team</option>
            {teams.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
          <Field
            label="For so many hours"
            name="hours"
            type="number"
            min={0.25}
            max={744}
            step="any"
            required
            defaultValue={2}
          />
          <Field label="Why" name="reason" required maxLength={500} />
          <div>
            <button type="submit" className={buttonClass("primary")}>
              Silence
            </button>
          </div>
        </Form>
      )}
    </section>
  )
}
