import { type ReactNode, useId } from "react"
import { GLOSSARY, type Term as TermName } from "../lib/glossary.ts"

/** A title whose definition shows on hover and focus; Escape and leaving it hide it. On a phone as wide as its card. */
export function Term({ term, children }: { term: TermName; children?: ReactNode }) {
  const id = useId()
  const { title, definition } = GLOSSARY[term]
  return (
    <span className="group inline-flex sm:relative">
      <button
        type="button"
        aria-describedby={id}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur()
        }}
        className="cursor-help rounded-sm text-left underline decoration-line-strong decoration-dotted underline-offset-4"
      >
        {children ?? title}
      </button>
      <span
        role="tooltip"
        id={id}
        className="absolute z-20 hidden rounded-md max-sm:inset-x-4 max-sm:mt-6 sm:top-full sm:left-0 sm:w-88 border border-line-strong bg-surface p-3 text-left text-xs font-normal tracking-normal text-ink-soft group-focus-within:block group-hover:block"
      >
        {definition}
      </span>
    </span>
  )
}
