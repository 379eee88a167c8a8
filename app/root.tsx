import { Links, Meta, Outlet, Scripts, ScrollRestoration, useRouteError } from "@remix-run/react"
import type { LinksFunction, MetaFunction } from "@remix-run/node"
import type { ReactNode } from "react"
import inter from "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?url"
import "./styles.css"
import { describeError, ErrorState } from "./ui/error-state.tsx"
import { useNonce } from "./ui/nonce.ts"
import { HOLD_SCRIPT, useTakeOver } from "./ui/take-over.ts"
import { THEME_SCRIPT } from "./ui/theme.tsx"

export const meta: MetaFunction = () => [{ title: "Belay" }]

export const links: LinksFunction = () => [
  { rel: "icon", href: "/favicon.svg", type: "image/svg+xml" },
  // Asked for with the page, and not once its styles have come: text that changes its face moves what is below it.
  { rel: "preload", href: inter, as: "font", type: "font/woff2", crossOrigin: "anonymous" },
]

export function Layout({ children }: { children: ReactNode }) {
  const nonce = useNonce()
  useTakeOver()
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        {/* Before anything is painted, so that a dark page never flashes light. */}
        <script nonce={nonce} suppressHydrationWarning dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
        <script nonce={nonce} suppressHydrationWarning dangerouslySetInnerHTML={{ __html: HOLD_SCRIPT }} />
        <Meta />
        <Links />
      </head>
      <body>
        {children}
        <ScrollRestoration nonce={nonce} />
        <Scripts nonce={nonce} />
      </body>
    </html>
  )
}

export default function Root() {
  return <Outlet />
}

export function ErrorBoundary() {
  return (
    <main className="mx-auto max-w-xl px-6 py-24">
      <ErrorState {...describeError(useRouteError())} requestId={null} />
    </main>
  )
}
