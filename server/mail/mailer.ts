import { createTransport } from "nodemailer"

export interface Mail {
  readonly to: string
  readonly subject: string
  /** Plain text. */
  readonly text: string
  /** With angle brackets; one is made up without. */
  readonly messageId?: string
  /** The id of the message to whose thread it belongs. */
  readonly references?: string
}

export interface Mailer {
  /** Resolves once the mail server has taken it, with what that said, where it is known. */
  send(mail: Mail): Promise<string | void>
}

const TIMEOUT_MS = 10_000

/** Sends through `smtp://user:password@host:port`, or `smtps://` for TLS from the start. */
export function createMailer(smtpUrl: string, from: string): Mailer {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  })
  return {
    async send(mail) {
      return (await transport.sendMail({ from, ...mail })).response
    },
  }
}
