import { kyselyAdapter } from "@better-auth/kysely-adapter"
import { createAuthEndpoint } from "better-auth/api"
import { setSessionCookie } from "better-auth/cookies"
import { betterAuth } from "better-auth/minimal"
import type { BetterAuthOptions } from "better-auth/types"
import { genericOAuth, twoFactor } from "better-auth/plugins"
import { type Kysely, sql } from "kysely"
import { randomBytes } from "node:crypto"
import { z } from "zod"
import type { DB } from "../db/types.ts"
import type { Lane } from "../lane.ts"
import { hashSessionTokens } from "./hashed-tokens.ts"
import { hashPassword, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, verifyPassword } from "./passwords.ts"

/** An OpenID Connect provider that vouches for people. */
export interface IdentityProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** What the button says: `Okta`. */
  readonly name: string
  /** The claim that lists a person's groups. */
  readonly groupsClaim: string
  readonly scopes: readonly string[]
}

export interface AuthOptions {
  /** Acts as `belay_auth`. */
  readonly db: Kysely<DB>
  readonly secret: string
  /** Where people open Belay. */
  readonly publicUrl: string
  readonly provider: IdentityProvider | null
  /** Through which every password is hashed: each takes 64 MiB and a core for a tenth of a second. */
  readonly passwordLane: Lane
  readonly log: (message: string, error: unknown) => void
}

export type Auth = ReturnType<typeof createAuth>

export const SESSION_SECONDS = 14 * 24 * 60 * 60
/** The provider's name in addresses and in the database. */
export const PROVIDER_ID = "oidc"
/** Under this path the provider sends people back, to `/auth/callback/oidc`. */
const BASE_PATH = "/auth"
/** Carries the network address that we believe in; the one a client sends is overwritten. */
const ADDRESS_HEADER = "x-belay-client-address"

/**
 * Who someone is: passwords, second factors, sessions, an identity provider. Which organization they belong to and
 * what they may do there is ours to know, not the library's: see roles.ts and viewer.ts.
 *
 * Only its server functions are called; of its routes none is served but the provider's way back.
 */
export function createAuth(options: AuthOptions) {
  const { provider, passwordLane } = options
  const adapter = kyselyAdapter(options.db, { type: "postgres", transaction: true })
  return betterAuth({
    appName: "Belay",
    baseURL: options.publicUrl,
    basePath: BASE_PATH,
    secret: options.secret,
    database: (config: BetterAuthOptions) => hashSessionTokens(adapter(config)),
    telemetry: { enabled: false },
    // Ours counts in Postgres, over all processes: see rate-limit.ts.
    rateLimit: { enabled: false },
    logger: {
      level: "error",
      log: (_level, message, ...details) => {
        if (!EXPECTED_MESSAGES.has(message)) options.log(`sign-in: ${message}`, details[0])
      },
    },
    advanced: {
      cookiePrefix: "belay",
      useSecureCookies: options.publicUrl.startsWith("https:"),
      database: { generateId: "uuid" },
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER], ipv6Subnet: 128 },
    },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: PASSWORD_LENGTH_MIN,
      maxPasswordLength: PASSWORD_LENGTH_MAX,
      password: {
        hash: (password) => passwordLane(() => hashPassword(password)),
        verify: ({ password, hash }) => passwordLane(() => verifyPassword(password, hash)),
      },
    },
    user: {
      modelName: "auth_user",
      fields: { emailVerified: "email_verified", createdAt: "created_at", updatedAt: "updated_at" },
      additionalFields: { groups: { type: "string", required: false, defaultValue: "[]", input: true } },
    },
    session: {
      modelName: "auth_session",
      fields: {
        userId: "user_id",
        ipAddress: "ip_address",
        userAgent: "user_agent",
        expiresAt: "expires_at",
        createdAt: "created_at",
        updatedAt: "updated_at",
      },
      expiresIn: SESSION_SECONDS,
      disableSessionRefresh: true,
    },
    account: {
      modelName: "auth_credential",
      fields: {
        userId: "user_id",
        providerId: "provider_id",
        accountId: "account_id",
        accessToken: "access_token",
        refreshToken: "refresh_token",
        idToken: "id_token",
        accessTokenExpiresAt: "access_token_expires_at",
        refreshTokenExpiresAt: "refresh_token_expires_at",
        createdAt: "created_at",
        updatedAt: "updated_at",
      },
      updateAccountOnSignIn: false,
      // Whom the organization's own provider vouches for under a verified address is the person of that address.
      accountLinking: { enabled: true, requireLocalEmailVerified: false },
    },
    verification: {
      modelName: "auth_verification",
      fields: { expiresAt: "expires_at", createdAt: "created_at", updatedAt: "updated_at" },
      storeIdentifier: "hashed",
    },
    databaseHooks: { account: { create: { before: async (account) => ({ data: { ...account, ...NO_TOKENS } }) } } },
    plugins: [
      twoFactor({
        issuer: "Belay",
        schema: {
          user: { fields: { twoFactorEnabled: "two_factor_enabled" } },
          twoFactor: {
            modelName: "auth_two_factor",
            fields: {
              userId: "user_id",
              backupCodes: "backup_codes",
              failedVerificationCount: "failed_verification_count",
              lockedUntil: "locked_until",
            },
          },
        },
      }),
      genericOAuth({ config: provider === null ? [] : [oidcConfig(provider)] }),
      passwordlessSessions(),
    ],
  })
}

