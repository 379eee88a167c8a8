import { clsx } from "clsx"
import type { ReactNode } from "react"

/**
 * The frame of a table: scrolls sideways on its own where the page is narrow. A title in brackets is only read out;
 * those of `figures` stand over numbers, which belong on the right.
 */
export function Table(props: {
  caption: string
  titles: readonly string[]
  figures?: readonly string[]
  children: ReactNode
}) {
  return (
    // To be scrolled by keyboard; positioned, or else what is only read out would widen the page.
    <div
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached
      tabIndex={0}
      role="group"
      aria-label={props.caption}
      className="relative overflow-x-auto rounded-md border border-line bg-surface"
    >
      <table className="w-full text-sm">
        <caption className="sr-only">{props.caption}</caption>
        <thead>
          <tr className="border-b border-line text-left text-xs text-ink-faint">
            {props.titles.map((title) => (
              <th
                key={title}
                scope="col"
                className={clsx(
                  "h-9 px-3 font-medium md:px-4 whitespace-nowrap",
                  props.figures?.includes(title) && "text-right",
                )}
              >
                {title.startsWith("(") ? <span className="sr-only">{title.slice(1, -1)}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  )
}

export const ROW = "border-b border-line last:border-b-0"
export const CELL = "h-10 px-3 whitespace-nowrap md:px-4"
/** Of running text, which may take several lines. */
export const TEXT_CELL = "h-10 min-w-64 px-3 py-2 md:px-4"
export const FIGURE_CELL = `${CELL} figures text-right`
