import type { MetaFunction } from "@remix-run/node"
import { useLoaderData } from "@remix-run/react"
import { guard } from "../../lib/guard.server.ts"
import { AgainstNote } from "../../ui/against.tsx"
import { Bands } from "./bands.tsx"
import { EmptyLadder } from "./empty.tsx"
import { Filters } from "./filters.tsx"
import { Freshness } from "./freshness.tsx"
import { loadLadder } from "./load.server.ts"
import { MoveTable } from "./move-table.tsx"
import { Teams } from "./teams.tsx"
import { Trends } from "./trends.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Trust ladder · Belay" }]

export const loader = guard("ladder.read", async ({ viewer, request, context }) =>
  loadLadder(viewer, new URL(request.url).searchParams, context),
)

export default function Ladder() {
  const ladder = useLoaderData<typeof loader>()
  const isEmpty = ladder.freshness.signals === 0
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Trust ladder</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{ladder.sentence}</p>
      </header>
      <Filters ladder={ladder} />
      <AgainstNote
        against={ladder.against}
        rest={`The sentence above${ladder.teamId === null ? " and the table by team tell" : " tells"} the period before; people, operations and moves are not compared.`}
      />
      {isEmpty ? (
        <EmptyLadder />
      ) : (
        <>
          <Bands ladder={ladder} />
          <Freshness ladder={ladder} />
          {ladder.teamId === null && !ladder.isOwn && ladder.teams.length > 0 && <Teams ladder={ladder} />}
          <MoveTable ladder={ladder} />
          <Trends ladder={ladder} />
        </>
      )}
    </>
  )
}
