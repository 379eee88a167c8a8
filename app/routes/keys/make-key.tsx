import { Form, useNavigation } from "@remix-run/react"
import { Plus } from "lucide-react"
import { Dialog } from "radix-ui"
import type { KeyScope } from "#server/team/key-scopes.ts"
import { buttonClass } from "../../ui/button.ts"
import { AGENT_TOOLS } from "../connect/tools.ts"

const FIELD = "mt-1 block h-8 w-full rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"
const LABEL = "block text-sm font-medium"
const HINT = "mt-1 block text-xs font-normal text-ink-faint"

const SCOPES: Record<KeyScope, { label: string; hint: string }> = {
  ingest: { label: "Send telemetry", hint: "What agents send with it is stored." },
  "policy:read": { label: "Fetch policies", hint: "For agents that keep to policies; this Belay serves none yet." },
  "analytics:read": {
    label: "Read analytics",
    hint: "Figures of the whole organization and its teams at /api/v1, as on the pages: groups of too few people are withheld.",
  },
  test: {
    label: "Test",
    hint: "What is sent is checked and answered as always, and not stored. Not with “Send telemetry”.",
  },
}

const KNOWN_TOOLS = [...new Set(AGENT_TOOLS.map((tool) => tool.agentTool).filter((tool) => tool !== null))]

export function MakeKey(props: {
  scopes: readonly KeyScope[]
  teams: readonly { readonly id: string; readonly name: string }[]
  error: string | null
}) {
  const isBusy = useNavigation().state === "submitting"
  return (
    <Dialog.Root>
      <Dialog.Trigger className={buttonClass("primary")}>
        <Plus aria-hidden className="size-3.5" />
        Make a key
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-veil" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed top-1/2 left-1/2 z-50 max-h-[calc(100dvh-2rem)] w-[min(30rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-md border border-line-strong bg-surface p-6"
        >
          <Dialog.Title className="text-lg font-semibold">Make a key</Dialog.Title>
          <Form method="post" preventScrollReset className="mt-4 space-y-4">
            <input type="hidden" name="intent" value="create" />
            <label className={LABEL}>
              Name
              <input name="name" required maxLength={60} placeholder="CI of Checkout" className={FIELD} />
            </label>
            <fieldset>
              <legend className={LABEL}>May</legend>
              <div className="mt-1 space-y-2">
                {props.scopes.map((scope, index) => (
                  <label key={scope} className="flex items-start gap-2 text-sm">
                    <input
                      type="checkbox"
                      name="scope"
                      value={scope}
                      defaultChecked={index === 0}
                      className="mt-0.5 size-4 accent-accent"
                    />
                    <span>
                      {SCOPES[scope].label} <code className="font-mono text-xs text-ink-faint">{scope}</code>
                      <span className={HINT}>{SCOPES[scope].hint}</span>
                    </span>
                  </label>
                ))}
              </div>
            </fieldset>
            {props.teams.length > 0 && (
              <label className={LABEL}>
                Team
                <select name="teamId" className={FIELD}>
                  <option value="">No team in particular</option>
                  {props.teams.map((team) => (
                    <option key={team.id} value={team.id}>
                      {team.name}
                    </option>
                  ))}
                </select>
                <span className={HINT}>Says whose key it is. It puts nobody into the team.</span>
              </label>
            )}
            <label className={LABEL}>
              Agent tool
              <input name="agentTool" list="agent-tools" maxLength={60} placeholder="Any" className={FIELD} />
              <datalist id="agent-tools">
                {KNOWN_TOOLS.map((tool) => (
                  <option key={tool}>{tool}</option>
                ))}
              </datalist>
              <span className={HINT}>What another agent tool sends with it is refused, item by item.</span>
            </label>
            <label className={LABEL}>
              Expires
              <select name="days" className={FIELD}>
                <option value="">Never</option>
                <option value="30">In 30 days</option>
                <option value="90">In 90 days</option>
                <option value="365">In a year</option>
              </select>
            </label>
            {props.error !== null && (
              <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
                {props.error}
              </p>
            )}
            <div className="flex justify-end gap-2 pt-2">
              <Dialog.Close className={buttonClass("quiet")}>Cancel</Dialog.Close>
              <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
                {isBusy ? "Making the key…" : "Make the key"}
              </button>
            </div>
          </Form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
