import { Check, Copy } from "lucide-react"
import { useState } from "react"
import { buttonClass } from "../../ui/button.ts"
import type { Snippet } from "./tools.ts"

const COPIED_MS = 2000

export function SnippetBlock({ title, note, code }: Snippet) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle")
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code)
      setState("copied")
    } catch {
      setState("failed")
    }
    setTimeout(() => setState("idle"), COPIED_MS)
  }
  const Icon = state === "copied" ? Check : Copy
  return (
    <section>
      <div className="flex items-end justify-between gap-3">
        <div>
          <h3 className="font-mono text-sm font-medium">{title}</h3>
          {note && <p className="mt-0.5 text-sm text-ink-soft">{note}</p>}
        </div>
        <button type="button" onClick={copy} aria-label={`Copy ${title}`} className={buttonClass("quiet")}>
          <Icon aria-hidden className="size-3.5" />
          <span aria-live="polite">
            {state === "copied" ? "Copied" : state === "failed" ? "Select and copy" : "Copy"}
          </span>
        </button>
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
