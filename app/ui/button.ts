import { clsx } from "clsx"

/** Classes of a button or of a link that looks like one. */
export function buttonClass(kind: "primary" | "quiet", extra?: string): string {
  return clsx(
    "inline-flex h-8 items-center justify-center gap-1.5 rounded-md px-3 text-sm font-medium whitespace-nowrap",
    "transition-colors duration-150 disabled:cursor-not-allowed disabled:opacity-50",
    kind === "primary" && "bg-accent text-on-accent hover:bg-accent-hover",
    kind === "quiet" && "border border-line-strong bg-surface text-ink hover:bg-sunken",
    extra,
  )
}
