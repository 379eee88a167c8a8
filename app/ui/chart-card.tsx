import { Download, Image } from "lucide-react"
import { type ReactNode, useId, useRef } from "react"
import { GLOSSARY, type Term as TermName } from "../lib/glossary.ts"
import { savePicture } from "./save-picture.ts"
import { Term } from "./term.tsx"

/**
 * The frame of every chart: its title with the definition, what it rests on, the picture, the table behind it, and both as
 * files.
 */
export function ChartCard(props: {
  term: TermName
  /** After the title: of which rung or team. */
  of?: string
  /** People, events, coverage and freshness. */
  basis: ReactNode
  /** Address of the figures as CSV. */
  csv: string
  table: ReactNode
  /** What the picture says, in a sentence. */
  says?: ReactNode
  className?: string
  children: ReactNode
}) {
  const id = useId()
  const picture = useRef<HTMLDivElement>(null)
  const title = `${GLOSSARY[props.term].title}${props.of === undefined ? "" : `: ${props.of}`}`
  const save = () => {
    if (picture.current !== null) void savePicture(picture.current, title, fileNameOf(title))
  }
  return (
    <figure
      aria-labelledby={id}
      className={`relative min-w-0 rounded-md border border-line bg-surface p-4 ${props.className ?? ""}`}
    >
      <figcaption>
        <div className="flex items-start justify-between gap-3">
          <h3 id={id} className="text-base font-medium">
            <Term term={props.term} />
            {props.of !== undefined && <span className="text-ink-soft">: {props.of}</span>}
          </h3>
          <span className="flex shrink-0 gap-1">
            <a href={props.csv} download aria-label={`${title} as CSV`} title="CSV" className={ICON}>
              <Download aria-hidden className="size-3.5" />
            </a>
            <button type="button" onClick={save} aria-label={`${title} as PNG`} title="PNG" className={ICON}>
              <Image aria-hidden className="size-3.5" />
            </button>
          </span>
        </div>
        {props.says !== undefined && <p className="mt-1 text-sm">{props.says}</p>}
        <p className="figures mt-1 text-xs text-ink-faint">{props.basis}</p>
      </figcaption>
      <div ref={picture} className="mt-3">
        {props.children}
      </div>
      <details className="mt-3">
        <summary className="w-fit rounded-sm text-sm text-ink-soft hover:text-ink">Show as a table</summary>
        <div className="mt-2">{props.table}</div>
      </details>
    </figure>
  )
}

const ICON =
  "inline-flex size-7 items-center justify-center rounded-md text-ink-soft transition-colors duration-150 hover:bg-sunken hover:text-ink"

function fileNameOf(title: string): string {
  return `belay-${title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")}`
}

/** Where a picture would be: why there is none. */
export function NoPicture({ height, children }: { height: number; children: ReactNode }) {
  return (
    <div className="hatched flex items-center justify-center rounded-md p-4" style={{ minHeight: height }}>
      <p className="max-w-md rounded-sm bg-surface px-2 py-0.5 text-center text-sm text-ink-soft">{children}</p>
    </div>
  )
}
