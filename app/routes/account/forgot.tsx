import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { sendPasswordReset } from "#server/sign-in/password-reset.ts"
import { open } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { toSignInRequest } from "../../lib/sign-in.server.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { SignInFrame } from "./frame.tsx"

export const meta: MetaFunction = () => [{ title: "Forgot your password? · Belay" }]

export const loader = open(async ({ context }) => ({ canSend: context.mailer !== null }))

const formSchema = z.object({ email: z.email().max(254) })

export const action = open(async ({ request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ isSent: false, error: "Enter an e-mail address." }, { status: 422 })
  if (context.mailer !== null) {
    const { mailer } = context
    const toAddress = (token: string) => `${context.publicUrl}${paths.signInLink(token)}`
    await sendPasswordReset(toSignInRequest({ request, context }), { email: form.data.email, mailer, toAddress })
  }
  // Said of every address, so that it does not tell who has an account.
  return data({ isSent: context.mailer !== null, error: null })
})

export default function Forgot() {
  const { canSend } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state !== "idle"
  const back = (
    <p className="text-sm">
      <Link to={paths.signIn()} className="text-ink-soft underline underline-offset-2 hover:text-ink">
        Back to sign-in
      </Link>
    </p>
  )
  if (!canSend) {
    return (
      <SignInFrame
        title="Forgot your password?"
        lead="This Belay sends no e-mail. Ask an owner or admin: on your page under People they make a link, good for an hour, with which you set a new password."
      >
        {back}
      </SignInFrame>
    )
  }
  return (
    <SignInFrame title="Forgot your password?" lead="We send you a link with which you set a new one.">
      {result?.isSent ? (
        <Notice tone="good">
          If there is an account of this address, a link is on its way. It works once, for an hour.
        </Notice>
      ) : (
        <Form method="post" className="space-y-4">
          <Field label="E-mail" name="email" type="email" autoComplete="username" required error={result?.error} />
          <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10 w-full")}>
            {isBusy ? "Sending…" : "Send a link"}
          </button>
        </Form>
      )}
      {back}
    </SignInFrame>
  )
}
