import { useActionData } from "@remix-run/react"
import { clsx } from "clsx"
import type { ReactNode } from "react"
import { useDoneKey } from "../lib/use-done-key.ts"

/** What came of an action: read out each time it comes, and brought into view, as the form may be far below. */
export function Notice({ tone, children }: { tone: "good" | "bad"; children: ReactNode }) {
  const key = useDoneKey(useActionData(), true)
  return (
    <div
      key={key}
      ref={bringIntoView}
      role={tone === "bad" ? "alert" : "status"}
      className={clsx(
        "scroll-my-4 rounded-md px-3 py-2 text-sm",
        tone === "bad" ? "bg-bad-soft text-bad" : "bg-good-soft text-good",
      )}
    >
      {children}
    </div>
  )
}

function bringIntoView(notice: HTMLElement | null): void {
  notice?.scrollIntoView({ block: "nearest" })
}
