import { Link, useFetcher } from "@remix-run/react"
import { Bookmark } from "lucide-react"
import { Dialog } from "radix-ui"
import { paths } from "../../lib/paths.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { VIEW_NAME_MAX } from "../views/name.ts"
import { ShareBox } from "../views/share-box.tsx"
import type { action } from "../views/views.tsx"
import { usePaletteData } from "./use-palette-data.ts"

/** Keeps the page at `path` under a name, and opens one that was kept. */
export function ViewsDialog(props: { path: string; isOpen: boolean; onClose: () => void; onClosed: () => void }) {
  const { isOpen, onClose } = props
  return (
    <Dialog.Root open={isOpen} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-veil" />
        <Dialog.Content
          aria-describedby={undefined}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            props.onClosed()
          }}
          className="fixed top-[8dvh] left-1/2 z-50 max-h-[80dvh] w-[min(30rem,calc(100vw-2rem))] -translate-x-1/2 overflow-y-auto rounded-md border border-line-strong bg-surface p-6"
        >
          <Dialog.Title className="text-lg font-semibold">Views</Dialog.Title>
          <Content path={props.path} onClose={onClose} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function Content({ path, onClose }: { path: string; onClose: () => void }) {
  const { data, load } = usePaletteData(true)
  const saving = useFetcher<typeof action>()
  const result = saving.data
  const formKey = useDoneKey(result, result?.done != null)
  const views = data?.entries.filter(({ group }) => group === "Views") ?? []
  return (
    <>
      <saving.Form method="post" action={paths.views()} key={formKey} className="mt-4 space-y-3">
        <input type="hidden" name="intent" value="save" />
        <input type="hidden" name="path" value={path} />
        <Field
          label="Save this page with its filters as"
          name="name"
          required
          maxLength={VIEW_NAME_MAX}
          autoComplete="off"
          error={result?.error}
        />
        {data?.mayShare === true && <ShareBox isShared={false} />}
        <div className="flex flex-wrap items-center justify-between gap-2">
          <p role="status" className="text-sm text-good">
            {result?.done}
          </p>
          <button type="submit" disabled={saving.state !== "idle"} className={buttonClass("primary")}>
            Save this view
          </button>
        </div>
      </saving.Form>
      <h3 className="mt-5 border-t border-line pt-4 text-sm font-medium">Saved before</h3>
      {data === null ? (
        <p role="alert" className="mt-2 flex flex-wrap items-center gap-3 text-sm text-bad">
          Saved views could not be looked up.
          <button type="button" onClick={load} className={buttonClass("quiet")}>
            Look again
          </button>
        </p>
      ) : data === undefined ? (
        <div aria-hidden className="mt-2 h-5 w-40 rounded-sm bg-sunken" />
      ) : views.length === 0 ? (
        <p className="mt-2 text-sm text-ink-soft">None yet.</p>
      ) : (
        <ul className="mt-1">
          {views.map((view) => (
            <li key={view.to + view.label}>
              <Link
                to={view.to}
                onClick={onClose}
                className="flex min-h-9 items-center gap-2.5 rounded-sm px-2 py-1.5 text-sm hover:bg-sunken"
              >
                <Bookmark aria-hidden className="size-4 shrink-0 text-ink-faint" />
                <span className="min-w-0 break-words">{view.label}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
      <div className="mt-4 flex flex-wrap justify-end gap-2">
        <Link to={paths.views()} onClick={onClose} className={buttonClass("quiet")}>
          Rename, share or delete
        </Link>
        <Dialog.Close className={buttonClass("quiet")}>Close</Dialog.Close>
      </div>
    </>
  )
}
