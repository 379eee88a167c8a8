import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useFetcher, useLoaderData, useNavigation } from "@remix-run/react"
import { Monitor } from "lucide-react"
import { z } from "zod"
import { recordAudit } from "#server/audit/commands.ts"
import { asTenant } from "#server/db/tenant.ts"
import {
  changePassword,
  confirmSecondFactor,
  disableSecondFactor,
  getOwnSignIn,
  renewRecoveryCodes,
  startSecondFactor,
} from "#server/sign-in/own-account.ts"
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from "#server/sign-in/passwords.ts"
import { byViewer, endSessions, listSessions } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { cookiesOf, toSignInRequest } from "../../lib/sign-in.server.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { CopyButton } from "../../ui/copy.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { drawQrCode } from "./qr-code.server.ts"
import { describeDevice } from "./device.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Your account · Belay" }]

export const loader = guard("signed_in", async ({ viewer, request, context }) => {
  const now = context.now()
  const organization = await asTenant(context.db, viewer.orgId, getOrganization)
  return {
    now,
    timeZone: organization.timeZone,
    isDemo: organization.isDemo,
    mayReadDigest: mayDo(viewer.role, "digest.read"),
    email: viewer.email,
    provider: context.providerName,
    passwordLengthMin: PASSWORD_LENGTH_MIN,
    ...(await getOwnSignIn(toSignInRequest({ request, context }), viewer)),
    sessions: await listSessions(context.signIn, viewer, now),
  }
})

const password = z.string().min(1).max(PASSWORD_LENGTH_MAX)
const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("password"), current: password, next: z.string().max(PASSWORD_LENGTH_MAX) }),
  z.object({ intent: z.literal("start_second_factor"), password }),
  z.object({ intent: z.literal("confirm_second_factor"), code: z.string().min(6).max(12) }),
  z.object({ intent: z.literal("disable_second_factor"), password }),
  z.object({ intent: z.literal("renew_recovery_codes"), password }),
  z.object({ intent: z.literal("end_session"), id: z.uuid() }),
  z.object({ intent: z.literal("end_other_sessions") }),
])

interface Result {
  readonly done?: string | undefined
  readonly error?: string | undefined
  readonly setup?: { readonly qr: { path: string; size: number }; readonly secret: string } | undefined
  readonly recoveryCodes?: readonly string[] | undefined
}

const WRONG_PASSWORD = "That is not your password. After ten wrong ones wait a quarter of an hour."

export const action = guard("signed_in", async ({ viewer, request, context }) => {
  const by = toSignInRequest({ request, context })
  const answer = (result: Result, init: { status?: number; headers?: Headers } = {}) =>
    data(result, { status: init.status ?? 200, headers: init.headers ? cookiesOf(init.headers) : new Headers() })
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return answer({ error: "Fill in every field." }, { status: 422 })
  const { isDemo } = await asTenant(context.db, viewer.orgId, getOrganization)
  if (isDemo) return answer({ error: "People of the demo have no account to change." }, { status: 403 })
  const values = form.data
  switch (values.intent) {
    case "password": {
      if (values.next.length < PASSWORD_LENGTH_MIN) {
        return answer({ error: `Take at least ${PASSWORD_LENGTH_MIN} characters.` }, { status: 422 })
      }
      const done = await changePassword(by, viewer, values)
      if (done === null) return answer({ error: WRONG_PASSWORD }, { status: 422 })
      return answer({ done: "Your password is changed. Your other sessions have ended." }, done)
    }
    case "start_second_factor": {
      const started = await startSecondFactor(by, viewer, values.password)
      if (started === null) return answer({ error: WRONG_PASSWORD }, { status: 422 })
      const secret = new URL(started.uri).searchParams.get("secret") ?? ""
      return answer({ setup: { qr: drawQrCode(started.uri), secret }, recoveryCodes: started.recoveryCodes })
    }
    case "confirm_second_factor": {
      const done = await confirmSecondFactor(by, viewer, values.code)
      if (done === null)
        return answer(
          { error: "That code is not right. Codes change every 30 seconds; take the newest." },
          { status: 422 },
        )
      return answer({ done: "The second factor is on. Belay asks for it from the next sign-in on." }, done)
    }
    case "disable_second_factor": {
      const done = await disableSecondFactor(by, viewer, values.password)
      if (done === null) return answer({ error: WRONG_PASSWORD }, { status: 422 })
      return answer({ done: "The second factor is off." }, done)
    }
    case "renew_recovery_codes": {
      const recoveryCodes = await renewRecoveryCodes(by, viewer, values.password)
      if (recoveryCodes === null) return answer({ error: WRONG_PASSWORD }, { status: 422 })
      return answer({ done: "These replace your old recovery codes.", recoveryCodes })
    }
    case "end_session":
    case "end_other_sessions": {
      const which = values.intent === "end_session" ? { only: values.id } : { except: viewer.sessionId }
      const count = await endSessions(context.signIn, { userId: viewer.userId, ...which })
      if (count === 0) return answer({ error: "That session had ended already." }, { status: 404 })
      await asTenant(context.db, viewer.orgId, (tx) =>
        recordAudit(tx, {
          ...byViewer(viewer, context.requestId, context.now()),
          action: "session.end",
          targetKind: "account",
          targetId: viewer.accountId,
          after: { sessions: count },
        }),
      )
      return answer({ done: `${plural(count, "session")} ended.` })
    }
  }
})