/** What is said of every mistyped password and is no error of ours. */
const EXPECTED_MESSAGES = new Set([
  "User not found",
  "Invalid password",
  "Password not found",
  "Credential account not found",
])

/** Belay asks who someone is and nothing afterwards, so it keeps nothing that would let it. */
const NO_TOKENS = {
  accessToken: null,
  refreshToken: null,
  idToken: null,
  accessTokenExpiresAt: null,
  refreshTokenExpiresAt: null,
}

const claimsSchema = z.looseObject({
  sub: z.string(),
  email: z.string().optional(),
  email_verified: z.boolean().optional(),
  name: z.string().optional(),
  preferred_username: z.string().optional(),
})

function oidcConfig(provider: IdentityProvider) {
  return {
    providerId: PROVIDER_ID,
    discoveryUrl: `${provider.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    scopes: [...provider.scopes],
    pkce: true,
    requireIdTokenVerification: true,
    requireEmailVerification: true,
    overrideUserInfo: true,
    mapProfileToUser: (profile: Record<string, unknown>) => {
      const claims = claimsSchema.parse(profile)
      return {
        name: claims.name ?? claims.preferred_username ?? "",
        emailVerified: claims.email_verified !== false,
        groups: JSON.stringify(readGroups(profile[provider.groupsClaim])),
      }
    },
  }
}

function readGroups(claim: unknown): string[] {
  const parsed = z.union([z.array(z.string()), z.string().transform((group) => [group])]).safeParse(claim)
  return parsed.success ? parsed.data : []
}

/** Starts a session without a password: for visitors of the demo, and after a one-time link. */
function passwordlessSessions() {
  return {
    id: "passwordless-sessions",
    endpoints: {
      openSession: createAuthEndpoint.serverOnly(
        { method: "POST", body: z.object({ userId: z.uuid() }) },
        async (endpoint) => {
          const user = await endpoint.context.internalAdapter.findUserById(endpoint.body.userId)
          if (user === null) throw endpoint.error("NOT_FOUND")
          const session = await endpoint.context.internalAdapter.createSession(user.id)
          await setSessionCookie(endpoint, { session, user })
          return { sessionId: session.id }
        },
      ),
    },
  }
}

/** The headers of a browser's request as the library may see them. */
export function toAuthHeaders(request: Request, clientAddress: string | null): Headers {
  const headers = new Headers()
  for (const name of ["cookie", "user-agent"]) {
    const value = request.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  if (clientAddress !== null) headers.set(ADDRESS_HEADER, clientAddress)
  return headers
}

/** The secret that all processes share: the configured one, else one made at the first start. */
export async function readAuthSecret(db: Kysely<DB>, configured: string | undefined): Promise<string> {
  if (configured !== undefined) return configured
  const made = randomBytes(32).toString("base64url")
  await sql`insert into auth_secret (secret) values (${made}) on conflict do nothing`.execute(db)
  const row = await db.selectFrom("auth_secret").select("secret").executeTakeFirstOrThrow()
  return row.secret
}
