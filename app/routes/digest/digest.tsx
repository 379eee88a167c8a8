import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { setChannelDigest, setOwnDigest } from "#server/digest/commands.ts"
import { readDigest } from "#server/digest/digest.ts"
import { getDigestWishes } from "#server/digest/queries.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatInstant } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Notice } from "../../ui/notice.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Weekly digest · Belay" }]

export const loader = guard("digest.read", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => ({
    email: viewer.email,
    hasMail: context.mailer !== null,
    timeZone: (await getOrganization(tx)).timeZone,
    mayChangeChannels: mayDo(viewer.role, "alert_rules.manage"),
    wishes: await getDigestWishes(tx, viewer.accountId),
    digest: await readDigest(tx, { reader: viewer, now: context.now() }),
  })),
)

const isWanted = z.enum(["yes", "no"]).transform((value) => value === "yes")
const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("own"), isWanted }),
  z.object({ intent: z.literal("channel"), id: z.uuid(), isWanted }),
])

export const action = guard("digest.read", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) throw data("Nothing that can be changed here", { status: 422 })
  const values = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  if (values.intent === "own") {
    const { accountId } = viewer
    await asTenant(context.db, viewer.orgId, (tx) => setOwnDigest(tx, { accountId, isWanted: values.isWanted, by }))
    return { done: values.isWanted ? "You get the digest on Mondays." : "You get no digest any more." }
  }
  if (!mayDo(viewer.role, "alert_rules.manage")) {
    throw data(`This is not part of your role (${viewer.role}). Ask an owner or admin.`, { status: 403 })
  }
  const { id: channelId } = values
  const isThere = await asTenant(context.db, viewer.orgId, (tx) =>
    setChannelDigest(tx, { channelId, isWanted: values.isWanted, by }),
  )
  if (!isThere) throw data("No such channel", { status: 404 })
  return { done: values.isWanted ? "The channel gets the digest on Mondays." : "The channel gets no digest any more." }
})

export default function DigestPage() {
  const { email, hasMail, timeZone, mayChangeChannels, wishes, digest } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Weekly digest</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {wishes.isWanted
            ? `On Mondays from 7:00 (${timeZone}) the week before goes to ${email}.`
            : "You do not get the digest."}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Where teams stand, what moved, what it cost, whether the work held up, and where to look next: of the teams
          whose figures you may read. When there is nothing to say, nothing is sent.
        </p>
      </header>
      <div className="mt-4 max-w-3xl space-y-6">
        {result !== undefined && <Notice tone="good">{result.done}</Notice>}
        {!hasMail && (
          <p className="rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
            No mail server is configured, so none can be sent by e-mail. Whoever runs Belay sets BELAY_SMTP_URL.
          </p>
        )}
        <Choice
          fields={{ intent: "own" }}
          isWanted={wishes.isWanted}
          label={wishes.isWanted ? "Stop sending it to me" : "Send it to me on Mondays"}
          isPrimary
        />
        {wishes.last?.state === "dead" && (
          <p className="text-sm text-bad">The last one could not be sent, and was given up.</p>
        )}
        {wishes.last?.state === "sent" && wishes.last.doneAt !== null && (
          <p className="text-sm text-ink-soft">
            The last one was sent on {formatInstant(wishes.last.doneAt, timeZone)}.
          </p>
        )}
        {mayChangeChannels && (
          <section aria-labelledby="channels">
            <h2 id="channels" className="text-lg font-semibold">
              Slack channels
            </h2>
            {wishes.channels.length === 0 ? (
              <p className="mt-1 text-ink-soft">
                There is none. Set one up under{" "}
                <Link to={paths.alertChannels()} className="text-accent underline underline-offset-2">
                  alert channels
                </Link>
                .
              </p>
            ) : (
              <>
                <p className="mt-1 text-ink-soft">A channel gets what may be told of the whole organization.</p>
                <ul className="mt-2 divide-y divide-line rounded-md border border-line bg-surface">
                  {wishes.channels.map((channel) => (
                    <li key={channel.id} className="flex flex-wrap items-center justify-between gap-2 px-4 py-2">
                      <span className="min-w-0 break-words">{channel.name}</span>
                      <Choice
                        fields={{ intent: "channel", id: channel.id }}
                        isWanted={channel.isWanted}
                        label={`${channel.isWanted ? "Stop sending it to" : "Send it to"} ${channel.name}`}
                      />
                    </li>
                  ))}
                </ul>
              </>
            )}
          </section>
        )}
        <Preview digest={digest} />
      </div>
    </>
  )
}

function Choice(props: {
  fields: Readonly<Record<string, string>>
  isWanted: boolean
  label: string
  isPrimary?: boolean
}) {
  const isBusy = useNavigation().state === "submitting"
  return (
    <Form method="post" preventScrollReset>
      {Object.entries(props.fields).map(([name, value]) => (
        <input key={name} type="hidden" name={name} value={value} />
      ))}
      <button
        type="submit"
        name="isWanted"
        value={props.isWanted ? "no" : "yes"}
        disabled={isBusy}
        className={buttonClass(props.isPrimary === true && !props.isWanted ? "primary" : "quiet")}
      >
        {props.label}
      </button>
    </Form>
  )
}

/** As it would be sent now. */
function Preview({ digest }: { digest: Awaited<ReturnType<typeof readDigest>> }) {
  return (
    <section aria-labelledby="preview">
      <h2 id="preview" className="text-lg font-semibold">
        As it would be sent now
      </h2>
      {digest === null ? (
        <p className="mt-1 text-ink-soft">
          There is nothing to say of last week: no figure that may be told, and no open incident. Nothing would be sent.
        </p>
      ) : (
        <article className="mt-2 rounded-md border border-line bg-surface p-4 sm:p-6">
          <p className="text-sm text-ink-faint">
            {digest.organization}, the week from {digest.week} to before {digest.until}
          </p>
          {digest.sections.map(({ title, lines }) => (
            <section key={title} aria-label={title} className="mt-4">
              <h3 className="font-medium">{title}</h3>
              <ul className="mt-1 space-y-1">
                {lines.map(({ text, path }) => (
                  <li key={text} className="text-ink-soft">
                    {text}{" "}
                    {path !== null && (
                      <Link
                        to={path}
                        aria-label={`Look: ${text}`}
                        className="text-accent underline underline-offset-2 whitespace-nowrap"
                      >
                        Look
                      </Link>
                    )}
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </article>
      )}
    </section>
  )
}
