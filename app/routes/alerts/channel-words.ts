import type { ChannelKind } from "#server/alert/channels.ts"

interface ChannelField {
  readonly name: string
  readonly label: string
  readonly hint?: string
  readonly isOptional?: boolean
  readonly isSecret?: boolean
}

/** What is asked for each kind of channel. */
export const CHANNEL_WORDS: Record<
  ChannelKind,
  { readonly name: string; readonly about: string; readonly fields: readonly ChannelField[] }
> = {
  slack: {
    name: "Slack",
    about: "Posts to a channel through an incoming webhook, with a button that acknowledges.",
    fields: [
      { name: "url", label: "Address of the incoming webhook", isSecret: true },
      {
        name: "signingSecret",
        label: "Signing secret of the Slack app",
        hint: "For the button. Set the app's request URL for interactivity to /webhooks/slack of this Belay.",
        isOptional: true,
        isSecret: true,
      },
    ],
  },
  webhook: {
    name: "Webhook",
    about: "Posts JSON that is signed (HMAC-SHA256) with a secret that Belay makes and shows once.",
    fields: [{ name: "url", label: "Address" }],
  },
  email: {
    name: "E-mail",
    about: "Sends mail through the mail server that Belay is started with.",
    fields: [{ name: "to", label: "Address" }],
  },
  pagerduty: {
    name: "PagerDuty",
    about: "Triggers, acknowledges and resolves through Events API v2.",
    fields: [
      { name: "routingKey", label: "Integration key", isSecret: true },
      { name: "url", label: "Address, when it is not the usual one", isOptional: true },
    ],
  },
  opsgenie: {
    name: "Opsgenie",
    about: "Makes, acknowledges and closes alerts, also of what is compatible with it.",
    fields: [
      { name: "apiKey", label: "API key", isSecret: true },
      { name: "url", label: "Address, when it is not the usual one", isOptional: true },
    ],
  },
  otlp: {
    name: "OTLP log sink",
    about: "Writes each message as a log record of OpenTelemetry.",
    fields: [
      { name: "url", label: "Endpoint" },
      { name: "headers", label: "Headers, name=value, separated by commas", isOptional: true, isSecret: true },
    ],
  },
}
