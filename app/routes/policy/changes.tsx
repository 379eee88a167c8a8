import { clsx } from "clsx"
import { lazy, Suspense } from "react"
import type { PolicyChange, PolicyFact, PolicySection } from "#sdk/policy/facts.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { Segments, useWithParams } from "../../ui/scope-filters.tsx"

const CodeDiff = lazy(() => import("./code-diff.tsx"))

const SECTIONS: Record<PolicySection, string> = {
  about: "About",
  models: "Models",
  permissions: "Permissions",
  autonomy: "Autonomy",
  budgets: "Budgets",
  review: "Review",
}

/** A policy in words, section by section. */
export function Facts({ facts }: { facts: readonly PolicyFact[] }) {
  if (facts.length === 0) return <p className="text-ink-soft">It says nothing: agents go by their own settings.</p>
  return (
    <dl className="space-y-4">
      {[...Map.groupBy(facts, ({ section }) => section)].map(([section, own]) => (
        <div key={section}>
          <dt className="text-sm font-medium text-ink-faint">{SECTIONS[section]}</dt>
          <dd>
            <ul className="mt-1 space-y-1">
              {own.map(({ key, text }) => (
                <li key={key} className="break-words">
                  {text}
                </li>
              ))}
            </ul>
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** How two policies can be compared. */
export const COMPARED_AS = ["words", "yaml", "json"] as const
export type ComparedAs = (typeof COMPARED_AS)[number]

const COMPARED_NAMES: Record<ComparedAs, string> = { words: "In words", yaml: "As YAML", json: "As JSON" }

/** What differs between two policies: in words, or as code beside each other. */
export function Comparison(props: {
  changes: readonly PolicyChange[]
  titles: readonly [string, string]
  as: ComparedAs
  /** Both in full; null when they are compared in words. */
  texts: { readonly before: string; readonly after: string } | null
}) {
  const { changes, titles, texts } = props
  const withParams = useWithParams()
  const isInBrowser = useInBrowser()
  return (
    <div className="space-y-3">
      <div className="flex">
        <Segments
          label="Compared"
          choices={COMPARED_AS.map((as) => ({
            label: COMPARED_NAMES[as],
            to: withParams({ as: as === "words" ? null : as }),
            isCurrent: as === props.as,
          }))}
        />
      </div>
      {texts === null ? (
        <Changes changes={changes} titles={titles} />
      ) : (
        isInBrowser && (
          <Suspense fallback={<p className="min-h-40 text-ink-faint">Loading the code…</p>}>
            <CodeDiff key={props.as} {...texts} titles={titles} />
          </Suspense>
        )
      )}
    </div>
  )
}

/** What differs between two policies, in words: what was beside what is. */
export function Changes({ changes, titles }: { changes: readonly PolicyChange[]; titles: readonly [string, string] }) {
  if (changes.length === 0) return <p className="text-ink-soft">They say the same.</p>
  return (
    <table className="w-full table-fixed text-sm">
      <thead>
        <tr className="border-b border-line text-left text-xs text-ink-faint">
          {titles.map((title) => (
            <th key={title} scope="col" className="py-2 pr-3 font-medium">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {changes.map(({ key, before, after }) => (
          <tr key={key} className="border-b border-line align-top last:border-b-0">
            <td className={clsx("py-2 pr-3 break-words", before === null ? "text-ink-faint" : "text-bad")}>
              {before === null ? "–" : <del className="no-underline">{before}</del>}
            </td>
            <td className={clsx("py-2 break-words", after === null ? "text-ink-faint" : "text-good")}>
              {after === null ? "taken out" : <ins className="no-underline">{after}</ins>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
