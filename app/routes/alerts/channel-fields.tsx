import type { ChannelKind } from "#server/alert/channels.ts"
import { Field } from "../../ui/field.tsx"
import { CHANNEL_WORDS } from "./channel-words.ts"

interface ChannelFieldsProps {
  kind: ChannelKind
  /** Where a Slack app sends who pressed the button. */
  slackUrl: string
  /** Whether they may be left empty, to keep what is there. */
  isOptional?: boolean
  isPrivateAllowed?: boolean
  /** Only who answers for the network may let requests into it. */
  isOwner: boolean
}

/** What a kind of channel needs to be told. */
export function ChannelFields({
  kind,
  slackUrl,
  isOptional = false,
  isPrivateAllowed = false,
  isOwner,
}: ChannelFieldsProps) {
  return (
    <>
      {CHANNEL_WORDS[kind].fields.map((field) => (
        <Field
          key={`${kind} ${field.name}`}
          label={field.label}
          name={field.name}
          required={!isOptional && field.isOptional !== true}
          autoComplete="off"
          {...(field.isSecret === true && { type: "password" })}
          {...(field.name === "signingSecret"
            ? { hint: `For the button. The app's request URL for interactivity is ${slackUrl}` }
            : field.hint !== undefined && { hint: field.hint })}
        />
      ))}
      {isOwner && kind !== "email" && (
        <label className="flex items-start gap-2 text-sm">
          <input type="checkbox" name="isPrivateAllowed" defaultChecked={isPrivateAllowed} className="mt-0.5 size-4" />
          Its host may have an address inside the network. Otherwise Belay asks public addresses alone.
        </label>
      )}
    </>
  )
}
