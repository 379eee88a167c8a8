import { data, type MetaFunction } from "@remix-run/node"
import { Form, useActionData, useLoaderData } from "@remix-run/react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import {
  type ListedEndpoint,
  listWebhookDeliveries,
  listWebhookEndpoints,
  makeWebhookSecret,
} from "#server/outcomes/endpoints.ts"
import { countJoins } from "#server/outcomes/queries.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatCount, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { buttonClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { CopyButton } from "../../ui/copy.tsx"
import { Notice } from "../../ui/notice.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { SettingsTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Webhooks · Belay" }]

const DELIVERIES = 50
const DAYS = 30

const HOSTS = {
  github: {
    name: "GitHub",
    where: "Settings → Webhooks of a repository or an organization; content type application/json",
    events: "Pull requests, pull request reviews, pushes, check runs, check suites, workflow runs, deployment statuses",
  },
  gitlab: {
    name: "GitLab",
    where: "Settings → Webhooks of a project or a group; the secret is its secret token",
    events: "Merge request, push, comment, pipeline and deployment events",
  },
} as const
type Provider = keyof typeof HOSTS
const PROVIDERS = ["github", "gitlab"] as const

export const loader = guard("settings.manage", async ({ viewer, context }) => {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => ({
    now,
    publicUrl: context.publicUrl,
    timeZone: (await getOrganization(tx)).timeZone,
    endpoints: await listWebhookEndpoints(tx),
    deliveries: await listWebhookDeliveries(tx, DELIVERIES),
    joins: await countJoins(tx, new Date(now.getTime() - DAYS * 86_400_000)),
  }))
})

const formSchema = z.object({ provider: z.enum(PROVIDERS) })

export const action = guard("settings.manage", async ({ viewer, request, context }) => {
  const parsed = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!parsed.success) throw data("No such code host", { status: 422 })
  const { provider } = parsed.data
  const by = byViewer(viewer, context.requestId, context.now())
  const made = await asTenant(context.db, viewer.orgId, (tx) =>
    makeWebhookSecret(tx, { provider, secret: context.secret, by }),
  )
  return { provider, webhookSecret: made.webhookSecret }
})

