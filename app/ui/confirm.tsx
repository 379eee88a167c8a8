import { Form } from "@remix-run/react"
import { AlertDialog } from "radix-ui"
import { type ReactNode, useState } from "react"
import { buttonClass, rowActionClass } from "./button.ts"

/**
 * A button that asks before it posts: says what will happen and whether it can be undone. `fields` are what is posted;
 * `children` are further fields of the form.
 */
export function Confirm(props: {
  trigger: ReactNode
  triggerClass?: string
  triggerLabel?: string
  title: string
  description: ReactNode
  action: string
  cancel?: string
  fields: Readonly<Record<string, string>>
  children?: ReactNode
}) {
  const [isOpen, setOpen] = useState(false)
  return (
    <AlertDialog.Root open={isOpen} onOpenChange={setOpen}>
      <AlertDialog.Trigger className={props.triggerClass ?? rowActionClass("danger")} aria-label={props.triggerLabel}>
        {props.trigger}
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-veil" />
        <AlertDialog.Content className="fixed top-1/2 left-1/2 z-50 max-h-[calc(100dvh-2rem)] w-[min(28rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-md border border-line-strong bg-surface p-6">
          <AlertDialog.Title className="text-lg font-semibold break-words">{props.title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-2 text-ink-soft">{props.description}</AlertDialog.Description>
          {/* Not the dialog's own action: that would take the form away before it is sent. */}
          <Form method="post" preventScrollReset className="mt-4 space-y-4" onSubmit={() => setOpen(false)}>
            {Object.entries(props.fields).map(([name, value]) => (
              <input key={name} type="hidden" name={name} value={value} />
            ))}
            {props.children}
            <div className="flex flex-wrap justify-end gap-2 pt-2">
              <AlertDialog.Cancel className={buttonClass("quiet")}>{props.cancel ?? "Cancel"}</AlertDialog.Cancel>
              <button type="submit" className={buttonClass("primary")}>
                {props.action}
              </button>
            </div>
          </Form>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
