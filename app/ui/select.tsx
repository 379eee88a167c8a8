import { clsx } from "clsx"
import { type ReactNode, type SelectHTMLAttributes, useId } from "react"

/** A labelled choice. */
export function Select(props: SelectHTMLAttributes<HTMLSelectElement> & { label: string; children: ReactNode }) {
  const { label, children, className, ...select } = props
  const id = useId()
  return (
    <div className={className}>
      <label htmlFor={id} className="block text-sm font-medium">
        {label}
      </label>
      <select
        {...select}
        id={id}
        className={clsx(
          "mt-1 block h-10 w-full rounded-md border border-line-strong bg-surface px-2 text-base text-ink",
        )}
      >
        {children}
      </select>
    </div>
  )
}
