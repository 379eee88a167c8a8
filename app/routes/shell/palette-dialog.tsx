import { useNavigate, useSubmit } from "@remix-run/react"
import { clsx } from "clsx"
import {
  Bookmark,
  BookOpen,
  CornerDownLeft,
  FileText,
  LogOut,
  type LucideIcon,
  Search,
  SunMoon,
  TriangleAlert,
  Users,
} from "lucide-react"
import { Dialog } from "radix-ui"
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react"
import { plural } from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { chooseTheme, THEMES } from "../../ui/theme.tsx"
import { findEntries, type PaletteEntry } from "./find-entries.ts"
import { type PaletteData, usePaletteData } from "./use-palette-data.ts"

const ICONS: Record<PaletteEntry["group"], LucideIcon> = {
  Pages: FileText,
  "Open incidents": TriangleAlert,
  Teams: Users,
  Actions: SunMoon,
  Glossary: BookOpen,
  Views: Bookmark,
}

interface Command extends Pick<PaletteEntry, "group" | "label"> {
  readonly id: string
  readonly run: () => void
  readonly icon: LucideIcon
}

/**
 * Finds where to go and what to do by name: an editable combobox with a list that is always open, after the pattern of
 * the ARIA Authoring Practices. `onClosed` is told when nothing was chosen, to give back the focus.
 */
export function PaletteDialog(props: { isOpen: boolean; onClose: () => void; onClosed: () => void }) {
  const { isOpen, onClose } = props
  const isDone = useRef(false)
  const { data, load } = usePaletteData(isOpen)
  return (
    <Dialog.Root open={isOpen} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-veil" />
        <Dialog.Content
          aria-describedby={undefined}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            if (isDone.current) document.querySelector<HTMLElement>("#content")?.focus({ preventScroll: true })
            else props.onClosed()
            isDone.current = false
          }}
          className="fixed top-[8dvh] left-1/2 z-50 flex max-h-[80dvh] w-[min(38rem,calc(100vw-1rem))] -translate-x-1/2 flex-col overflow-hidden rounded-md border border-line-strong bg-surface"
        >
          <Dialog.Title className="sr-only">Find</Dialog.Title>
          <Finder
            data={data}
            onRetry={load}
            onDone={() => {
              isDone.current = true
              onClose()
            }}
          />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function Finder({ data, onRetry, onDone }: { data: PaletteData; onRetry: () => void; onDone: () => void }) {
  const id = useId()
  const [typed, setTyped] = useState("")
  const [at, setAt] = useState(0)
  const commands = useCommands(data ?? null, onDone)
  const found = findEntries(commands, typed)
  const current = found[Math.min(at, found.length - 1)]
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter ends a word that an input method is composing.
    if (event.nativeEvent.isComposing) return
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined && found.length > 0) {
      event.preventDefault()
      setAt((Math.min(at, found.length - 1) + step + found.length) % found.length)
    } else if (event.key === "Enter") {
      event.preventDefault()
      current?.run()
    }
  }
  return (
    <>
      <div className="flex items-center gap-2 border-b border-line px-3">
        <Search aria-hidden className="size-4 shrink-0 text-ink-faint" />
        <input
          type="text"
          role="combobox"
          aria-label="Page, team, incident, term or action"
          aria-expanded
          aria-autocomplete="list"
          aria-controls={`${id}-list`}
          aria-activedescendant={current && `${id}-${current.id}`}
          autoComplete="off"
          spellCheck={false}
          placeholder="Page, team, incident, term or action"
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value)
            setAt(0)
          }}
          onKeyDown={onKeyDown}
          className="h-12 min-w-0 flex-1 bg-transparent text-base outline-none placeholder:text-ink-faint"
        />
        <Dialog.Close className={buttonClass("quiet", "shrink-0")}>Close</Dialog.Close>
      </div>
      <p className="sr-only" role="status">
        {data === undefined ? "Looking up where you can go" : plural(found.length, "result")}
      </p>
      {data === null && (
        <p role="alert" className="flex flex-wrap items-center gap-3 border-b border-line px-4 py-3 text-sm text-bad">
          Where you can go could not be looked up.
          <button type="button" onClick={onRetry} className={buttonClass("quiet")}>
            Look again
          </button>
        </p>
      )}
      <div id={`${id}-list`} role="listbox" aria-label="Results" className="overflow-y-auto p-2">
        {data === undefined && <Skeleton />}
        {groupsOf(found).map(([group, members]) => (
          <div key={group} role="group" aria-labelledby={`${id}-${group}`} className="mb-1">
            <div id={`${id}-${group}`} role="presentation" className="px-2 py-1 text-xs font-medium text-ink-faint">
              {group}
            </div>
            {members.map((command) => (
              <Option
                key={command.id}
                id={`${id}-${command.id}`}
                command={command}
                isCurrent={command.id === current?.id}
                onPoint={() => setAt(found.indexOf(command))}
              />
            ))}
          </div>
        ))}
      </div>
      {found.length === 0 && data !== undefined && (
        <p className="px-4 pb-4 text-sm text-ink-soft">Nothing of yours is called that. Try fewer letters.</p>
      )}
    </>
  )
}

