import { Form, useNavigation } from "@remix-run/react"
import type { ListedChannel } from "#server/alert/queries.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { ChannelFields } from "./channel-fields.tsx"

/** Changes a channel where it stands. What is secret of it is kept unless it is typed anew. */
export function ChangeChannel({
  channel,
  slackUrl,
  isOwner,
}: {
  channel: ListedChannel
  slackUrl: string
  isOwner: boolean
}) {
  const isBusy = useNavigation().state !== "idle"
  return (
    <details className="w-full">
      <summary className={buttonClass("quiet", "w-fit list-none")} aria-label={`Change ${channel.name}`}>
        Change
      </summary>
      <Form method="post" preventScrollReset className="mt-3 space-y-4" key={`${channel.name} ${channel.target}`}>
        <input type="hidden" name="intent" value="change" />
        <input type="hidden" name="id" value={channel.id} />
        <input type="hidden" name="kind" value={channel.kind} />
        <Field label="Name" name="name" required maxLength={80} defaultValue={channel.name} />
        <label className="flex items-start gap-2 text-sm">
          <input type="checkbox" name="isEnabled" defaultChecked={channel.isEnabled} className="mt-0.5 size-4" />
          It is told of alerts. Otherwise nothing is sent to it, and what was not taken yet is given up.
        </label>
        <p className="text-sm text-ink-soft">
          Leave the rest empty to keep what is there{channel.kind === "webhook" && "; a new address gets a new secret"}.
        </p>
        <ChannelFields
          kind={channel.kind}
          isOptional
          isPrivateAllowed={channel.isPrivateAllowed}
          {...{ slackUrl, isOwner }}
        />
        <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
          Keep the changes
        </button>
      </Form>
    </details>
  )
}
