import { Check, Copy } from "lucide-react"
import { useState } from "react"
import { buttonClass } from "./button.ts"

const COPIED_MS = 2000

/** Copies a text; where the browser refuses it says so. `title` is what stands on it. */
export function CopyButton({ text, label, title = "Copy" }: { text: string; label: string; title?: string }) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle")
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setState("copied")
    } catch {
      setState("failed")
    }
    setTimeout(() => setState("idle"), COPIED_MS)
  }
  const Icon = state === "copied" ? Check : Copy
  return (
    <button type="button" onClick={copy} aria-label={`Copy ${label}`} className={buttonClass("quiet")}>
      <Icon aria-hidden className="size-3.5" />
      <span aria-live="polite">{state === "copied" ? "Copied" : state === "failed" ? "Select and copy" : title}</span>
    </button>
  )
}