function Option(props: { id: string; command: Command; isCurrent: boolean; onPoint: () => void }) {
  const { command, isCurrent } = props
  const Icon = command.icon
  const own = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (isCurrent) own.current?.scrollIntoView({ block: "nearest" })
  }, [isCurrent])
  return (
    <button
      type="button"
      ref={own}
      id={props.id}
      role="option"
      aria-selected={isCurrent}
      // The combobox keeps the focus, and with it the keys.
      tabIndex={-1}
      onPointerDown={(event) => event.preventDefault()}
      onPointerMove={isCurrent ? undefined : props.onPoint}
      onClick={command.run}
      className={clsx(
        "flex min-h-9 w-full cursor-pointer text-left items-center gap-2.5 rounded-sm px-2 py-1.5 text-sm",
        isCurrent ? "bg-accent-soft text-accent" : "text-ink",
      )}
    >
      <Icon aria-hidden className="size-4 shrink-0" />
      <span className="min-w-0 flex-1 break-words">{command.label}</span>
      {isCurrent && <CornerDownLeft aria-hidden className="size-3.5 shrink-0" />}
    </button>
  )
}

function Skeleton() {
  return (
    <div aria-hidden className="space-y-2 p-2">
      {[60, 40, 50, 35].map((width) => (
        <div key={width} className="h-5 rounded-sm bg-sunken" style={{ width: `${width}%` }} />
      ))}
    </div>
  )
}

/** Where the viewer can go, and what can be done from everywhere. */
function useCommands(data: NonNullable<PaletteData> | null, onDone: () => void): Command[] {
  const navigate = useNavigate()
  const submit = useSubmit()
  const then = (work: () => void) => () => {
    onDone()
    work()
  }
  const actions = THEMES.map((theme) => ({
    group: "Actions" as const,
    label: theme === "system" ? "Theme of the system" : `${theme === "dark" ? "Dark" : "Light"} theme`,
    icon: SunMoon,
    run: then(() => chooseTheme(theme)),
  }))
  const signOut = {
    group: "Actions" as const,
    label: "Sign out",
    icon: LogOut,
    run: then(() => submit(null, { method: "post", action: paths.signOut() })),
  }
  const places = (data?.entries ?? []).map(({ group, label, to }) => ({
    group,
    label,
    icon: ICONS[group],
    run: then(() => navigate(to)),
  }))
  return [...places, ...actions, ...(data?.canSignOut === true ? [signOut] : [])].map((command, index) => ({
    ...command,
    id: String(index),
  }))
}

function groupsOf(commands: readonly Command[]): [Command["group"], Command[]][] {
  return [...Map.groupBy(commands, ({ group }) => group)]
}