export default function Account() {
  const loaded = useLoaderData<typeof loader>()
  const result: Result | undefined = useActionData<typeof action>()
  const doneKey = useDoneKey(result, result?.done !== undefined)
  const isBusy = useNavigation().state === "submitting"
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Your account</h1>
        <p className="mt-1 text-xl font-semibold tracking-tight break-all">{loaded.email}</p>
        {loaded.mayReadDigest && (
          <p className="mt-1 text-ink-soft">
            On Mondays Belay can send you{" "}
            <Link to={paths.digest()} className="text-accent underline underline-offset-2">
              the digest of the week before
            </Link>
            .
          </p>
        )}
      </header>
      <div className="mt-4 max-w-3xl space-y-10">
        {result?.error !== undefined && <Notice tone="bad">{result.error}</Notice>}
        {result?.done !== undefined && <Notice tone="good">{result.done}</Notice>}
        <SecondFactor
          isOn={loaded.hasSecondFactor}
          hasPassword={loaded.hasPassword}
          provider={loaded.provider}
          setup={result?.setup ?? null}
          recoveryCodes={result?.recoveryCodes ?? null}
          isBusy={isBusy}
        />
        {loaded.hasPassword && (
          <section aria-labelledby="password">
            <h2 id="password" className="text-lg font-semibold">
              Password
            </h2>
            <Form method="post" className="mt-3 max-w-sm space-y-4" key={doneKey}>
              <input type="hidden" name="intent" value="password" />
              <Field label="Your password" name="current" type="password" autoComplete="current-password" required />
              <Field
                label="A new one"
                name="next"
                type="password"
                autoComplete="new-password"
                minLength={loaded.passwordLengthMin}
                required
                hint={`At least ${loaded.passwordLengthMin} characters. Your other sessions end with it.`}
              />
              <button type="submit" disabled={isBusy} className={buttonClass("quiet")}>
                Change the password
              </button>
            </Form>
          </section>
        )}
        <Sessions sessions={loaded.sessions} now={loaded.now} timeZone={loaded.timeZone} />
      </div>
    </>
  )
}

