import { randomBytes, randomUUID } from "node:crypto"
import { sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { Json } from "../db/types.ts"
import type { Answer } from "../outbound/post.ts"
import { seal } from "../sealed.ts"
import type { Severity } from "../slo/burn.ts"
import type { Readable } from "../team/readable-teams.ts"
import { type AlertStanding, readAlerts, recordAlertEvents } from "./alert-row.ts"
import { type ChannelKind, type ChannelSettings, parseChannel, targetOf } from "./channels.ts"
import { CHANNEL_PURPOSE, openChannel } from "./deliver.ts"
import { holdAlerts } from "./evaluate.ts"
import { DELIVERY_MS, readTelling, tell } from "./tell.ts"

export const REASON_LENGTH_MAX = 500
export const SILENCE_DAYS_MAX = 31
/** What somebody can say that an alert was. */
export const CAUSES = [
  "latency",
  "quality",
  "wrong_path",
  "permission",
  "context_loss",
  "errors",
  "provider",
  "network",
  "deployment",
  "false_alarm",
  "other",
] as const
export type AlertCause = (typeof CAUSES)[number]

type Refused<Reason extends string> = { readonly ok: false; readonly reason: Reason }
type Result<Reason extends string> = { readonly ok: true } | Refused<Reason>

export interface AlertArgs {
  readonly id: string
  /** Of whom the alerts may be read; null where the id was handed out, as in a message. */
  readonly readable: Readable | null
  readonly by: AuditActor
  /** Who it was, where that is not somebody with an account. */
  readonly via?: string
}

/** Says that somebody looks into it: nobody is reminded any more, and those who were told hear of it. */
export async function acknowledgeAlert(tx: TenantTx, args: AlertArgs): Promise<Result<"not_found" | "not_open">> {
  const { by, via = null } = args
  await holdAlerts(tx, by.orgId)
  const alert = await findAlert(tx, args)
  if (alert === null) return { ok: false, reason: "not_found" }
  if (alert.standing.state !== "open") return { ok: false, reason: "not_open" }
  await tx
    .updateTable("alert")
    .set({
      state: "acknowledged",
      acknowledged_at: by.occurredAt,
      acknowledged_by: by.actorId,
      acknowledged_via: via?.slice(0, 200) ?? null,
    })
    .where("id", "=", alert.id)
    .execute()
  const standing = { ...alert.standing, state: "acknowledged" as const, acknowledgedAt: by.occurredAt.getTime() }
  await follow(tx, { ...alert, standing }, { event: "acknowledged", by, via })
  return { ok: true }
}

/** Says that it is over. It stays so until its rule was calm once. */
export async function resolveAlert(tx: TenantTx, args: AlertArgs): Promise<Result<"not_found" | "not_open">> {
  const { by, via = null } = args
  await holdAlerts(tx, by.orgId)
  const alert = await findAlert(tx, args)
  if (alert === null) return { ok: false, reason: "not_found" }
  if (alert.standing.state === "resolved") return { ok: false, reason: "not_open" }
  await tx
    .updateTable("alert")
    .set({ state: "resolved", resolved_at: by.occurredAt, resolved_by: by.actorId, calm_since: null })
    .where("id", "=", alert.id)
    .execute()
  const standing = { ...alert.standing, state: "resolved" as const, resolvedAt: by.occurredAt.getTime() }
  await follow(tx, { ...alert, standing }, { event: "resolved", by, via })
  return { ok: true }
}

/** Says what it was; null takes back what was said. */
export async function labelAlert(
  tx: TenantTx,
  args: AlertArgs & { readonly cause: AlertCause | null },
): Promise<Result<"not_found">> {
  const { by, cause } = args
  await holdAlerts(tx, by.orgId)
  const alert = await findAlert(tx, args)
  if (alert === null) return { ok: false, reason: "not_found" }
  await tx
    .updateTable("alert")
    .set({
      cause,
      cause_by: cause === null ? null : by.actorId,
      cause_at: cause === null ? null : by.occurredAt,
    })
    .where("id", "=", alert.id)
    .execute()
  const entry = { alertId: alert.id, kind: "labelled", at: by.occurredAt, accountId: by.actorId, details: { cause } }
  await recordAlertEvents(tx, by.orgId, [entry])
  await recordAudit(tx, { ...by, action: "alert.label", targetKind: "alert", targetId: alert.id, after: { cause } })
  return { ok: true }
}

async function findAlert(tx: TenantTx, { id, readable }: AlertArgs): Promise<AlertStanding | null> {
  const [alert] = await readAlerts(tx, sql`id = ${id}::uuid`)
  if (alert === undefined) return null
  return readable === null || isReadable(alert, readable) ? alert : null
}

/** An alert of a team is for who may read the team, any other for who may read the organization. */
export function isReadable({ teamId }: { readonly teamId: string | null }, readable: Readable): boolean {
  return teamId === null ? readable.organization : readable.organization || readable.teamIds.includes(teamId)
}

async function follow(
  tx: TenantTx,
  alert: AlertStanding,
  {
    event,
    by,
    via,
  }: { readonly event: "acknowledged" | "resolved"; readonly by: AuditActor; readonly via: string | null },
): Promise<void> {
  const at = by.occurredAt
  const details = { severity: alert.standing.severity, ...(via !== null && { via }) }
  const sequences = await recordAlertEvents(tx, by.orgId, [
    { alertId: alert.id, kind: event, at, accountId: by.actorId, details },
  ])
  // Whoever was told that it is open hears of it.
  if (alert.standing.notifiedAt !== null && alert.parentId === null) {
    const telling = await readTelling(tx, by.orgId, at)
    const acknowledgedBy = via ?? by.actorEmail
    await tell(tx, telling, [{ alert, event, sequence: sequences.get(alert.id) ?? 0, acknowledgedBy }], at)
  }
  await recordAudit(tx, {
    ...by,
    action: event === "acknowledged" ? "alert.acknowledge" : "alert.resolve",
    targetKind: "alert",
    targetId: alert.id,
    after: details,
  })
}

export interface ChannelInput {
  readonly id: string | null
  readonly kind: ChannelKind
  readonly name: string
  /** Null keeps what is there. */
  readonly settings: unknown
  /** For an owner to give. */
  readonly isPrivateAllowed: boolean
  readonly isEnabled: boolean
}

type SetChannelResult =
  | { readonly ok: true; readonly id: string; readonly isNew: boolean }
  | Refused<"settings" | "not_found" | "name" | "too_many">

const CHANNELS_MAX = 100

/** Adds a channel with a route that takes every alert, or changes one. What is secret can be replaced and not read. */
export async function setChannel(
  tx: TenantTx,
  { channel, secret, by }: { readonly channel: ChannelInput; readonly secret: string; readonly by: AuditActor },
): Promise<SetChannelResult> {
  const name = channel.name.trim()
  if (name === "" || name.length > 80) return { ok: false, reason: "name" }
  const before =
    channel.id === null
      ? undefined
      : await tx.selectFrom("alert_channel").selectAll().where("id", "=", channel.id).forUpdate().executeTakeFirst()
  if (channel.id !== null && before?.kind !== channel.kind) return { ok: false, reason: "not_found" }
  const settings = channel.settings === null ? null : parseChannel(channel.kind, channel.settings)
  if (settings === null && (channel.settings !== null || before === undefined)) return { ok: false, reason: "settings" }
  const id = before?.id ?? randomUUID()
  const kept = settings === null ? {} : sealedColumns(settings, { orgId: by.orgId, id, secret })
  const row = { name, is_private_allowed: channel.isPrivateAllowed, is_enabled: channel.isEnabled, ...kept }
  if (before === undefined) {
    const known = await tx.selectFrom("alert_channel").select("id").execute()
    if (known.length >= CHANNELS_MAX || settings === null) return { ok: false, reason: "too_many" }
    await tx
      .insertInto("alert_channel")
      .values({
        org_id: by.orgId,
        id,
        kind: channel.kind,
        target: targetOf(settings),
        made_at: by.occurredAt,
        made_by: by.actorId,
        ...row,
      })
      .execute()
    await tx
      .insertInto("alert_route")
      .values({ org_id: by.orgId, id: randomUUID(), channel_id: id, made_at: by.occurredAt })
      .execute()
  } else {
    await tx.updateTable("alert_channel").set(row).where("id", "=", id).execute()
  }
  await recordAudit(tx, {
    ...by,
    action: before === undefined ? "alert_channel.create" : "alert_channel.change",
    targetKind: "alert_channel",
    targetId: id,
    before: before === undefined ? null : describeChannel(before),
    after: {
      kind: channel.kind,
      name,
      target: settings === null ? (before?.target ?? "") : targetOf(settings),
      isPrivateAllowed: channel.isPrivateAllowed,
      isEnabled: channel.isEnabled,
    },
  })
  return { ok: true, id, isNew: before === undefined }
}

function sealedColumns(settings: ChannelSettings, of: { orgId: string; id: string; secret: string }) {
  const { kind: _, ...kept } = settings
  const sealed = seal(Buffer.from(JSON.stringify(kept)), { ...of, purpose: CHANNEL_PURPOSE })
  // What it answered when it was other is no answer of this.
  return { sealed_secret: sealed, target: targetOf(settings), tested_at: null, test_answer: null }
}

function describeChannel(row: {
  kind: string
  name: string
  target: string
  is_private_allowed: boolean
  is_enabled: boolean
}) {
  const { kind, name, target } = row
  return { kind, name, target, isPrivateAllowed: row.is_private_allowed, isEnabled: row.is_enabled }
}

/** A secret for a webhook, to be shown once. */
export function makeChannelSecret(): string {
  return `blc_${randomBytes(32).toString("base64url")}`
}

/** Removes a channel, its routes and what became of its deliveries. */
export async function removeChannel(
  tx: TenantTx,
  { id, by }: { readonly id: string; readonly by: AuditActor },
): Promise<Result<"not_found">> {
  const row = await tx.deleteFrom("alert_channel").where("id", "=", id).returningAll().executeTakeFirst()
  if (row === undefined) return { ok: false, reason: "not_found" }
  const before = describeChannel(row)
  await recordAudit(tx, { ...by, action: "alert_channel.delete", targetKind: "alert_channel", targetId: id, before })
  return { ok: true }
}

/** The channel for a test, or for what comes back from it; null when there is none or it cannot be opened. */
export async function readChannel(
  tx: TenantTx,
  { id, orgId, secret }: { readonly id: string; readonly orgId: string; readonly secret: string },
): Promise<{ readonly channel: ChannelSettings; readonly name: string; readonly isPrivateAllowed: boolean } | null> {
  const row = await tx
    .selectFrom("alert_channel")
    .select(["id", "kind", "name", "sealed_secret as sealed", "is_private_allowed as isPrivateAllowed"])
    .where("id", "=", id)
    .executeTakeFirst()
  if (row === undefined) return null
  const channel = openChannel({ id, orgId, kind: row.kind, sealed: row.sealed }, secret)
  return channel === null ? null : { channel, name: row.name, isPrivateAllowed: row.isPrivateAllowed }
}

/** Keeps what a channel answered to a test. */
export async function noteTest(
  tx: TenantTx,
  { id, answer, by }: { readonly id: string; readonly answer: Answer; readonly by: AuditActor },
): Promise<void> {
  await tx
    .updateTable("alert_channel")
    .set({ tested_at: by.occurredAt, test_answer: sql<Json>`${JSON.stringify(answer)}::text::jsonb` })
    .where("id", "=", id)
    .execute()
  const after = { status: answer.status, error: answer.error }
  await recordAudit(tx, { ...by, action: "alert_channel.test", targetKind: "alert_channel", targetId: id, after })
}

export interface RouteInput {
  readonly channelId: string
  readonly teamId: string | null
  readonly severity: Severity | null
  /** Minutes after midnight. */
  readonly quiet: { readonly from: number; readonly to: number } | null
}

const ROUTES_MAX = 500

/** Sends alerts of a team or severity to a channel. */
export async function addRoute(
  tx: TenantTx,
  { route, by }: { readonly route: RouteInput; readonly by: AuditActor },
): Promise<Result<"not_found" | "too_many">> {
  const { channelId, teamId, severity, quiet } = route
  const channel = await tx.selectFrom("alert_channel").select("name").where("id", "=", channelId).executeTakeFirst()
  const team =
    teamId === null ? null : await tx.selectFrom("team").select("name").where("id", "=", teamId).executeTakeFirst()
  if (channel === undefined || team === undefined) return { ok: false, reason: "not_found" }
  const known = await tx.selectFrom("alert_route").select("id").execute()
  if (known.length >= ROUTES_MAX) return { ok: false, reason: "too_many" }
  const id = randomUUID()
  await tx
    .insertInto("alert_route")
    .values({
      org_id: by.orgId,
      id,
      channel_id: channelId,
      team_id: teamId,
      severity,
      quiet_from: quiet?.from ?? null,
      quiet_to: quiet?.to ?? null,
      made_at: by.occurredAt,
    })
    .execute()
  const after = {
    channel: channel.name,
    team: team?.name ?? null,
    severity,
    quietFrom: quiet?.from ?? null,
    quietTo: quiet?.to ?? null,
  }
  await recordAudit(tx, { ...by, action: "alert_route.create", targetKind: "alert_route", targetId: id, after })
  return { ok: true }
}

export async function removeRoute(
  tx: TenantTx,
  { id, by }: { readonly id: string; readonly by: AuditActor },
): Promise<Result<"not_found">> {
  const row = await tx.deleteFrom("alert_route").where("id", "=", id).returningAll().executeTakeFirst()
  if (row === undefined) return { ok: false, reason: "not_found" }
  const before = { channelId: row.channel_id, teamId: row.team_id, severity: row.severity }
  await recordAudit(tx, { ...by, action: "alert_route.delete", targetKind: "alert_route", targetId: id, before })
  return { ok: true }
}

export interface SilenceInput {
  /** What is null is every one. */
  readonly kind: string | null
  readonly subject: string | null
  readonly teamId: string | null
  readonly reason: string
  readonly startsAt: Date
  readonly endsAt: Date
}

/** Keeps alerts quiet for a time, which has an end. */
export async function addSilence(
  tx: TenantTx,
  { silence, by }: { readonly silence: SilenceInput; readonly by: AuditActor },
): Promise<Result<"reason" | "time">> {
  const { kind, subject, teamId, startsAt, endsAt } = silence
  const reason = silence.reason.trim()
  if (reason === "" || reason.length > REASON_LENGTH_MAX) return { ok: false, reason: "reason" }
  const lengthMs = endsAt.getTime() - startsAt.getTime()
  if (!(lengthMs > 0) || lengthMs > SILENCE_DAYS_MAX * 86_400_000 || endsAt <= by.occurredAt)
    return { ok: false, reason: "time" }
  const id = randomUUID()
  await tx
    .insertInto("alert_silence")
    .values({
      org_id: by.orgId,
      id,
      kind,
      subject,
      team_id: teamId,
      reason,
      starts_at: startsAt,
      ends_at: endsAt,
      made_at: by.occurredAt,
      made_by: by.actorId,
    })
    .execute()
  const after = { kind, subject, teamId, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() }
  await recordAudit(tx, {
    ...by,
    action: "alert_silence.create",
    targetKind: "alert_silence",
    targetId: id,
    reason,
    after,
  })
  return { ok: true }
}

/** Ends a silence now. */
export async function endSilence(
  tx: TenantTx,
  { id, by }: { readonly id: string; readonly by: AuditActor },
): Promise<Result<"not_found">> {
  const ended = await tx
    .updateTable("alert_silence")
    // One that has not begun ends as it would begin: an end is after the start.
    .set({ ends_at: sql<Date>`greatest(${by.occurredAt}::timestamptz, starts_at + interval '1 millisecond')` })
    .where("id", "=", id)
    .where("ends_at", ">", by.occurredAt)
    .executeTakeFirst()
  if (ended.numUpdatedRows === 0n) return { ok: false, reason: "not_found" }
  await recordAudit(tx, { ...by, action: "alert_silence.end", targetKind: "alert_silence", targetId: id })
  return { ok: true }
}

/** Sends a dead delivery again, under the same idempotency key, for another 24 hours. */
export async function resendDelivery(
  tx: TenantTx,
  { id, by }: { readonly id: string; readonly by: AuditActor },
): Promise<Result<"not_found">> {
  const again = await tx
    .updateTable("alert_delivery")
    .set({
      state: "waiting",
      queued_at: null,
      not_before: by.occurredAt,
      expires_at: new Date(by.occurredAt.getTime() + DELIVERY_MS),
    })
    .where("id", "=", id)
    .where("state", "=", "dead")
    .executeTakeFirst()
  if (again.numUpdatedRows === 0n) return { ok: false, reason: "not_found" }
  await recordAudit(tx, { ...by, action: "alert_delivery.resend", targetKind: "alert_delivery", targetId: id })
  return { ok: true }
}
