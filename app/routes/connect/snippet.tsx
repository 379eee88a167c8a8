import { CopyButton } from "../../ui/copy.tsx"
import type { Snippet } from "./tools.ts"

export function SnippetBlock({ title, note, code }: Snippet) {
  return (
    <section>
      <div className="flex items-end justify-between gap-3">
        <div>
          <h3 className="font-mono text-sm font-medium">{title}</h3>
          {note && <p className="mt-0.5 text-sm text-ink-soft">{note}</p>}
        </div>
        <CopyButton text={code} label={title} />
      </div>
      <pre
        tabIndex={0}
        aria-label={title}
        className="mt-2 overflow-x-auto rounded-md border border-line bg-sunken p-4 font-mono text-xs leading-5"
      >
        <code>{code}</code>
      </pre>
    </section>
  )
}