export default function Webhooks() {
  const { now, publicUrl, timeZone, endpoints, deliveries, joins } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Webhooks</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {joins.changes === 0
            ? `No pull or merge request was told of in the last ${DAYS} days.`
            : `Of ${plural(joins.changes, "pull or merge request")} in the last ${DAYS} days ${formatCount(joins.joined)} ${joins.joined === 1 ? "is" : "are"} joined to agent work; ${formatCount(joins.unjoined)} ${joins.unjoined === 1 ? "is" : "are"} not.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          A code host tells Belay what was reviewed, merged, closed and reverted. Kept are ids, numbers, times and kinds
          of files; no titles, names, messages or paths. A change is joined to agent work by the commit trailer
          Belay-Operation ({formatCount(joins.by.trailer)}), by commits that agents report (
          {formatCount(joins.by.commit_id)}), by the session and branch that they worked in (
          {formatCount(joins.by.session)}), or by its author and time ({formatCount(joins.by.author_time)}), the best of
          these that there is. Of who made a commit a keyed hash is kept.
          {joins.unheardOf > 0 &&
            ` ${formatCount(joins.unheardOf)} of them ${joins.unheardOf === 1 ? "names" : "name"} operations alone of which Belay has no signal.`}
          {joins.waiting > 0 && ` ${plural(joins.waiting, "outcome")} of operations that Belay has not heard of wait.`}
        </p>
      </header>
      <SettingsTabs />
      <div className="mt-4 space-y-6">
        {result !== undefined && <MadeSecret name={HOSTS[result.provider].name} secret={result.webhookSecret} />}
        {PROVIDERS.map((provider) => {
          const endpoint = endpoints.find((one) => one.provider === provider)
          return <Host key={provider} {...{ provider, endpoint, publicUrl, now, timeZone }} />
        })}
        <section aria-labelledby="deliveries">
          <h2 id="deliveries" className="text-lg font-semibold">
            Last deliveries
          </h2>
          {deliveries.length === 0 ? (
            <p className="mt-2 text-ink-soft">
              Nothing has come in with a right signature. Code hosts send a ping as soon as a webhook is set up.
            </p>
          ) : (
            <div className="mt-3">
              <Table
                caption="Last deliveries"
                titles={["Event", "From", "Received", "Times", "State", "Delivery"]}
                figures={["Times"]}
              >
                {deliveries.map((one) => (
                  <tr key={`${one.provider} ${one.deliveryId}`} className={ROW}>
                    <th scope="row" className={`${CELL} text-left font-normal`}>
                      {one.event}
                    </th>
                    <td className={CELL}>
                      {PROVIDERS.filter((id) => id === one.provider).map((id) => HOSTS[id].name)}
                    </td>
                    <td className={CELL}>
                      <Instant at={one.receivedAt} {...{ now, timeZone }} />
                    </td>
                    <td className={FIGURE_CELL}>{formatCount(one.times)}</td>
                    <td className={CELL}>
                      {one.events === 0 ? "Nothing to keep" : `Kept ${plural(one.events, "event")}`}
                    </td>
                    <td className={CELL}>
                      <code className="font-mono text-xs text-ink-faint">{one.deliveryId.slice(0, 36)}</code>
                    </td>
                  </tr>
                ))}
              </Table>
            </div>
          )}
        </section>
      </div>
    </>
  )
}

function Host(props: {
  provider: Provider
  endpoint: ListedEndpoint | undefined
  publicUrl: string
  now: Date
  timeZone: string
}) {
  const { provider, endpoint, publicUrl, now, timeZone } = props
  const { name, where, events } = HOSTS[provider]
  const url = `${publicUrl}/webhooks/${provider}/${endpoint?.id ?? ""}`
  return (
    <section aria-labelledby={provider} className="max-w-3xl rounded-md border border-line bg-surface p-4">
      <h2 id={provider} className="font-semibold">
        {name}
      </h2>
      {endpoint === undefined ? (
        <Form method="post" preventScrollReset className="mt-2 flex flex-wrap items-center gap-3">
          <p className="text-ink-soft">Not set up.</p>
          <button type="submit" name="provider" value={provider} className={buttonClass("primary")}>
            Make a webhook for {name}
          </button>
        </Form>
      ) : (
        <>
          <div className="mt-2 flex flex-wrap items-center gap-2">
            <code className="min-w-0 font-mono text-sm break-all">{url}</code>
            <CopyButton label={`the address for ${name}`} text={url} />
          </div>
          <p className="mt-2 text-sm text-ink-soft">
            {where}. Events: {events}.
          </p>
          <div className="mt-2 flex flex-wrap items-center gap-3 text-sm text-ink-soft">
            <span>
              Secret made <Instant at={endpoint.madeAt} {...{ now, timeZone }} />
              {endpoint.beforeUntil !== null && endpoint.beforeUntil > now && "; the one before still works"}
              {endpoint.lastRefusedAt !== null && (
                <>
                  ; {plural(endpoint.refused, "delivery", "deliveries")} refused for a wrong signature, last{" "}
                  <Instant at={endpoint.lastRefusedAt} {...{ now, timeZone }} />
                </>
              )}
            </span>
            <Confirm
              trigger="Make a new secret"
              triggerLabel={`Make a new secret for ${name}`}
              title={`Make a new secret for ${name}?`}
              description="The one in use works for 24 hours more, so that it can be changed at the code host. This cannot be undone."
              action="Make a new secret"
              fields={{ provider }}
            />
          </div>
        </>
      )}
    </section>
  )
}

function Instant({ at, now, timeZone }: { at: Date; now: Date; timeZone: string }) {
  return (
    <time dateTime={at.toISOString()} title={formatInstant(at, timeZone)}>
      {formatAge(at, now)}
    </time>
  )
}

function MadeSecret({ name, secret }: { name: string; secret: string }) {
  return (
    <Notice tone="good">
      <p>The secret for {name}, shown this once:</p>
      <div className="mt-2 flex flex-wrap items-center gap-2">
        <code className="min-w-0 font-mono text-sm break-all text-ink">{secret}</code>
        <CopyButton label={`the secret for ${name}`} text={secret} />
      </div>
    </Notice>
  )
}
