import { clsx } from "clsx"

/** Classes of a button or of a link that looks like one. */
export function buttonClass(kind: "primary" | "quiet" | "danger", extra?: string): string {
  return clsx(
    "inline-flex h-8 items-center justify-center gap-1.5 rounded-md px-3 text-sm font-medium whitespace-nowrap",
    "transition-colors duration-150 disabled:cursor-not-allowed disabled:opacity-50",
    kind === "primary" && "bg-accent text-on-accent hover:bg-accent-hover",
    kind === "quiet" && "border border-line-strong bg-surface text-ink hover:bg-sunken",
    kind === "danger" && "border border-line-strong bg-surface text-bad hover:bg-bad-soft",
    extra,
  )
}

/** Classes of a button in a row of a table or list. */
export function rowActionClass(kind: "quiet" | "danger"): string {
  return clsx("rounded-sm py-0.5 text-sm hover:underline", kind === "danger" ? "text-bad" : "text-ink-soft")
}
