import type { MetaFunction } from "@remix-run/node"
import { guard } from "../../lib/guard.server.ts"
import { GLOSSARY } from "../../lib/glossary.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Glossary · Belay" }]

export const loader = guard("signed_in", async () => null)

/** What each figure is, in the words of the charts. */
export default function Glossary() {
  const terms = Object.entries(GLOSSARY).toSorted(([, a], [, b]) => a.title.localeCompare(b.title))
  return (
    <>
      <header>
        <h1 className="text-xl font-semibold tracking-tight">Glossary</h1>
        <p className="mt-1 text-ink-soft">What each figure is. Charts say the same where you point at their titles.</p>
      </header>
      <dl className="mt-6 max-w-3xl rounded-md border border-line bg-surface">
        {terms.map(([term, { title, definition }]) => (
          <div key={term} id={term} className="border-b border-line p-4 last:border-b-0">
            <dt className="font-medium">{title}</dt>
            <dd className="mt-1 text-ink-soft">{definition}</dd>
          </div>
        ))}
      </dl>
    </>
  )
}
