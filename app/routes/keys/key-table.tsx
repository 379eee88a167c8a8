import { Ban, CircleCheck, Clock, TimerOff } from "lucide-react"
import type { ReactNode } from "react"
import type { ListedKey } from "#server/team/ingest-keys.ts"
import { formatAge, formatInstant, formatUntil } from "../../lib/format.ts"
import { rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Select } from "../../ui/select.tsx"
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
      triggerLabel={`Rotate ${name}`}
      triggerClass={rowActionClass("quiet")}
      title={`Rotate “${name}”`}
      description="Makes a new key with the same name, scopes, team, tool and length of life. The old one goes on for as long as you need to bring the new one to every agent, and then stops."
      action="Make the new key"
      fields={{ intent: "rotate", id }}
    >
      <Select label="The old key stops" name="overlapHours" defaultValue="24">
        <option value="0">at once</option>
        <option value="1">in 1 hour</option>
        <option value="24">in 24 hours</option>
        <option value="168">in 7 days</option>
      </Select>
    </Confirm>
  )
}

function Revoke({ id, name }: { id: string; name: string }) {
  return (
    <Confirm
      trigger="Revoke"
      triggerLabel={`Revoke ${name}`}
      title={`Revoke “${name}”?`}
      description="Agents that send with this key are refused from the next second on. It cannot be undone; make a new key to let them in again."
      action={`Revoke “${name}”`}
      cancel="Keep it"
      fields={{ intent: "revoke", id }}
    />
  )
}
