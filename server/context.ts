import type { Kysely } from "kysely"
import type { Answers } from "./answers.ts"
import type { DB } from "./db/types.ts"
import type { Mailer } from "./mail/mailer.ts"
import type { SignIn } from "./sign-in/sessions.ts"
import type { AuthenticateKey } from "./team/key-authenticator.ts"

/** What every loader and action is given. */
export interface RequestContext extends AppContext {
  /** Whether the pages are served by Vite, as they are written. */
  readonly isDev: boolean
  /** Quoted in errors, in the answer's `X-Request-Id` and in the audit log. */
  readonly requestId: string
  /** The sender's network address; null behind a proxy, whose address it would be. */
  readonly clientAddress: string | null
}

/** What is the same for every request; built once in serve.ts. */
export interface AppContext {
  /** Acts as `belay_app`: it sees nothing until `asTenant` says for whom. */
  readonly db: Kysely<DB>
  /** What takes long to ask of the rollups. */
  readonly answers: Answers
  readonly signIn: SignIn
  /** Whose key it is that a program sends. */
  readonly authenticate: AuthenticateKey
  /** Of all processes: secrets that the database keeps are sealed under it. */
  readonly secret: string
  /** The identity provider's name on the button; null when none is configured. */
  readonly providerName: string | null
  /** Asks a provider that was away when Belay started again. */
  readonly retryProvider: () => void
  /** Null when no mail server is configured: then links are handed out by hand. */
  readonly mailer: Mailer | null
  readonly now: () => Date
  /** Where agents send OTLP/HTTP, without a path: `http://127.0.0.1:4318`. */
  readonly otlpUrl: string
  /** Where people open Belay. */
  readonly publicUrl: string
  /** The host to which the audit log is sent on; null when it is not. */
  readonly auditHost: string | null
  /** Days that signals are kept. */
  readonly retentionDays: number
  /** The labelled demo organization, which visitors enter without signing in; null outside demo mode. */
  readonly demoOrgId: string | null
}
