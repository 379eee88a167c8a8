import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { AgainstNote } from "../../ui/against.tsx"
import { EmptyLatency } from "./empty.tsx"
import { Filters } from "./filters.tsx"
import { loadLatency } from "./load.server.ts"
import { OneRung } from "./one-rung.tsx"
import { Rungs } from "./rungs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Latency · Belay" }]

export const loader = guard("ladder.read", async ({ viewer, request, context }) =>
  loadLatency(viewer, new URL(request.url).searchParams, context),
)

export default function LatencyPage() {
  const latency = useLoaderData<typeof loader>()
  const isEmpty = latency.rungs.every(({ state }) => state === "no_data")
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Latency</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{latency.sentence}</p>
      </header>
      <Filters latency={latency} />
      <AgainstNote
        against={latency.against}
        rest={`The sentence above tells the period before.${latency.tools === null ? "" : " By agent tool and by model nothing is told of a team, so nothing is compared there."}`}
      />
      {isEmpty ? (
        <EmptyLatency />
      ) : (
        <>
          <Rungs latency={latency} />
          <OneRung latency={latency} />
        </>
      )}
      <p className="mt-8 text-xs text-ink-faint">
        What each figure is:{" "}
        <Link to={paths.glossary()} className="text-accent underline underline-offset-2">
          glossary
        </Link>
      </p>
    </>
  )
}
