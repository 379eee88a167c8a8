import type { AppLoadContext } from "@remix-run/node"
import type { Mail } from "#server/mail/mailer.ts"

/** Whether it was sent. A mail server that is away, or that there is none, stops nothing else; the former is printed. */
export async function trySend(context: AppLoadContext, mail: Mail): Promise<boolean> {
  if (context.mailer === null) return false
  try {
    await context.mailer.send(mail)
    return true
  } catch (error) {
    context.signIn.log("a mail could not be sent", error)
    return false
  }
}
