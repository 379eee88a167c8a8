import { clsx } from "clsx"
import { type ReactNode, type SelectHTMLAttributes, useId } from "react"

/** A labelled choice. */
export function Select(
  props: SelectHTMLAttributes<HTMLSelectElement> & { label: string; hint?: ReactNode; children: ReactNode },
) {
  const { label, hint, children, className, ...select } = props
  const id = useId()
  return (
    <div className={className}>
      <label htmlFor={id} className="block text-sm font-medium">
        {label}
      </label>
      <select
        {...select}
        id={id}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        className={clsx(
          "mt-1 block h-10 w-full rounded-md border border-line-strong bg-surface px-2 text-base text-ink",
        )}
      >
        {children}
      </select>
      {hint !== undefined && (
        <p id={`${id}-hint`} className="mt-1 text-xs text-ink-faint">
          {hint}
        </p>
      )}
    </div>
  )
}
