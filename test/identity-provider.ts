import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Provider } from "oidc-provider"
import { z } from "zod"
import type { IdentityProvider } from "#server/sign-in/auth.ts"

export interface Known {
  readonly email: string
  readonly name?: string
  readonly email_verified?: boolean
  readonly groups?: readonly string[]
}

export interface RunningProvider {
  readonly config: IdentityProvider
  /** Whom it knows, by subject; may change while it runs. */
  readonly people: Map<string, Known>
  /** Signs this subject in as a browser would and returns the address that it is sent back to. */
  visit(authorizationUrl: string, subject: string): Promise<string>
  close(): Promise<void>
}

/** A real OpenID Connect provider on a free port, which lets Belay at this address in. */
export async function startIdentityProvider(belayUrl: string): Promise<RunningProvider> {
  hushProvider()
  const people = new Map<string, Known>()
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve())
  })
  const { port } = z.object({ port: z.number() }).parse(server.address() satisfies AddressInfo | string | null)
  const issuer = `http://127.0.0.1:${port}`
  const client = { clientId: "belay", clientSecret: "a secret of forty characters, more or less" }
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        redirect_uris: [`${belayUrl}/auth/callback/oidc`],
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    conformIdTokenClaims: false,
    cookies: { keys: ["a key of the test"] },
    findAccount: (_context, sub) => {
      const known = people.get(sub)
      return known && { accountId: sub, claims: () => ({ sub, email_verified: true, ...known }) }
    },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false } },
  })
  // Whoever is to be signed in; a person would type it.
  let visitor = ""
  const answer = provider.callback()
  server.on("request", (request, response) => {
    if (!request.url?.startsWith("/interaction/")) {
      void answer(request, response)
      return
    }
    void consent(provider, request, response, visitor)
  })
  return {
    config: { issuer, ...client, name: "the test's provider", groupsClaim: "groups", scopes: SCOPES },
    people,
    async visit(authorizationUrl, subject) {
      visitor = subject
      const jar = new Map<string, string>()
      let url = authorizationUrl
      while (url.startsWith(issuer)) {
        const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
        const response = await fetch(url, { redirect: "manual", headers: { cookie } })
        for (const set of response.headers.getSetCookie()) {
          const [name = "", value = ""] = (set.split(";")[0] ?? "").split("=")
          if (value === "") jar.delete(name)
          else jar.set(name, value)
        }
        const location = response.headers.get("location")
        if (location === null) throw new Error(`The provider stopped at ${url}: ${await response.text()}`)
        url = new URL(location, url).href
      }
      return url
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** It warns of being run in development, which is what it is for here. */
function hushProvider(): void {
  const { warn, info } = console
  const isHeard = (text: unknown) => !String(text).startsWith("oidc-provider")
  console.warn = (...args: unknown[]) => isHeard(args[0]) && warn(...args)
  console.info = (...args: unknown[]) => isHeard(args[0]) && info(...args)
}

const SCOPES = ["openid", "email", "profile"]

type Callback = Parameters<ReturnType<Provider["callback"]>>

/** The sign-in form and the question for consent, answered at once. */
async function consent(provider: Provider, request: Callback[0], response: Callback[1], accountId: string) {
  const { prompt, params, grantId } = await provider.interactionDetails(request, response)
  if (prompt.name === "login") {
    await provider.interactionFinished(request, response, { login: { accountId } }, { mergeWithLastSubmission: false })
    return
  }
  const grant = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const given = grant ?? new provider.Grant({ accountId, clientId: String(params["client_id"]) })
  given.addOIDCScope(SCOPES.join(" "))
  const result = { consent: { grantId: await given.save() } }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
}
