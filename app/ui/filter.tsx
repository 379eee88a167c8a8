import type { ReactNode } from "react"

/** A choice in a bar of filters; null is none. */
export function Filter(props: { label: string; name: string; value: string | number | null; children: ReactNode }) {
  return (
    <label className="flex items-center gap-2 text-sm text-ink-soft">
      {props.label}
      <select
        name={props.name}
        defaultValue={props.value ?? ""}
        className="h-8 rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"
      >
        {props.children}
      </select>
    </label>
  )
}
