import { formatAge, formatCount } from "../../lib/format.ts"

interface Item {
  readonly dialect: string
  readonly otlpSignal: string
  readonly name: string
  readonly count: number
  readonly lastSeenAt: Date
}

/** What arrived and gave no signal: by name, never by content. */
export function Unrecognized({ items, now }: { items: readonly Item[]; now: Date }) {
  if (items.length === 0) return null
  return (
    <details className="mt-8">
      <summary className="w-fit rounded-sm text-sm text-ink-soft hover:text-ink">
        Telemetry that says nothing about trust ({items.length} most frequent names)
      </summary>
      <div className="mt-3 overflow-x-auto rounded-md border border-line bg-surface">
        <table className="w-full text-sm">
          <thead>
            <tr className="border-b border-line text-left text-xs text-ink-faint">
              <th scope="col" className="h-9 px-4 font-medium">
                Source
              </th>
              <th scope="col" className="px-4 font-medium">
                Kind
              </th>
              <th scope="col" className="px-4 font-medium">
                Name
              </th>
              <th scope="col" className="px-4 text-right font-medium">
                Count
              </th>
              <th scope="col" className="px-4 text-right font-medium">
                Last seen
              </th>
            </tr>
          </thead>
          <tbody>
            {items.map((item) => (
              <tr
                key={`${item.dialect} ${item.otlpSignal} ${item.name}`}
                className="border-b border-line last:border-b-0"
              >
                <td className="h-10 px-4">{item.dialect}</td>
                <td className="px-4 text-ink-soft">{item.otlpSignal}</td>
                <td className="px-4 font-mono text-xs">{item.name}</td>
                <td className="figures px-4 text-right">{formatCount(item.count)}</td>
                <td className="px-4 text-right whitespace-nowrap text-ink-soft">{formatAge(item.lastSeenAt, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}
