import { z } from "zod"
import { parseHeaders } from "./audit/export.ts"
import type { IdentityProvider } from "./sign-in/auth.ts"

const port = z.coerce.number().int().min(0).max(65535)

const endpoint = z.url({ protocol: /^https?$/, error: "starts with https:// or http://" })
const headers = z.string().transform((text, context) => {
  try {
    return parseHeaders(text)
  } catch {
    // Not the text itself, which holds a secret.
    context.addIssue("looks like name=value,name=value with values percent-encoded")
    return z.NEVER
  }
})

const environmentSchema = z
  .object({
    PORT: port.default(3000),
    OTLP_PORT: port.optional(),
    OTLP_GRPC_PORT: port.optional(),
    HOST: z.string().default("127.0.0.1"),
    BELAY_DATA_DIR: z.string().min(1).default(".belay"),
    DATABASE_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, "starts with postgres:// or postgresql://")
      .optional(),
    BELAY_URL: z.url().optional(),
    BELAY_READY: z.enum(["json", "text"]).default("text"),
    BELAY_ADMIN_EMAIL: z.email().default("admin@belay.local"),
    BELAY_ADMIN_PASSWORD: z.string().min(12, "has at least 12 characters").optional(),
    BELAY_INGEST_KEY: z
      .string()
      .regex(/^blk_[A-Za-z0-9_-]{24,}$/, "looks like blk_… with at least 24 characters after it")
      .optional(),
    BELAY_SECRET: z.string().min(32, "has at least 32 characters").optional(),
    BELAY_SMTP_URL: z
      .string()
      .regex(/^smtps?:\/\//, "starts with smtp:// or smtps://")
      .optional(),
    BELAY_MAIL_FROM: z.string().min(3).default("Belay <belay@localhost>"),
    BELAY_OIDC_ISSUER: z.url().optional(),
    BELAY_OIDC_CLIENT_ID: z.string().optional(),
    BELAY_OIDC_CLIENT_SECRET: z.string().optional(),
    BELAY_OIDC_NAME: z.string().max(40).default("single sign-on"),
    BELAY_OIDC_GROUPS_CLAIM: z.string().default("groups"),
    BELAY_OIDC_SCOPES: z.string().default("openid email profile"),
    BELAY_INGEST_REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).max(100_000_000).default(120_000),
    BELAY_AUDIT_OTLP_ENDPOINT: endpoint.optional(),
    BELAY_AUDIT_OTLP_HEADERS: headers.optional(),
    BELAY_SELF_OTLP_ENDPOINT: endpoint.optional(),
    BELAY_SELF_OTLP_HEADERS: headers.optional(),
    BELAY_METRICS_TOKEN: z.string().min(16, "has at least 16 characters").optional(),
    BELAY_BACKGROUND_WORK: z.enum(["on", "off"]).default("on"),
    BELAY_RETENTION_DAYS: z.coerce.number().int().min(30).max(3650).default(30),
  })
  .superRefine((values, context) => {
    const oidc = ["BELAY_OIDC_ISSUER", "BELAY_OIDC_CLIENT_ID", "BELAY_OIDC_CLIENT_SECRET"] as const
    const missing = oidc.filter((name) => values[name] === undefined)
    if (missing.length === 0 || missing.length === oidc.length) return
    for (const name of missing) context.addIssue({ code: "custom", path: [name], message: "is needed with the others" })
  })

export type Config = z.infer<typeof environmentSchema>

/** The OpenID Connect provider that people sign in with; null when none is configured. */
export function readIdentityProvider(config: Config): IdentityProvider | null {
  const { BELAY_OIDC_ISSUER: issuer, BELAY_OIDC_CLIENT_ID: clientId, BELAY_OIDC_CLIENT_SECRET: clientSecret } = config
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) return null
  return {
    issuer,
    clientId,
    clientSecret,
    name: config.BELAY_OIDC_NAME,
    groupsClaim: config.BELAY_OIDC_GROUPS_CLAIM,
    scopes: config.BELAY_OIDC_SCOPES.split(/\s+/),
  }
}

/** Where Belay sends its own metrics; null when it does not. */
export function readSelfOtlp(config: Config): { endpoint: string; headers: Record<string, string> } | null {
  const { BELAY_SELF_OTLP_ENDPOINT: endpoint, BELAY_SELF_OTLP_HEADERS: headers = {} } = config
  return endpoint === undefined ? null : { endpoint, headers }
}

/**
 * Reads Belay's settings from the environment. An empty variable counts as unset.
 *
 * Throws an Error that lists every variable that is wrong and how.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""))
  const parsed = environmentSchema.safeParse(set)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`)
  throw new Error(`These environment variables are not usable:\n${wrong.join("\n")}`)
}
