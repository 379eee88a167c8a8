import { Form, useNavigation } from "@remix-run/react"
import { KeyRound } from "lucide-react"
import { AlertDialog } from "radix-ui"
import { formatAge, formatInstant } from "../../lib/format.ts"
import { buttonClass } from "../../ui/button.ts"

interface Key {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
}

/** Makes a key, which then stands in the snippets. */
export function NewKey(props: { canManageKeys: boolean; hasKeys: boolean; error: string | null }) {
  const isBusy = useNavigation().state === "submitting"
  if (!props.canManageKeys) {
    return (
      <p className="mt-5 rounded-md border border-line bg-sunken px-3 py-2 text-sm text-ink-soft">
        An owner or admin makes ingest keys. Ask one for a key and put it where the snippets say YOUR_INGEST_KEY.
      </p>
    )
  }
  return (
    <Form method="post" preventScrollReset className="mt-5 rounded-md border border-line bg-sunken p-3">
      <input type="hidden" name="intent" value="create" />
      <div className="flex flex-wrap items-end gap-2">
        <label className="min-w-40 flex-1 text-xs text-ink-faint">
          Name of a new ingest key
          <input
            name="name"
            required
            maxLength={60}
            defaultValue="Laptop"
            className="mt-1 block h-8 w-full rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"
          />
        </label>
        <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
          <KeyRound aria-hidden className="size-3.5" />
          {isBusy ? "Making the key…" : "Make a key and fill in the snippets"}
        </button>
      </div>
      {props.hasKeys && (
        <p className="mt-2 text-xs text-ink-faint">
          A key you already have works too: put it where the snippets say YOUR_INGEST_KEY.
        </p>
      )}
      {props.error !== null && (
        <p role="alert" className="mt-2 text-sm text-bad">
          {props.error}
        </p>
      )}
    </Form>
  )
}

export function Keys(props: { keys: readonly Key[]; canManageKeys: boolean; now: Date; timeZone: string }) {
  return (
    <section aria-labelledby="keys" className="mt-10">
      <h2 id="keys" className="text-lg font-semibold">
        Ingest keys
      </h2>
      <p className="text-sm text-ink-soft">
        A key may send telemetry and nothing else. Only its first characters are kept.
      </p>
      <div className="mt-3 overflow-x-auto rounded-md border border-line bg-surface">
        <table className="w-full text-sm">
          <thead>
            <tr className="border-b border-line text-left text-xs text-ink-faint">
              {["Name", "Key", "Made", "Last used", ""].map((title) => (
                <th key={title} scope="col" className="h-9 px-4 font-medium whitespace-nowrap">
                  {title || <span className="sr-only">Revoke</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.keys.map((key) => (
              <tr key={key.id} className="border-b border-line last:border-b-0">
                <td className="h-10 px-4 font-medium">{key.name}</td>
                <td className="px-4 font-mono text-xs">{key.prefix}…</td>
                <td className="px-4 whitespace-nowrap" title={formatInstant(key.createdAt, props.timeZone)}>
                  {formatAge(key.createdAt, props.now)}
                </td>
                <td className="px-4 whitespace-nowrap text-ink-soft">
                  {key.lastUsedAt === null ? "never" : formatAge(key.lastUsedAt, props.now)}
                </td>
                <td className="px-4 text-right">
                  {key.revokedAt !== null ? (
                    <span className="text-ink-faint">revoked {formatAge(key.revokedAt, props.now)}</span>
                  ) : (
                    props.canManageKeys && <Revoke {...key} />
                  )}
                </td>
              </tr>
            ))}
            {props.keys.length === 0 && (
              <tr>
                <td colSpan={5} className="h-14 px-4 text-ink-soft">
                  No keys yet.
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Revoke({ id, name }: Key) {
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger className="rounded-sm text-bad hover:underline" aria-label={`Revoke ${name}`}>
        Revoke
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-ink/40" />
        <AlertDialog.Content className="fixed top-1/2 left-1/2 z-50 w-[min(28rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 rounded-md border border-line-strong bg-surface p-6">
          <AlertDialog.Title className="text-lg font-semibold">Revoke “{name}”?</AlertDialog.Title>
          <AlertDialog.Description className="mt-2 text-ink-soft">
            Agents that send with this key are refused from the next second on. It cannot be undone; make a new key to
            let them in again.
          </AlertDialog.Description>
          <div className="mt-6 flex justify-end gap-2">
            <AlertDialog.Cancel className={buttonClass("quiet")}>Keep it</AlertDialog.Cancel>
            <Form method="post" preventScrollReset>
              <input type="hidden" name="intent" value="revoke" />
              <input type="hidden" name="id" value={id} />
              {/* Not the dialog's own action: that would take the form away before it is sent. */}
              <button type="submit" className={buttonClass("primary")}>
                Revoke “{name}”
              </button>
            </Form>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
