import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { Eye } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { claimIdentity, IDENTITY_KINDS, separateIdentity } from "#server/team/identities.ts"
import { mayDo } from "#server/team/roles.ts"
import { countAttempt } from "#server/team/rate-limit.ts"
import { formatInstant } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { loadOwnData } from "./load.server.ts"
import { OwnBudgets } from "./own-budgets.tsx"
import { describeOwn, OwnFigures, WhatIsKept } from "./own-data.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Me · Belay" }]

/** The viewer's own data: whose they are comes from the session and from nothing in the address. */
export const loader = guard("signed_in", async ({ viewer, request, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => ({
    canConnect: mayDo(viewer.role, "connect.read"),
    ...(await loadOwnData(tx, {
      orgId: viewer.orgId,
      accountId: viewer.accountId,
      search: new URL(request.url).searchParams,
      now: context.now(),
    })),
  })),
)

const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("claim"), kind: z.enum(IDENTITY_KINDS), value: z.string().trim().min(3).max(300) }),
  z.object({ intent: z.literal("separate"), id: z.uuid() }),
])

/** Claims in an hour: enough for everybody's machines, too few for guessing. */
const CLAIMS = { attemptsMax: 20, windowMs: 60 * 60_000 }

export const action = guard("signed_in", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ done: null, error: "Enter the identity as your agent sends it." }, { status: 422 })
  const values = form.data
  const now = context.now()
  const { accountId } = viewer
  const by = byViewer(viewer, context.requestId, now)
  const attempt = await countAttempt(context.db, { ...CLAIMS, bucket: `claims of ${accountId}` }, now)
  if (!attempt.ok) return data({ done: null, error: "Too many attempts. Try again in an hour." }, { status: 429 })
  return asTenant(context.db, viewer.orgId, async (tx) => {
    if (values.intent === "separate") {
      const isSeparate = await separateIdentity(tx, { developerId: values.id, ofAccountId: accountId, by })
      return isSeparate
        ? data({ done: "It is no longer counted as yours.", error: null })
        : data({ done: null, error: "There is no such identity of yours." }, { status: 404 })
    }
    const isClaimed = await claimIdentity(tx, { accountId, kind: values.kind, value: values.value, by })
    return isClaimed
      ? data({ done: "Counted as yours from now on, the past included.", error: null })
      : data({ done: null, error: "No unclaimed telemetry names this identity." }, { status: 404 })
  })
})

export default function Me() {
  const own = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const doneKey = useDoneKey(result, result?.done != null)
  const isBusy = useNavigation().state === "submitting"
  const openNow = own.breakGlass.filter((access) => access.closedAt === null && access.expiresAt > own.now)
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Me</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{describeOwn(own, "You")}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          {openNow.length === 0 && "Only you see this page. "}
          {own.person?.teamName ? `In ${own.person.teamName} you` : "You"} appear to others as a part of figures
          {own.person?.pseudonym ? `, never by name; your pseudonym is ${own.person.pseudonym}` : ""}. What became of
          your agents’ work is under{" "}
          <Link to={paths.ownChanges()} prefetch="intent" className="text-accent underline underline-offset-2">
            your changes
          </Link>
          .
        </p>
      </header>
      {own.freshness.signals === 0 && own.canConnect && (
        <Link to={paths.connect()} className={buttonClass("primary", "mt-4")}>
          Connect an agent
        </Link>
      )}
      {openNow.map((access) => (
        <p key={access.id} className="mt-4 flex max-w-3xl gap-3 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
          <Eye aria-hidden className="mt-0.5 size-4 shrink-0" />
          <span>
            {access.openedByEmail} can see this page too, until {formatInstant(access.expiresAt, own.timeZone)}. The
            reason they gave: “{access.reason}”
          </span>
        </p>
      ))}
      <OwnFigures own={own} whose="You" />
      <OwnBudgets budgets={own.budgets} />
      <section aria-labelledby="policy" className="mt-10 max-w-3xl">
        <h2 id="policy" className="text-lg font-semibold">
          Policy in force
        </h2>
        <p className="mt-1 text-ink-soft">
          {own.policy === null
            ? "None: no agent of yours has said in the last week that it runs one."
            : `Version ${own.policy.version}, as your agent said ${formatInstant(own.policy.observedAt, own.timeZone)}.`}
        </p>
      </section>
      <section aria-labelledby="identities" className="mt-10 max-w-3xl">
        <h2 id="identities" className="text-lg font-semibold">
          Your identities
        </h2>
        <p className="mt-1 text-ink-soft">
          Telemetry under your e-mail address is yours already. If an agent names you otherwise, by an account or
          installation id, claim it by that id
          {own.canConnect && (
            <>
              ;{" "}
              <Link to={paths.connect()} className="underline underline-offset-2">
                Connect
              </Link>{" "}
              says how to make it send your address
            </>
          )}
          .
        </p>
        <div className="mt-3 space-y-3">
          {result?.error && <Notice tone="bad">{result.error}</Notice>}
          {result?.done && <Notice tone="good">{result.done}</Notice>}
        </div>
        {own.identities.length > 0 && (
          <ul className="mt-3 divide-y divide-line rounded-md border border-line bg-surface">
            {own.identities.map((identity) => (
              <li
                key={identity.developerId}
                className="flex flex-wrap items-center justify-between gap-x-3 px-4 py-2 text-sm"
              >
                <code className="font-mono text-xs">{identity.pseudonym}</code>
                <span className="text-ink-faint">since {formatInstant(identity.mergedAt, own.timeZone)}</span>
                <Form method="post" preventScrollReset>
                  <input type="hidden" name="intent" value="separate" />
                  <input type="hidden" name="id" value={identity.developerId} />
                  <button
                    type="submit"
                    aria-label={`Not mine: ${identity.pseudonym}`}
                    className={rowActionClass("quiet")}
                  >
                    Not mine
                  </button>
                </Form>
              </li>
            ))}
          </ul>
        )}
        <Form method="post" preventScrollReset className="mt-3 flex flex-wrap items-end gap-2" key={doneKey}>
          <input type="hidden" name="intent" value="claim" />
          <Select label="Named by" name="kind" defaultValue="installation">
            <option value="installation">installation id</option>
            <option value="account">account id</option>
            <option value="user">user id</option>
            <option value="email">another e-mail address</option>
          </Select>
          <Field label="Identity" name="value" required minLength={3} maxLength={300} className="min-w-56 flex-1" />
          <button type="submit" disabled={isBusy} className={buttonClass("quiet", "h-10")}>
            It is mine
          </button>
        </Form>
      </section>
      <WhatIsKept />
    </>
  )
}
