import { createHmac } from "node:crypto"
import { z } from "zod"
import { parseHeaders, toLogsUrl } from "../audit/export.ts"
import type { Outgoing } from "../outbound/post.ts"
import type { AlertMessage } from "./message.ts"

/**
 * Where alerts go, and how each says it. What a channel has that is secret, or part of an address that is, is kept sealed.
 */

const url = z.url({ protocol: /^https?$/ }).max(2000)

const settingsSchemas = {
  webhook: z.object({ url, secret: z.string().min(16).max(200) }),
  slack: z.object({ url, signingSecret: z.string().min(8).max(200).nullable() }),
  email: z.object({ to: z.email().max(320) }),
  pagerduty: z.object({ url, routingKey: z.string().min(8).max(100) }),
  opsgenie: z.object({ url, apiKey: z.string().min(8).max(200) }),
  otlp: z.object({ url, headers: z.string().max(2000) }),
}

export type ChannelKind = keyof typeof settingsSchemas
export const CHANNEL_KINDS = Object.keys(settingsSchemas) as readonly ChannelKind[]

export type ChannelSettings = {
  readonly [Kind in ChannelKind]: { readonly kind: Kind } & z.infer<(typeof settingsSchemas)[Kind]>
}[ChannelKind]

export const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
export const OPSGENIE_URL = "https://api.opsgenie.com"

/** What was typed or kept as the settings of a channel; null when it is none. */
export function parseChannel(kind: string, settings: unknown): ChannelSettings | null {
  const known = CHANNEL_KINDS.find((one) => one === kind)
  if (known === undefined) return null
  const parsed = settingsSchemas[known].safeParse(settings)
  if (!parsed.success) return null
  const channel = { kind: known, ...parsed.data } as ChannelSettings
  if (channel.kind !== "otlp") return channel
  try {
    parseHeaders(channel.headers)
    return channel
  } catch {
    return null
  }
}

/** What may be shown of where it goes. */
export function targetOf(channel: ChannelSettings): string {
  return channel.kind === "email" ? channel.to : new URL(channel.url).host
}

/** What each request of a delivery has besides the message. */
export interface Sending {
  /** The idempotency key: the same however often it is sent. */
  readonly deliveryId: string
  readonly channelId: string
  readonly orgId: string
  /** The page of the alert. */
  readonly link: string
  readonly at: Date
}

export type Request = Omit<Outgoing, "isPrivateAllowed">

const JSON_TYPE = { "content-type": "application/json" }

/** The request that tells a message, of every kind of channel but e-mail. */
export function toRequest(
  channel: Exclude<ChannelSettings, { kind: "email" }>,
  message: AlertMessage,
  sending: Sending,
): Request {
  switch (channel.kind) {
    case "webhook":
      return toWebhook(channel, message, sending)
    case "slack":
      return {
        url: channel.url,
        headers: JSON_TYPE,
        body: JSON.stringify(toSlack(message, sending, channel.signingSecret !== null)),
      }
    case "pagerduty":
      return {
        url: channel.url,
        headers: JSON_TYPE,
        body: JSON.stringify(toPagerDuty(channel.routingKey, message, sending)),
      }
    case "opsgenie":
      return toOpsgenie(channel, message, sending)
    case "otlp":
      return {
        url: toLogsUrl(channel.url),
        headers: { ...parseHeaders(channel.headers), ...JSON_TYPE },
        body: JSON.stringify(toOtlp(message, sending)),
      }
  }
}

/**
 * The message as it is, with its link. The signature is `v1=` and, in hex, HMAC-SHA256 over the time in seconds, a full
 * stop and the body; the time is in a header of its own, so that a receiver can refuse what is old.
 */
function toWebhook(
  { url, secret }: { readonly url: string; readonly secret: string },
  message: AlertMessage,
  { deliveryId, link, at }: Sending,
): Request {
  const body = JSON.stringify({ ...message, id: deliveryId, link })
  const timestamp = String(Math.floor(at.getTime() / 1000))
  return {
    url,
    headers: {
      ...JSON_TYPE,
      "idempotency-key": deliveryId,
      "x-belay-event": message.event,
      "x-belay-timestamp": timestamp,
      "x-belay-signature": signWebhook({ secret, timestamp, body }),
    },
    body,
  }
}

export function signWebhook(of: {
  readonly secret: string
  readonly timestamp: string
  readonly body: string
}): string {
  return `v1=${createHmac("sha256", of.secret).update(`${of.timestamp}.${of.body}`).digest("hex")}`
}

const EVENT_WORDS: Record<AlertMessage["event"], string> = {
  opened: "Open",
  reopened: "Open again",
  escalated: "Now a page",
  reminded: "Still open",
  acknowledged: "Acknowledged",
  resolved: "Resolved",
  test: "Test",
}

export function headlineOf({ event, alert }: AlertMessage): string {
  const by = event === "acknowledged" && alert.acknowledgedBy !== null ? ` by ${alert.acknowledgedBy}` : ""
  return `${EVENT_WORDS[event]}${by}: ${alert.title}`
}

function detailsOf({ alert, organization }: AlertMessage): string {
  const place = alert.team === null ? organization : `${organization} · ${alert.team}`
  const grouped =
    alert.grouped === 0 ? "" : ` · speaks for ${alert.grouped} narrower ${alert.grouped === 1 ? "alert" : "alerts"}`
  return `${alert.severity === "page" ? "Page" : "Ticket"} · ${place} · since ${alert.openedAt.slice(0, 16).replace("T", " ")} UTC${grouped}`
}

export const ACKNOWLEDGE_ACTION = "belay_acknowledge"

