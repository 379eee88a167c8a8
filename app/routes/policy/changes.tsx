import { clsx } from "clsx"
import type { PolicyChange, PolicyFact, PolicySection } from "#sdk/policy/facts.ts"

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
