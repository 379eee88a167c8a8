import { clsx } from "clsx"
import { type InputHTMLAttributes, type ReactNode, useId } from "react"

const INPUT = "block w-full rounded-md border border-line-strong bg-surface px-3 text-base text-ink"

/** A labelled text field; what is wrong with its value is said beside it. */
export function Field(
  props: InputHTMLAttributes<HTMLInputElement> & { label: string; hint?: ReactNode; error?: string | null | undefined },
) {
  const { label, hint, error, className, ...input } = props
  const id = useId()
  const describedBy = clsx(hint !== undefined && `${id}-hint`, error != null && `${id}-error`) || undefined
  return (
    <div className={className}>
      <label htmlFor={id} className="block text-sm font-medium">
        {label}
      </label>
      <input
        {...input}
        id={id}
        aria-describedby={describedBy}
        aria-invalid={error != null || undefined}
        className={clsx(INPUT, "mt-1 h-10")}
      />
      {hint !== undefined && (
        <p id={`${id}-hint`} className="mt-1 text-xs text-ink-faint">
          {hint}
        </p>
      )}
      {error != null && (
        <p id={`${id}-error`} className="mt-1 text-sm text-bad">
          {error}
        </p>
      )}
    </div>
  )
}
