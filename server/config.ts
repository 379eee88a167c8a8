import { z } from "zod"
import { parseHeaders } from "./audit/export.ts"

const port = z.coerce.number().int().min(0).max(65535)

const environmentSchema = z.object({
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
  BELAY_INGEST_REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).max(100_000_000).default(120_000),
  BELAY_AUDIT_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, error: "starts with https:// or http://" }).optional(),
  BELAY_AUDIT_OTLP_HEADERS: z
    .string()
    .transform((text, context) => {
      try {
        return parseHeaders(text)
      } catch {
        // Not the text itself, which holds a secret.
        context.addIssue("looks like name=value,name=value with values percent-encoded")
        return z.NEVER
      }
    })
    .optional(),
  BELAY_RETENTION_DAYS: z.coerce.number().int().min(31).max(3650).default(90),
})

export type Config = z.infer<typeof environmentSchema>

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
