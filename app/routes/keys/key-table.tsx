import { Form } from "@remix-run/react"
import { Ban, CircleCheck, Clock, TimerOff } from "lucide-react"
import { AlertDialog } from "radix-ui"
import type { ReactNode } from "react"
import type { ListedKey } from "#server/team/ingest-keys.ts"
import { formatAge, formatInstant, formatUntil } from "../../lib/format.ts"
import { buttonClass } from "../../ui/button.ts"
import { keyState } from "./state.ts"

interface Shown {
  readonly now: Date
  readonly timeZone: string
}

export function KeyTable({ keys, ...shown }: Shown & { keys: readonly ListedKey[] }) {
  return (
    <div className="mt-4 rounded-md border border-line bg-surface">
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b border-line text-left text-xs text-ink-faint">
            <th scope="col" className="h-9 px-4 font-medium">
              Key
            </th>
            <th scope="col" className="hidden px-4 font-medium lg:table-cell">
              May
            </th>
            <th scope="col" className="hidden px-4 font-medium md:table-cell">
              Made
            </th>
            <th scope="col" className="hidden px-4 font-medium sm:table-cell">
              Last used
            </th>
            <th scope="col" className="px-4 font-medium">
              State
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <Row key={key.id} {...shown} ingestKey={key} />
          ))}
          {keys.length === 0 && (
            <tr>
              <td colSpan={5} className="h-14 px-4 text-ink-soft">
                No key is like that.
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  )
}

function Row({ ingestKey: key, now, timeZone }: Shown & { ingestKey: ListedKey }) {
  const state = keyState(key, now)
  const bound = [...(key.team === null ? [] : [key.team]), ...(key.agentTool === null ? [] : [`${key.agentTool} only`])]
  return (
    <tr className="border-b border-line align-top last:border-b-0">
      <td className="px-4 py-2.5">
        <span className="font-medium break-words">{key.name}</span>
        <span className="block font-mono text-xs text-ink-faint">{key.prefix}…</span>
        {bound.length > 0 && <span className="block text-ink-soft">{bound.join(" · ")}</span>}
        {key.replaces !== null && (
          <span className="block text-xs text-ink-faint">
            replaces <code className="font-mono">{key.replaces}…</code>
          </span>
        )}
        <span className="block text-xs text-ink-faint lg:hidden">{key.scopes.join(", ")}</span>
      </td>
      <td className="hidden px-4 py-2.5 lg:table-cell">
        {key.scopes.map((scope) => (
          <code key={scope} className="mr-1 rounded-sm bg-sunken px-1.5 py-0.5 font-mono text-xs text-ink-soft">
            {scope}
          </code>
        ))}
      </td>
      <td className="hidden px-4 py-2.5 md:table-cell">
        <Time at={key.createdAt} timeZone={timeZone}>
          {formatAge(key.createdAt, now)}
        </Time>
        <span className="block text-xs break-all text-ink-faint">by {key.createdBy ?? "Belay, when it started"}</span>
      </td>
      <td className="hidden px-4 py-2.5 text-ink-soft sm:table-cell">
        {key.lastUsedAt === null ? (
          "never"
        ) : (
          <Time at={key.lastUsedAt} timeZone={timeZone}>
            {formatAge(key.lastUsedAt, now)}
          </Time>
        )}
      </td>
      <td className="px-4 py-2.5">
        <State ingestKey={key} now={now} timeZone={timeZone} />
        {(state === "working" || state === "stopping") && (
          <div className="mt-1 flex flex-wrap gap-x-3 gap-y-1">
            {key.replacedBy === null && <Rotate id={key.id} name={key.name} />}
            <Revoke id={key.id} name={key.name} />
          </div>
        )}
      </td>
    </tr>
  )
}

function Time({ at, timeZone, children }: { at: Date; timeZone: string; children: ReactNode }) {
  return (
    <time dateTime={at.toISOString()} title={formatInstant(at, timeZone)}>
      {children}
    </time>
  )
}

