import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { LogIn } from "lucide-react"
import { z } from "zod"
import { getViewer } from "#server/sign-in/sessions.ts"
import { signInWithPassword } from "#server/sign-in/sign-in.ts"
import { plural } from "../../lib/format.ts"
import { open } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { cookiesOf, readTo, toSignInRequest } from "../../lib/sign-in.server.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { SignInFrame } from "./frame.tsx"

export const meta: MetaFunction = () => [{ title: "Sign in · Belay" }]

export const loader = open(async ({ request, context }) => {
  const search = new URL(request.url).searchParams
  const to = readTo(request)
  const viewer = await getViewer(context.signIn, request.headers.get("cookie"))
  if (viewer !== null) throw redirect(to)
  const error = search.get("error")
  return { to, provider: context.providerName, error: error === null ? null : describeProviderError(error) }
})

const WRONG = "E-mail or password is not right."

const formSchema = z.object({ email: z.email().max(254), password: z.string().min(1).max(200) })

export const action = open(async ({ request, context }) => {
  const to = readTo(request)
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ error: WRONG }, { status: 401 })
  const signedIn = await signInWithPassword(toSignInRequest({ request, context }), form.data)
  if (signedIn.ok) {
    return redirect(signedIn.isSecondFactorDue ? paths.secondFactor(to) : to, { headers: cookiesOf(signedIn.headers) })
  }
  if (signedIn.reason !== "too_many") return data({ error: WRONG }, { status: 401 })
  const minutes = Math.ceil(signedIn.retryAfterSeconds / 60)
  return data(
    { error: `Too many attempts. Try again in ${plural(minutes, "minute")}.` },
    { status: 429, headers: { "retry-after": String(signedIn.retryAfterSeconds) } },
  )
})

/** What went wrong on the way to the identity provider and back, and what to do. */
function describeProviderError(error: string): string {
  if (error === "not_admitted") {
    return "Your identity provider knows you, but nobody gave you a place in this organization. Ask an owner or admin to add you."
  }
  if (error === "provider_away") return "The identity provider does not answer. Try again in a minute."
  if (error === "access_denied") return "The identity provider refused. Ask whoever runs it for access to Belay."
  if (error === "account_not_linked" || error === "email_not_verified") {
    return "Your identity provider has not verified your e-mail address, so Belay cannot tell that it is yours."
  }
  return "Signing in through the identity provider did not work. Try again; if it stays, an admin finds the reason in Belay's output."
}

export default function SignIn() {
  const { to, provider, error } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state !== "idle"
  const message = result?.error ?? error
  return (
    <SignInFrame title="Sign in to Belay" lead="See where your team stands on the trust ladder.">
      {message !== null && <Notice tone="bad">{message}</Notice>}
      {provider !== null && (
        <>
          <a href={paths.singleSignOn(to)} className={buttonClass("primary", "h-10 w-full")}>
            <LogIn aria-hidden className="size-4" /> Continue with {provider}
          </a>
          <p className="flex items-center gap-3 text-xs text-ink-faint before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
            or with a password
          </p>
        </>
      )}
      <Form method="post" className="space-y-4">
        <Field label="E-mail" name="email" type="email" autoComplete="username" required />
        <Field label="Password" name="password" type="password" autoComplete="current-password" required />
        <button
          type="submit"
          disabled={isBusy}
          className={buttonClass(provider === null ? "primary" : "quiet", "h-10 w-full")}
        >
          {isBusy ? "Signing in…" : "Sign in"}
        </button>
      </Form>
      <p className="text-sm">
        <Link to={paths.forgotPassword()} className="text-ink-soft underline underline-offset-2 hover:text-ink">
          Forgot your password?
        </Link>
      </p>
      <p className="text-sm text-ink-faint">The first owner's password was printed when Belay was first started.</p>
    </SignInFrame>
  )
}
