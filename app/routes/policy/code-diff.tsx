import { yaml } from "@codemirror/lang-yaml"
import { syntaxHighlighting } from "@codemirror/language"
import { goToNextChunk, goToPreviousChunk, getChunks, MergeView, unifiedMergeView } from "@codemirror/merge"
import { EditorState, type Extension } from "@codemirror/state"
import { EditorView, lineNumbers } from "@codemirror/view"
import { ArrowDown, ArrowUp } from "lucide-react"
import { useEffect, useRef, useState } from "react"
import { plural } from "../../lib/format.ts"
import { buttonClass } from "../../ui/button.ts"
import { CODE_COLORS, CODE_THEME } from "./code-theme.ts"

/** Narrower than this there is no room for two texts. */
const SIDE_BY_SIDE = "(min-width: 640px)"

/** Two texts beside each other, one below the other where it is narrow, with what differs marked. */
export default function CodeDiff(props: { before: string; after: string; titles: readonly [string, string] }) {
  const { before, after } = props
  const [titleBefore, titleAfter] = props.titles
  const place = useRef<HTMLDivElement>(null)
  const shown = useRef<EditorView | null>(null)
  const [places, setPlaces] = useState<number | null>(null)
  useEffect(() => {
    const parent = place.current
    if (parent === null) return
    const wide = matchMedia(SIDE_BY_SIDE)
    const titles = [titleBefore, titleAfter] as const
    let view = show(parent, { before, after, titles, isWide: wide.matches })
    shown.current = view.main
    setPlaces(getChunks(view.main.state)?.chunks.length ?? 0)
    const again = () => {
      view.destroy()
      view = show(parent, { before, after, titles, isWide: wide.matches })
      shown.current = view.main
    }
    wide.addEventListener("change", again)
    return () => {
      wide.removeEventListener("change", again)
      view.destroy()
    }
  }, [before, after, titleBefore, titleAfter])
  const go = (command: typeof goToNextChunk) => {
    const view = shown.current
    if (view === null) return
    command(view)
    view.focus()
  }
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        <p role="status" className="mr-auto text-sm text-ink-soft">
          {places === 0 ? "They are the same." : places !== null && `${plural(places, "place")} where they differ.`}
        </p>
        <div className="flex gap-2">
          <button
            type="button"
            className={buttonClass("quiet")}
            disabled={!places}
            onClick={() => go(goToPreviousChunk)}
          >
            <ArrowUp aria-hidden className="size-3.5" />
            Previous
          </button>
          <button type="button" className={buttonClass("quiet")} disabled={!places} onClick={() => go(goToNextChunk)}>
            <ArrowDown aria-hidden className="size-3.5" />
            Next
          </button>
        </div>
      </div>
      <div className="mt-2 hidden grid-cols-2 text-xs font-medium text-ink-faint sm:grid" aria-hidden>
        <span>{titleBefore}</span>
        <span>{titleAfter}</span>
      </div>
      <div
        ref={place}
        className="mt-1 max-h-[32rem] min-h-40 overflow-auto rounded-md border border-line-strong bg-surface text-sm"
      />
    </>
  )
}

function show(
  parent: HTMLElement,
  of: { before: string; after: string; titles: readonly [string, string]; isWide: boolean },
): { main: EditorView; destroy(): void } {
  const { before, after, titles, isWide } = of
  if (isWide) {
    const merged = new MergeView({
      a: { doc: before, extensions: readOnly(titles[0]) },
      b: { doc: after, extensions: readOnly(titles[1]) },
      parent,
    })
    return { main: merged.b, destroy: () => merged.destroy() }
  }
  const differing = unifiedMergeView({ original: before, mergeControls: false })
  const main = new EditorView({
    parent,
    doc: after,
    extensions: [readOnly(`${titles[1]}, with what differs from ${titles[0]}`), differing],
  })
  return { main, destroy: () => main.destroy() }
}

function readOnly(label: string): Extension {
  return [
    lineNumbers(),
    // JSON is YAML.
    yaml(),
    EditorView.lineWrapping,
    EditorState.readOnly.of(true),
    EditorView.contentAttributes.of({ "aria-label": label, "aria-readonly": "true" }),
    CODE_THEME,
    DIFF_THEME,
    syntaxHighlighting(CODE_COLORS),
  ]
}

/** A sign beside each line, since colour does not stand alone. */
const DIFF_THEME = EditorView.theme({
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--bad-soft)" },
  "&.cm-merge-b .cm-changedLine, .cm-insertedLine, .cm-inlineChangedLine": { backgroundColor: "var(--good-soft)" },
  "&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText": {
    background: "none",
    textDecoration: "underline 2px var(--bad)",
  },
  "&.cm-merge-b .cm-changedText": { background: "none", textDecoration: "underline 2px var(--good)" },
  ".cm-changeGutter": { width: "1.25em", paddingLeft: "0", textAlign: "center" },
  "&.cm-merge-a .cm-changedLineGutter, .cm-deletedLineGutter": {
    background: "var(--bad-soft)",
    color: "var(--bad)",
    "&:before": { content: '"−"' },
  },
  "&.cm-merge-b .cm-changedLineGutter, .cm-inlineChangedLineGutter": {
    background: "var(--good-soft)",
    color: "var(--good)",
    "&:before": { content: '"+"' },
  },
})