/** @see https://docs.slack.dev/block-kit */
function toSlack(message: AlertMessage, sending: Sending, hasButton: boolean) {
  const { alert, event } = message
  const isWaiting = alert.state === "open" && event !== "test"
  const button = (text: string, rest: object) => ({ type: "button", text: { type: "plain_text", text }, ...rest })
  return {
    text: headlineOf(message),
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: `*${escapeSlack(headlineOf(message))}*` } },
      { type: "section", text: { type: "mrkdwn", text: escapeSlack(`${alert.summary}\n${alert.todo}`) } },
      { type: "context", elements: [{ type: "mrkdwn", text: escapeSlack(detailsOf(message)) }] },
      {
        type: "actions",
        elements: [
          ...(isWaiting && hasButton
            ? [
                button("Acknowledge", {
                  style: "primary",
                  action_id: ACKNOWLEDGE_ACTION,
                  value: [sending.orgId, sending.channelId, alert.id].join(" "),
                }),
              ]
            : []),
          button("Open in Belay", { url: sending.link }),
        ],
      },
    ],
  }
}

/** @see https://docs.slack.dev/messaging/formatting-message-text: the three that mean something. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
}

/** @see https://developer.pagerduty.com/docs/events-api-v2-overview */
function toPagerDuty(routingKey: string, message: AlertMessage, { link }: Sending) {
  const { alert, event } = message
  const action = event === "resolved" ? "resolve" : event === "acknowledged" ? "acknowledge" : "trigger"
  return {
    routing_key: routingKey,
    event_action: action,
    dedup_key: alert.id,
    ...(action === "trigger" && {
      client: "Belay",
      client_url: link,
      links: [{ href: link, text: "The alert in Belay" }],
      payload: {
        summary: alert.title.slice(0, 1024),
        source: message.organization,
        severity: event === "test" ? "info" : alert.severity === "page" ? "critical" : "warning",
        timestamp: alert.openedAt,
        component: alert.rung ?? alert.kind,
        group: alert.team ?? message.organization,
        class: alert.kind,
        custom_details: { summary: alert.summary, todo: alert.todo, ...alert.facts },
      },
    }),
  }
}

/** @see https://docs.opsgenie.com/docs/alert-api */
function toOpsgenie(
  { url, apiKey }: { readonly url: string; readonly apiKey: string },
  message: AlertMessage,
  { deliveryId, link }: Sending,
): Request {
  const { alert, event } = message
  const alerts = `${url.replace(/\/+$/, "")}/v2/alerts`
  const headers = { ...JSON_TYPE, authorization: `GenieKey ${apiKey}` }
  if (event === "resolved" || event === "acknowledged") {
    const action = event === "resolved" ? "close" : "acknowledge"
    return {
      url: `${alerts}/${alert.id}/${action}?identifierType=alias`,
      headers,
      body: JSON.stringify({ source: "Belay", note: headlineOf(message) }),
    }
  }
  return {
    url: alerts,
    headers,
    body: JSON.stringify({
      message: alert.title.slice(0, 130),
      alias: alert.id,
      description: `${alert.summary}\n${alert.todo}\n${link}`,
      entity: alert.team ?? message.organization,
      source: "Belay",
      priority: event === "test" ? "P5" : alert.severity === "page" ? "P1" : "P3",
      tags: [alert.kind, alert.severity],
      details: { link, delivery: deliveryId },
    }),
  }
}

const OTLP_SEVERITY = { page: { number: 17, text: "ERROR" }, ticket: { number: 13, text: "WARN" } }

/** @see https://opentelemetry.io/docs/specs/otel/logs/data-model/ */
function toOtlp(message: AlertMessage, { deliveryId, orgId, link }: Sending) {
  const { alert, event } = message
  const severity =
    event === "resolved" || event === "test" ? { number: 9, text: "INFO" } : OTLP_SEVERITY[alert.severity]
  const attribute = (key: string, value: string | null) =>
    value === null ? [] : [{ key, value: { stringValue: value } }]
  const timeUnixNano = `${new Date(message.at).getTime()}000000`
  return {
    resourceLogs: [
      {
        resource: {
          attributes: [
            ...attribute("service.name", "belay"),
            ...attribute("belay.org.id", orgId),
            ...attribute("belay.org.name", message.organization),
          ],
        },
        scopeLogs: [
          {
            scope: { name: "belay.alert" },
            logRecords: [
              {
                timeUnixNano,
                observedTimeUnixNano: timeUnixNano,
                severityNumber: severity.number,
                severityText: severity.text,
                eventName: `belay.alert.${event}`,
                body: { stringValue: headlineOf(message) },
                attributes: [
                  ...attribute("event.name", `belay.alert.${event}`),
                  ...attribute("belay.alert.id", alert.id),
                  ...attribute("belay.alert.kind", alert.kind),
                  ...attribute("belay.alert.severity", alert.severity),
                  ...attribute("belay.alert.state", alert.state),
                  ...attribute("belay.alert.team", alert.team),
                  ...attribute("belay.alert.facts", JSON.stringify(alert.facts)),
                  ...attribute("belay.alert.delivery", deliveryId),
                  ...attribute("url.full", link),
                ],
              },
            ],
          },
        ],
      },
    ],
  }
}

/** @see RFC 5322, section 3.6.4: the same message has the same id. */
export function toMail(message: AlertMessage, { deliveryId, link }: Sending) {
  const { alert } = message
  return {
    subject: `[${alert.severity === "page" ? "Page" : "Ticket"}] ${headlineOf(message)}`,
    text: [headlineOf(message), "", alert.summary, alert.todo, "", detailsOf(message), link, ""].join("\n"),
    messageId: `<${deliveryId}@belay>`,
    /** So that mail programs put what is of one alert together. */
    thread: `<${alert.id}@belay>`,
  }
}
