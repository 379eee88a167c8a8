import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from "#server/sign-in/passwords.ts"
import { findLink, useLink as consumeLink } from "#server/sign-in/links.ts"
import { open } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { cookiesOf, toSignInRequest } from "../../lib/sign-in.server.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { SignInFrame } from "./frame.tsx"

export const meta: MetaFunction = () => [{ title: "Set a password · Belay" }]

export const loader = open(async ({ params, context }) => {
  const link = await findLink(context.db, params["token"] ?? "", context.now())
  if (link === null) return data({ link: null, passwordLengthMin: PASSWORD_LENGTH_MIN }, { status: 404 })
  const { purpose, email, name, organization } = link
  return data({ link: { purpose, email, name, organization }, passwordLengthMin: PASSWORD_LENGTH_MIN })
})

const formSchema = z
  .object({
    name: z.string().trim().max(80).default(""),
    password: z
      .string()
      .min(PASSWORD_LENGTH_MIN, `Take at least ${PASSWORD_LENGTH_MIN} characters.`)
      .max(PASSWORD_LENGTH_MAX, `Take at most ${PASSWORD_LENGTH_MAX} characters.`),
    again: z.string(),
  })
  .refine((form) => form.password === form.again, { path: ["again"], message: "The two are not the same." })

export const action = open(async ({ request, params, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ errors: z.flattenError(form.error).fieldErrors }, { status: 422 })
  const link = await findLink(context.db, params["token"] ?? "", context.now())
  if (link === null) return redirect(paths.signInLink(params["token"] ?? ""))
  const { db, signIn, headers, requestId, now } = toSignInRequest({ request, context })
  const { name, password } = form.data
  const consumed = await consumeLink({ db, signIn, link, password, name, headers }, { requestId, now })
  if (consumed === null) return redirect(paths.signInLink(params["token"] ?? ""))
  return redirect(consumed.isSignedIn ? paths.start() : paths.signIn(), { headers: cookiesOf(consumed.headers) })
})

export default function SetPassword() {
  const { link, passwordLengthMin } = useLoaderData<typeof loader>()
  const errors = useActionData<typeof action>()?.errors
  const isBusy = useNavigation().state !== "idle"
  if (link === null) {
    return (
      <SignInFrame
        title="This link does not work"
        lead="It was used, ran out, or a newer one took its place. Ask for another one."
      >
        <p className="text-sm">
          <Link to={paths.signIn()} className="text-ink-soft underline underline-offset-2 hover:text-ink">
            Go to sign-in
          </Link>
        </p>
      </SignInFrame>
    )
  }
  const isInvitation = link.purpose === "invitation"
  return (
    <SignInFrame
      title={isInvitation ? `Join ${link.organization}` : "Set a new password"}
      lead={
        isInvitation
          ? "Belay shows where a team stands on the trust ladder with its AI agents. Nobody but you sees your own figures."
          : "Your sessions on other devices end with it."
      }
    >
      <Form method="post" className="space-y-4">
        <Field label="E-mail" name="email" type="email" autoComplete="username" value={link.email} readOnly />
        {isInvitation && <Field label="Name" name="name" autoComplete="name" defaultValue={link.name} maxLength={80} />}
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          minLength={passwordLengthMin}
          required
          hint={`At least ${passwordLengthMin} characters; a few words are easier to keep than signs.`}
          error={errors?.password?.[0]}
        />
        <Field
          label="Once more"
          name="again"
          type="password"
          autoComplete="new-password"
          required
          error={errors?.again?.[0]}
        />
        <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10 w-full")}>
          {isBusy ? "Saving…" : isInvitation ? "Join" : "Set the password"}
        </button>
      </Form>
    </SignInFrame>
  )
}