const STATES = {
  working: { Icon: CircleCheck, color: "text-good" },
  stopping: { Icon: Clock, color: "text-warn" },
  expired: { Icon: TimerOff, color: "text-ink-soft" },
  revoked: { Icon: Ban, color: "text-ink-soft" },
}

function State({ ingestKey: key, now, timeZone }: Shown & { ingestKey: ListedKey }) {
  const state = keyState(key, now)
  const { Icon, color } = STATES[state]
  return (
    <>
      <span className={`flex items-start gap-1.5 ${color}`}>
        <Icon aria-hidden className="mt-0.5 size-4 shrink-0" />
        <span>
          {state === "revoked" && key.revokedAt !== null && (
            <Time at={key.revokedAt} timeZone={timeZone}>
              revoked {formatAge(key.revokedAt, now)}
            </Time>
          )}
          {state !== "revoked" && key.expiresAt !== null && (
            <Time at={key.expiresAt} timeZone={timeZone}>
              {state === "expired"
                ? `stopped ${formatAge(key.expiresAt, now)}`
                : `${state === "working" ? "works, stops" : "stops"} ${formatUntil(key.expiresAt, now)}`}
            </Time>
          )}
          {state === "working" && key.expiresAt === null && "works"}
        </span>
      </span>
      {key.replacedBy !== null && (
        <span className="block text-xs text-ink-faint">
          replaced by <code className="font-mono">{key.replacedBy}…</code>
        </span>
      )}
    </>
  )
}

function Rotate({ id, name }: { id: string; name: string }) {
  return (
    <Confirm
      trigger="Rotate"
      name={name}
      title={`Rotate “${name}”`}
      about="Makes a new key with the same name, scopes, team, tool and length of life. The old one goes on for as long as you need to bring the new one to every agent, and then stops."
      confirm="Make the new key"
      intent="rotate"
      id={id}
    >
      <label className="mt-4 block text-sm font-medium">
        The old key stops
        <select
          name="overlapHours"
          defaultValue="24"
          className="mt-1 block h-8 w-full rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"
        >
          <option value="0">at once</option>
          <option value="1">in 1 hour</option>
          <option value="24">in 24 hours</option>
          <option value="168">in 7 days</option>
        </select>
      </label>
    </Confirm>
  )
}

function Revoke({ id, name }: { id: string; name: string }) {
  return (
    <Confirm
      trigger="Revoke"
      name={name}
      title={`Revoke “${name}”?`}
      about="Agents that send with this key are refused from the next second on. It cannot be undone; make a new key to let them in again."
      confirm={`Revoke “${name}”`}
      intent="revoke"
      id={id}
    />
  )
}

function Confirm(props: {
  trigger: string
  name: string
  title: string
  about: string
  confirm: string
  intent: string
  id: string
  children?: ReactNode
}) {
  const isDangerous = props.intent === "revoke"
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger
        className={`min-h-6 rounded-sm hover:underline ${isDangerous ? "text-bad" : "text-ink-soft hover:text-ink"}`}
        aria-label={`${props.trigger} ${props.name}`}
      >
        {props.trigger}
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-veil" />
        <AlertDialog.Content className="fixed top-1/2 left-1/2 z-50 w-[min(28rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 rounded-md border border-line-strong bg-surface p-6">
          <AlertDialog.Title className="text-lg font-semibold break-words">{props.title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-2 text-ink-soft">{props.about}</AlertDialog.Description>
          <Form method="post" preventScrollReset>
            <input type="hidden" name="intent" value={props.intent} />
            <input type="hidden" name="id" value={props.id} />
            {props.children}
            <div className="mt-6 flex flex-wrap justify-end gap-2">
              <AlertDialog.Cancel className={buttonClass("quiet")}>
                {isDangerous ? "Keep it" : "Cancel"}
              </AlertDialog.Cancel>
              {/* Not the dialog's own action: that would take the form away before it is sent. */}
              <button type="submit" className={buttonClass("primary")}>
                {props.confirm}
              </button>
            </div>
          </Form>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
