import { clsx } from "clsx"
import type { ReactNode } from "react"

/** What came of an action: read out when it appears. */
export function Notice({ tone, children }: { tone: "good" | "bad"; children: ReactNode }) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      className={clsx(
        "rounded-md px-3 py-2 text-sm",
        tone === "bad" ? "bg-bad-soft text-bad" : "bg-good-soft text-good",
      )}
    >
      {children}
    </div>
  )
}
