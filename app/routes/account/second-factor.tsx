import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, Link, useActionData, useNavigation, useSearchParams } from "@remix-run/react"
import { z } from "zod"
import { signInWithSecondFactor } from "#server/sign-in/sign-in.ts"
import { plural } from "../../lib/format.ts"
import { open } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { cookiesOf, readTo, toSignInRequest } from "../../lib/sign-in.server.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { SignInFrame } from "./frame.tsx"

export const meta: MetaFunction = () => [{ title: "Second factor · Belay" }]

export const loader = open(async () => null)

const formSchema = z.object({
  method: z.enum(["totp", "recovery_code"]),
  code: z.string().trim().min(1).max(40),
})

export const action = open(async ({ request, context }) => {
  const to = readTo(request)
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ error: "Enter the code." }, { status: 422 })
  const signedIn = await signInWithSecondFactor(toSignInRequest({ request, context }), form.data)
  if (signedIn.ok) return redirect(to, { headers: cookiesOf(signedIn.headers) })
  if (signedIn.reason === "expired") return redirect(paths.signIn(to))
  if (signedIn.reason === "wrong") {
    return data({ error: "That code is not right. Codes change every 30 seconds; take the newest." }, { status: 401 })
  }
  const minutes = Math.ceil(signedIn.retryAfterSeconds / 60)
  return data({ error: `Too many attempts. Try again in ${plural(minutes, "minute")}.` }, { status: 429 })
})

export default function SecondFactor() {
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state !== "idle"
  const [search] = useSearchParams()
  const isRecovery = search.get("with") === "recovery"
  const other = new URLSearchParams(search)
  if (isRecovery) other.delete("with")
  else other.set("with", "recovery")
  return (
    <SignInFrame
      title="Second factor"
      lead={
        isRecovery
          ? "Enter one of the recovery codes you kept. Each works once."
          : "Enter the six digits that your authenticator app shows."
      }
    >
      {result?.error && <Notice tone="bad">{result.error}</Notice>}
      <Form method="post" className="space-y-4">
        <input type="hidden" name="method" value={isRecovery ? "recovery_code" : "totp"} />
        <Field
          key={String(isRecovery)}
          label={isRecovery ? "Recovery code" : "Code"}
          name="code"
          autoComplete="one-time-code"
          inputMode={isRecovery ? "text" : "numeric"}
          required
        />
        <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10 w-full")}>
          {isBusy ? "Checking…" : "Sign in"}
        </button>
      </Form>
      <p className="flex justify-between text-sm text-ink-soft">
        <Link to={`?${other}`} className="underline underline-offset-2 hover:text-ink">
          {isRecovery ? "Use the authenticator app" : "Use a recovery code"}
        </Link>
        <Link to={paths.signIn()} className="underline underline-offset-2 hover:text-ink">
          Start again
        </Link>
      </p>
    </SignInFrame>
  )
}