function SecondFactor(props: {
  isOn: boolean
  hasPassword: boolean
  provider: string | null
  setup: Result["setup"] | null
  recoveryCodes: readonly string[] | null
  isBusy: boolean
}) {
  const { isOn, hasPassword, provider, setup, recoveryCodes, isBusy } = props
  // Beside the page's own answer, so that the QR code stays when a code is refused and the recovery codes when not.
  const confirmation = useFetcher<Result>()
  const answer = confirmation.data
  return (
    <section aria-labelledby="second-factor">
      <h2 id="second-factor" className="text-lg font-semibold">
        Second factor
      </h2>
      <p className="mt-1 text-ink-soft">
        {isOn
          ? "On: after your password Belay asks for a code of your authenticator app."
          : hasPassword
            ? "Off. With an authenticator app on your phone, a stolen password opens nothing."
            : `You sign in through ${provider ?? "your identity provider"}; its second factor counts.`}
      </p>
      {answer?.done !== undefined && isOn && (
        <div className="mt-3">
          <Notice tone="good">{answer.done}</Notice>
        </div>
      )}
      {setup != null && !isOn && (
        <div className="mt-4 flex flex-wrap gap-6 rounded-md border border-line bg-surface p-4">
          <svg
            role="img"
            aria-label="QR code for the authenticator app; the key beside it says the same"
            viewBox={`0 0 ${setup.qr.size} ${setup.qr.size}`}
            className="size-44 shrink-0 rounded-md bg-paper text-print"
          >
            <path d={setup.qr.path} fill="currentColor" />
          </svg>
          <confirmation.Form method="post" className="min-w-60 flex-1 space-y-4">
            <p className="text-sm text-ink-soft">
              Scan it with your authenticator app, or type in the key:{" "}
              <code className="font-mono text-xs break-all text-ink select-all">{setup.secret}</code>
            </p>
            <input type="hidden" name="intent" value="confirm_second_factor" />
            <Field
              label="Code that the app shows"
              name="code"
              inputMode="numeric"
              autoComplete="one-time-code"
              required
              error={answer?.error}
            />
            <button type="submit" disabled={confirmation.state !== "idle"} className={buttonClass("primary")}>
              Turn it on
            </button>
          </confirmation.Form>
        </div>
      )}
      {recoveryCodes !== null && <RecoveryCodes codes={recoveryCodes} />}
      {hasPassword && setup == null && !isOn && (
        <Form method="post" className="mt-3 flex max-w-md flex-wrap items-end gap-2">
          <input type="hidden" name="intent" value="start_second_factor" />
          <Field
            label="Your password"
            name="password"
            type="password"
            autoComplete="current-password"
            required
            className="min-w-48 flex-1"
          />
          <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10")}>
            Set it up
          </button>
        </Form>
      )}
      {isOn && (
        <div className="mt-3 flex flex-wrap gap-2">
          {(
            [
              ["renew_recovery_codes", "New recovery codes", "The old ones stop working."],
              ["disable_second_factor", "Turn it off", "From then on your password alone opens your account."],
            ] as const
          ).map(([intent, label, description]) => (
            <Confirm
              key={intent}
              trigger={label}
              triggerClass={buttonClass("quiet")}
              title={`${label}?`}
              description={description}
              action={label}
              fields={{ intent }}
            >
              <Field label="Your password" name="password" type="password" autoComplete="current-password" required />
            </Confirm>
          ))}
        </div>
      )}
    </section>
  )
}

function RecoveryCodes({ codes }: { codes: readonly string[] }) {
  return (
    <section aria-labelledby="recovery-codes" className="mt-4 rounded-md border border-line bg-surface p-4">
      <div className="flex items-center justify-between gap-4">
        <h3 id="recovery-codes" className="font-semibold">
          Recovery codes
        </h3>
        <CopyButton text={codes.join("\n")} label="the recovery codes" />
      </div>
      <p className="mt-1 text-sm text-ink-soft">
        Shown only now. Keep them where your phone is not: each lets you in once without it.
      </p>
      <ul className="mt-3 grid grid-cols-2 gap-x-6 gap-y-1 font-mono text-sm select-all sm:grid-cols-3">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
    </section>
  )
}

type SessionItem = ReturnType<typeof useLoaderData<typeof loader>>["sessions"][number]

function Sessions(props: { sessions: readonly SessionItem[]; now: Date; timeZone: string }) {
  const others = props.sessions.filter((session) => !session.isCurrent).length
  return (
    <section aria-labelledby="sessions">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id="sessions" className="text-lg font-semibold">
          Where you are signed in
        </h2>
        {others > 0 && (
          <Form method="post" preventScrollReset>
            <input type="hidden" name="intent" value="end_other_sessions" />
            <button type="submit" className={buttonClass("quiet")}>
              End {plural(others, "other session")}
            </button>
          </Form>
        )}
      </div>
      <ul className="mt-3 divide-y divide-line rounded-md border border-line bg-surface">
        {props.sessions.map((session) => (
          <li key={session.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3">
            <Monitor aria-hidden className="size-4 shrink-0 text-ink-faint" />
            <div className="min-w-0 flex-1">
              <p className="truncate font-medium" title={session.userAgent ?? undefined}>
                {describeDevice(session.userAgent)}
              </p>
              <p className="text-xs text-ink-faint">
                <span title={formatInstant(session.createdAt, props.timeZone)}>
                  signed in {formatAge(session.createdAt, props.now)}
                </span>
                {session.clientAddress !== null && ` from ${session.clientAddress}`}, lasts until{" "}
                {formatInstant(session.expiresAt, props.timeZone)}
              </p>
            </div>
            {session.isCurrent ? (
              <span className="text-sm text-good">this one</span>
            ) : (
              <Form method="post" preventScrollReset>
                <input type="hidden" name="intent" value="end_session" />
                <input type="hidden" name="id" value={session.id} />
                <button
                  type="submit"
                  className={rowActionClass("danger")}
                  aria-label={`End the session of ${describeDevice(session.userAgent)}, signed in ${formatAge(session.createdAt, props.now)}`}
                >
                  End
                </button>
              </Form>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
