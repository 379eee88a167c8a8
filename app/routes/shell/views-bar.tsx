import { useLocation } from "@remix-run/react"
import { Bookmark } from "lucide-react"
import { lazy, Suspense, useRef, useState } from "react"
import { paths } from "../../lib/paths.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { buttonClass } from "../../ui/button.ts"
import { CopyButton } from "../../ui/copy.tsx"

/** Loaded when it is first opened: no page waits for it. */
const Views = lazy(() => import("./views-dialog.tsx").then((module) => ({ default: module.ViewsDialog })))

/** Pages whose filters can be kept. */
const VIEW_PAGES = [paths.ladder(), paths.usage(), paths.latency(), paths.outcomes(), paths.incidents()]

/** Beside the title of a page with filters: keeps it under a name, opens one that was kept, and gives its address. */
export function ViewsBar() {
  const { pathname, search } = useLocation()
  const isInBrowser = useInBrowser()
  const [isOpen, setOpen] = useState(false)
  const [wasOpened, setOpened] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  if (!VIEW_PAGES.includes(pathname)) return null
  const path = pathname + search
  return (
    <div role="group" aria-label="This view" className="mb-2 flex gap-2 sm:float-right sm:mb-0 sm:ml-4 print:hidden">
      <button
        ref={button}
        type="button"
        aria-haspopup="dialog"
        onClick={() => {
          setOpened(true)
          setOpen(true)
        }}
        className={buttonClass("quiet")}
      >
        <Bookmark aria-hidden className="size-3.5" />
        Views
      </button>
      <CopyButton text={isInBrowser ? location.origin + path : path} label="link to this view" title="Copy link" />
      {wasOpened && (
        <Suspense>
          <Views path={path} isOpen={isOpen} onClose={() => setOpen(false)} onClosed={() => button.current?.focus()} />
        </Suspense>
      )}
    </div>
  )
}
