import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, useActionData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { getViewer, sessionCookie, signIn } from "#server/team/sessions.ts"
import { plural } from "../../lib/format.ts"
import { open } from "../../lib/guard.server.ts"
import { toLocalPath } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Logo } from "../../ui/logo.tsx"

export const meta: MetaFunction = () => [{ title: "Sign in · Belay" }]

export const loader = open(async ({ request, context }) => {
  const viewer = await getViewer(context.db, request.headers.get("cookie"), context.now())
  if (viewer !== null) throw redirect(toLocalPath(new URL(request.url).searchParams.get("to")))
  return null
})

const WRONG = "E-mail or password is not right."

const formSchema = z.object({ email: z.email().max(254), password: z.string().min(1).max(200) })

export const action = open(async ({ request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ error: WRONG }, { status: 401 })
  const { clientAddress, requestId } = context
  const signedIn = await signIn(context.db, { ...form.data, clientAddress, requestId }, context.now())
  if (!signedIn.ok) {
    if (signedIn.reason === "wrong") return data({ error: WRONG }, { status: 401 })
    const minutes = Math.ceil(signedIn.retryAfterSeconds / 60)
    return data(
      { error: `Too many attempts. Try again in ${plural(minutes, "minute")}.` },
      { status: 429, headers: { "retry-after": String(signedIn.retryAfterSeconds) } },
    )
  }
  return redirect(toLocalPath(new URL(request.url).searchParams.get("to")), {
    headers: { "set-cookie": sessionCookie(signedIn.token, context.publicUrl) },
  })
})

const INPUT = "mt-1 block h-10 w-full rounded-md border border-line-strong bg-surface px-3 text-base"

export default function SignIn() {
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state !== "idle"
  return (
    <main className="flex min-h-dvh items-center justify-center bg-canvas px-4">
      <div className="w-full max-w-sm">
        <Logo className="size-10" />
        <h1 className="mt-6 text-2xl font-semibold tracking-tight">Sign in to Belay</h1>
        <p className="mt-2 text-ink-soft">See where your team stands on the trust ladder.</p>
        <Form method="post" className="mt-8 space-y-4">
          <label className="block text-sm font-medium">
            E-mail
            <input name="email" type="email" autoComplete="username" required className={INPUT} />
          </label>
          <label className="block text-sm font-medium">
            Password
            <input name="password" type="password" autoComplete="current-password" required className={INPUT} />
          </label>
          {result?.error && (
            <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
              {result.error}
            </p>
          )}
          <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10 w-full")}>
            {isBusy ? "Signing in…" : "Sign in"}
          </button>
        </Form>
        <p className="mt-6 text-sm text-ink-faint">
          The first admin's password was printed when Belay was first started.
        </p>
      </div>
    </main>
  )
}
