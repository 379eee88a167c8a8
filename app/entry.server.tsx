import { randomBytes } from "node:crypto"
import { PassThrough } from "node:stream"
import {
  type ActionFunctionArgs,
  type AppLoadContext,
  createReadableStreamFromReadable,
  type EntryContext,
} from "@remix-run/node"
import { isRouteErrorResponse, RemixServer } from "@remix-run/react"
import { renderToPipeableStream } from "react-dom/server"
import { NonceContext } from "./ui/nonce.ts"

/** The server has it asked before anybody opens a page. */
export { listStanding } from "./lib/standing.server.ts"

const ABORT_MS = 5_000

/**
 * Draws a page on the server, and says what it may load: our own files, and inline scripts that carry this answer's
 * nonce. Charts set the style of their elements, which a nonce cannot name.
 *
 * @see https://www.w3.org/TR/CSP3/
 */
export default function handleRequest(
  request: Request,
  status: number,
  headers: Headers,
  context: EntryContext,
  { isDev }: AppLoadContext,
) {
  const nonce = randomBytes(16).toString("base64")
  headers.set("content-type", "text/html; charset=utf-8")
  headers.set("cache-control", "no-store")
  // Vite's own inline scripts carry no nonce. Asked at run time: what a build was made under must not switch it off.
  if (!isDev) headers.set("content-security-policy", contentSecurityPolicy(nonce))
  return new Promise<Response>((resolve, reject) => {
    let finalStatus = status
    const { pipe, abort } = renderToPipeableStream(
      <NonceContext.Provider value={nonce}>
        <RemixServer context={context} url={request.url} abortDelay={ABORT_MS} nonce={nonce} />
      </NonceContext.Provider>,
      {
        nonce,
        onShellReady() {
          const body = new PassThrough()
          resolve(new Response(createReadableStreamFromReadable(body), { status: finalStatus, headers }))
          pipe(body)
        },
        onShellError: reject,
        onError(error) {
          finalStatus = 500
          console.error(error)
        },
      },
    )
    setTimeout(abort, ABORT_MS + 1000).unref()
  })
}

function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ")
}

/** What a loader or action threw and nobody expected: printed here under the id that the page shows, and never shown. */
export function handleError(error: unknown, { request, context }: ActionFunctionArgs): void {
  // A refusal that a route answered with is no accident.
  const isRefusal = isRouteErrorResponse(error) && !("error" in error && error.error)
  if (!request.signal.aborted && !isRefusal) console.error(`request ${context.requestId} failed:`, error)
}
