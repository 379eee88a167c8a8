import { sql } from "kysely"
import { recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { PolicyLayerKind } from "../db/types.ts"
import type { PolicyActor } from "./drafts.ts"
import { release } from "./releases.ts"

/** Of the reason for an exception, and of what whoever decides says. */
export const REASON_LENGTH_MAX = 500
/** An exception is for a time: what is to last belongs into the policy. */
export const EXCEPTION_DAYS_MAX = 90

const DAY_MS = 86_400_000

export type ExceptionState = "requested" | "approved" | "refused" | "ended"

export interface ShownException {
  readonly id: string
  readonly rule: string
  /** Whose rule it lifts; null for that of every layer. */
  readonly layer: PolicyLayerKind | null
  readonly teamId: string | null
  readonly team: string | null
  readonly developerId: string | null
  readonly developer: string | null
  readonly reason: string
  readonly state: ExceptionState
  readonly requestedById: string | null
  readonly requestedBy: string | null
  readonly requestedAt: Date
  readonly decidedBy: string | null
  readonly decidedAt: Date | null
  readonly decisionNote: string | null
  readonly expiresAt: Date
}

interface ListArgs {
  /** Who looks: they see what they asked for and what is for them. Null sees everyone's. */
  readonly seenBy: { readonly accountId: string; readonly developerIds: readonly string[] } | null
  readonly states: readonly ExceptionState[]
  readonly before: { readonly requestedAt: Date; readonly id: string } | null
  readonly limit: number
}

/** Exceptions and requests for them, the newest first. */
export async function listExceptions(tx: TenantTx, args: ListArgs): Promise<readonly ShownException[]> {
  const { seenBy, states, before, limit } = args
  return selectExceptions(tx)
    .where("e.state", "in", states)
    .$if(seenBy !== null, (query) =>
      query.where((where) =>
        where.or([
          where("e.requested_by", "=", seenBy?.accountId ?? null),
          where("e.developer_id", "=", sql<string>`any(${seenBy?.developerIds ?? []}::uuid[])`),
        ]),
      ),
    )
    .$if(before !== null, (query) =>
      query.where(
        sql<boolean>`(e.requested_at, e.id) < (${before?.requestedAt ?? null}::timestamptz, ${before?.id ?? null}::uuid)`,
      ),
    )
    .orderBy("e.requested_at", "desc")
    .orderBy("e.id", "desc")
    .limit(limit)
    .execute()
}

function selectExceptions(tx: TenantTx) {
  return tx
    .selectFrom("policy_exception as e")
    .leftJoin("team as t", "t.id", "e.team_id")
    .leftJoin("developer as d", "d.id", "e.developer_id")
    .leftJoin("account as requester", "requester.id", "e.requested_by")
    .leftJoin("account as decider", "decider.id", "e.decided_by")
    .select([
      "e.id",
      "e.rule",
      "e.layer",
      "e.team_id as teamId",
      "t.name as team",
      "e.developer_id as developerId",
      "d.pseudonym as developer",
      "e.reason",
      "e.requested_by as requestedById",
      "requester.email as requestedBy",
      "e.requested_at as requestedAt",
      "decider.email as decidedBy",
      "e.decided_at as decidedAt",
      "e.decision_note as decisionNote",
      "e.expires_at as expiresAt",
    ])
    .select((select) => select.ref("e.state").$castTo<ExceptionState>().as("state"))
}

/** Whom it is for: everyone, a team or a person. */
type Scope = { readonly teamId: string | null; readonly developerId: string | null }

/** Asks for an exception from a rule, which counts once somebody approves it. */
export async function requestException(
  tx: TenantTx,
  args: Scope & {
    readonly rule: string
    readonly layer: PolicyLayerKind | null
    readonly reason: string
    readonly days: number
    readonly by: PolicyActor
  },
): Promise<{ readonly ok: true; readonly id: string } | { readonly ok: false; readonly reason: "no_such_scope" }> {
  const { by, teamId, developerId } = args
  if (!(await isOurs(tx, { teamId, developerId }))) return { ok: false, reason: "no_such_scope" }
  const expiresAt = new Date(by.occurredAt.getTime() + args.days * DAY_MS)
  const row = await tx
    .insertInto("policy_exception")
    .values({
      org_id: by.orgId,
      rule: args.rule,
      layer: args.layer,
      team_id: teamId,
      developer_id: developerId,
      reason: args.reason,
      state: "requested",
      requested_by: by.actorId,
      requested_at: by.occurredAt,
      expires_at: expiresAt,
    })
    .returning("id")
    .executeTakeFirstOrThrow()
  await recordAudit(tx, {
    ...by,
    action: "policy.exception_request",
    ...on(row.id),
    after: { rule: args.rule, expires: expiresAt.toISOString() },
    reason: args.reason,
  })
  return { ok: true, id: row.id }
}

/** A foreign key does not know about tenants. */
async function isOurs(tx: TenantTx, { teamId, developerId }: Scope): Promise<boolean> {
  if (teamId !== null) {
    return (await tx.selectFrom("team").select("id").where("id", "=", teamId).executeTakeFirst()) !== undefined
  }
  if (developerId === null) return true
  const person = await tx.selectFrom("developer").select("id").where("id", "=", developerId).executeTakeFirst()
  return person !== undefined
}

export type ExceptionDecided =
  | { readonly ok: true; readonly release: number | null }
  | { readonly ok: false; readonly reason: "not_found" | "decided" | "own_request" | "over" }

interface DecisionArgs {
  readonly id: string
  readonly note: string | null
  readonly by: PolicyActor
}

/** Approves or refuses a request. Nobody approves what they asked for themselves. */
export async function decideException(
  tx: TenantTx,
  { id, note, by, isApproved }: DecisionArgs & { readonly isApproved: boolean },
): Promise<ExceptionDecided> {
  const found = await lockException(tx, id)
  if (found === undefined) return { ok: false, reason: "not_found" }
  if (found.state !== "requested") return { ok: false, reason: "decided" }
  if (isApproved && found.requested_by === by.actorId) return { ok: false, reason: "own_request" }
  if (isApproved && found.expires_at <= by.occurredAt) return { ok: false, reason: "over" }
  await settle(tx, { id, note, by, state: isApproved ? "approved" : "refused" })
  await recordAudit(tx, {
    ...by,
    action: isApproved ? "policy.exception_approve" : "policy.exception_refuse",
    ...on(id),
    after: { rule: found.rule },
    reason: note,
  })
  return { ok: true, release: isApproved ? await release(tx, { by, cause: "exception", exceptionId: id }) : null }
}

/** Ends an exception before its time. */
export async function endException(tx: TenantTx, { id, note, by }: DecisionArgs): Promise<ExceptionDecided> {
  const found = await lockException(tx, id)
  if (found === undefined) return { ok: false, reason: "not_found" }
  if (found.state !== "approved") return { ok: false, reason: "decided" }
  await settle(tx, { id, note, by, state: "ended" })
  await recordAudit(tx, {
    ...by,
    action: "policy.exception_end",
    ...on(id),
    before: { rule: found.rule, expires: found.expires_at.toISOString() },
    reason: note,
  })
  return { ok: true, release: await release(tx, { by, cause: "exception", exceptionId: id }) }
}

function lockException(tx: TenantTx, id: string) {
  return tx
    .selectFrom("policy_exception")
    .select(["state", "rule", "requested_by", "expires_at"])
    .where("id", "=", id)
    .forUpdate()
    .executeTakeFirst()
}

async function settle(tx: TenantTx, args: DecisionArgs & { readonly state: ExceptionState }): Promise<void> {
  await tx
    .updateTable("policy_exception")
    .set({
      state: args.state,
      decided_by: args.by.actorId,
      decided_at: args.by.occurredAt,
      decision_note: args.note,
    })
    .where("id", "=", args.id)
    .execute()
}

function on(id: string) {
  return { targetKind: "policy_exception", targetId: id } as const
}
