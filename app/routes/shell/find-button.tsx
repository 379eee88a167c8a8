import { clsx } from "clsx"
import { Search } from "lucide-react"
import { lazy, Suspense, useEffect, useRef, useState } from "react"

/** Loaded when it is first opened: no page waits for it. */
const Palette = lazy(() => import("./palette-dialog.tsx").then((module) => ({ default: module.PaletteDialog })))

/** Opens the palette, as ⌘K and Ctrl+K do from everywhere but where an editor or a dialog has them. */
export function FindButton() {
  const [isOpen, setOpen] = useState(false)
  const [wasOpened, setOpened] = useState(false)
  const cameFrom = useRef<Element | null>(null)
  const open = () => {
    cameFrom.current = document.activeElement
    setOpened(true)
    setOpen(true)
  }
  const newestOpen = useRef(open)
  useEffect(() => {
    newestOpen.current = open
  })
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey) || event.shiftKey || event.altKey) return
      if (event.defaultPrevented || document.querySelector("[role=dialog], [role=alertdialog]") !== null) return
      event.preventDefault()
      newestOpen.current()
    }
    window.addEventListener("keydown", onKey)
    return () => window.removeEventListener("keydown", onKey)
  }, [])
  return (
    <>
      <button
        type="button"
        onClick={open}
        aria-haspopup="dialog"
        aria-keyshortcuts="Meta+K Control+K"
        title="Find a page, team or action (⌘K or Ctrl+K)"
        className={clsx(
          "relative inline-flex h-8 shrink-0 items-center justify-center gap-2 rounded-md text-ink-soft hover:bg-sunken hover:text-ink max-lg:w-8",
          "md:mx-auto lg:mx-3 lg:mb-2 lg:justify-start lg:border lg:border-line-strong lg:px-2.5 lg:text-sm",
        )}
      >
        <Search aria-hidden className="size-4 shrink-0" />
        <span className="text-left max-lg:sr-only lg:flex-1">
          Find<span className="sr-only"> a page, team or action</span>
        </span>
        <kbd aria-hidden className="hidden font-sans text-xs text-ink-faint lg:block">
          ⌘K
        </kbd>
      </button>
      {wasOpened && (
        <Suspense>
          <Palette
            isOpen={isOpen}
            onClose={() => setOpen(false)}
            onClosed={() => {
              if (cameFrom.current instanceof HTMLElement && cameFrom.current.isConnected) cameFrom.current.focus()
            }}
          />
        </Suspense>
      )}
    </>
  )
}
