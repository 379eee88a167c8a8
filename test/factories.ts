import { randomUUID } from "node:crypto"
import { sql } from "kysely"
import type { DetectedIncident, IncidentScope } from "#server/detect/contract.ts"
import type { Json } from "#server/db/types.ts"
import { maintainPartitions } from "#server/ingest/partitions.ts"
import { countAll } from "#server/rollup/loop.ts"
import type { Evidence } from "#server/outcomes/evidence.ts"
import { maintainRollups } from "#server/rollup/retention.ts"
import { type Signal, type SignalFields, toSignal } from "#server/ingest/signal.ts"
import { identityHash, pseudonymOf } from "#server/team/pseudonyms.ts"
import type { TestDatabase } from "./db.ts"

export const NOW = new Date("2026-11-20T12:00:00Z")

let made = 0

/** A signal with boring defaults: a turn of claude-code by one person at NOW. */
export function makeSignal(fields: Partial<SignalFields> & { at?: Date; person?: string } = {}): Signal {
  const { at = NOW, person = "ada", ...rest } = fields
  made++
  return toSignal({
    observedUnixNano: BigInt(at.getTime()) * 1_000_000n,
    sourceId: `made ${made}`,
    kind: "turn",
    rung: "chat",
    agentTool: "claude-code",
    operationId: `operation-${made}`,
    identity: { kind: "email", value: emailOf(person) },
    ...rest,
  })
}

export function emailOf(person: string): string {
  return `${person}@example.com`
}

/** An organization with partitions around NOW. */
export async function makeOrganization(database: TestDatabase): Promise<string> {
  await maintainPartitions(database.worker, { now: NOW, retentionDays: 30 })
  await maintainRollups(database.worker, { now: NOW, retentionDays: 30 })
  const row = await database.owner
    .insertInto("org")
    .values({ name: "Example", pseudonym_key: Buffer.alloc(32, made) })
    .returning("id")
    .executeTakeFirstOrThrow()
  await database.owner
    .insertInto("developer")
    .values({ org_id: row.id, pseudonym: "unattributed", is_unattributed: true })
    .execute()
  return row.id
}

export async function storeSignals(database: TestDatabase, orgId: string, signals: readonly Signal[]): Promise<void> {
  await database.store.store(orgId, { signals, unrecognized: [] })
}

/** Stores signals and brings the rollups up to them, which Belay does every few seconds. */
export async function storeAndCount(database: TestDatabase, orgId: string, signals: readonly Signal[]): Promise<void> {
  await storeSignals(database, orgId, signals)
  await countAll(database.worker, NOW)
}

/** Puts a person in a team from a day on (inclusive) to a day (exclusive); the person is made when new. */
export async function joinTeam(
  database: TestDatabase,
  args: { orgId: string; person: string; teamId: string; from: string; to?: string },
): Promise<void> {
  const { owner } = database
  const org = await owner
    .selectFrom("org")
    .select("pseudonym_key")
    .where("id", "=", args.orgId)
    .executeTakeFirstOrThrow()
  const hashed = identityHash(org.pseudonym_key, { kind: "email", value: emailOf(args.person) })
  const existing = await owner
    .selectFrom("developer_identity")
    .select("developer_id as id")
    .where("org_id", "=", args.orgId)
    .where("identity_hash", "=", Buffer.from(hashed, "hex"))
    .executeTakeFirst()
  const developer =
    existing ??
    (await owner
      .insertInto("developer")
      .values({ org_id: args.orgId, pseudonym: pseudonymOf(hashed) })
      .returning("id")
      .executeTakeFirstOrThrow())
  if (existing === undefined) {
    await owner
      .insertInto("developer_identity")
      .values({
        org_id: args.orgId,
        identity_hash: Buffer.from(hashed, "hex"),
        kind: "email",
        developer_id: developer.id,
      })
      .execute()
  }
  await owner
    .insertInto("team_member")
    .values({
      org_id: args.orgId,
      developer_id: developer.id,
      team_id: args.teamId,
      valid_from: args.from,
      valid_to: args.to ?? null,
    })
    .execute()
}

/** An open incident of the whole organization that a hundred people are in. */
export async function makeIncident(
  database: TestDatabase,
  fields: {
    orgId: string
    teamId?: string
    developerId?: string
    openedAt?: Date
    startedAt?: Date
    closedAt?: Date
  } & Partial<
    Pick<
      DetectedIncident,
      | "id"
      | "kind"
      | "rung"
      | "state"
      | "cause"
      | "causes"
      | "leading"
      | "evidence"
      | "checks"
      | "changes"
      | "daily"
      | "action"
      | "recoveredAfter"
      | "fallbackTo"
      | "people"
      | "peopleAffected"
      | "note"
    > &
      Pick<IncidentScope, "client" | "model" | "language" | "mode">
  >,
): Promise<string> {
  const { orgId, openedAt = NOW, startedAt = openedAt } = fields
  const row = await database.owner
    .insertInto("incident")
    .values({
      org_id: orgId,
      id: fields.id ?? randomUUID(),
      kind: fields.kind ?? "breakage",
      rung: fields.rung ?? "agent",
      also_rungs: [],
      state: fields.state ?? "open",
      opened_at: openedAt,
      started_at: startedAt,
      started_from: startedAt,
      started_to: startedAt,
      closed_at: fields.closedAt ?? null,
      reopened: 0,
      team_id: fields.teamId ?? null,
      developer_id: fields.developerId ?? null,
      client: fields.client ?? null,
      model: fields.model ?? null,
      language: fields.language ?? null,
      mode: fields.mode ?? null,
      cause: fields.cause ?? "latency",
      causes: toJson(fields.causes ?? []),
      leading_signal: fields.leading ?? null,
      evidence: toJson(fields.evidence ?? []),
      checks: toJson(fields.checks ?? []),
      changes: toJson(fields.changes ?? []),
      daily: toJson(fields.daily ?? []),
      recovered_after: fields.recoveredAfter == null ? null : toJson(fields.recoveredAfter),
      action: fields.action ?? null,
      fallback_to: fields.fallbackTo ?? null,
      people: fields.people ?? 100,
      people_affected: fields.peopleAffected ?? 1,
      confidence: 0.9,
      note: fields.note ?? null,
      updated_at: openedAt,
    })
    .returning("id")
    .executeTakeFirstOrThrow()
  return row.id
}

/** As one text, since the driver takes a JSON array for an array of the database's. */
function toJson(value: object) {
  return sql<Json>`${JSON.stringify(value)}::text::jsonb`
}

/** A change of a code host with these operations in it, as Belay keeps it; opened at NOW, and nothing came of it yet. */
export async function makeChange(
  database: TestDatabase,
  orgId: string,
  fields: Partial<
    Record<
      | "opened_at"
      | "begun_at"
      | "first_review_at"
      | "approved_at"
      | "checked_at"
      | "closed_at"
      | "merged_at"
      | "reverted_at"
      | "abandoned_at",
      string
    > & {
      number: number
      lines_added: number
      lines_removed: number
      files_changed: number
      rounds: number
      lockFiles: number
      branch: string
      commitIds: readonly string[]
      operations: readonly string[]
      evidence: Evidence
      /** As its trailers say. */
      sessionId: string
      /** E-mail addresses of those who made its commits. */
      authors: readonly string[]
    }
  >,
): Promise<void> {
  made++
  const {
    operations = [],
    lockFiles = 0,
    evidence = "trailer",
    sessionId = null,
    authors = [],
    commitIds = [],
    ...given
  } = fields
  const { pseudonym_key } = await database.owner
    .selectFrom("org")
    .select("pseudonym_key")
    .where("id", "=", orgId)
    .executeTakeFirstOrThrow()
  const key = { org_id: orgId, provider: "github", repository: "acme/shop", number: given.number ?? made }
  await database.owner
    .insertInto("change_request")
    .values({
      branch: "branch",
      commit_ids: sql<string[]>`${commitIds}::text[]`,
      authors: sql<string[]>`${authors.map((value) => identityHash(pseudonym_key, { kind: "email", value }))}::text[]`,
      opened_at: NOW,
      reviews: 0,
      rounds: 0,
      failed_checks: 0,
      file_kinds: toJson({ source: 1, test: 0, docs: 0, generated: 0, lock_file: lockFiles }),
      updated_at: NOW,
      ...given,
      ...key,
    })
    .execute()
  if (operations.length === 0) return
  await database.owner
    .insertInto("change_operation")
    .values(
      operations.map((operation_id) => ({ ...key, operation_id, evidence, session_id: sessionId, joined_at: NOW })),
    )
    .execute()
}

export async function makeTeam(
  database: TestDatabase,
  orgId: string,
  name: string,
  parentId: string | null = null,
): Promise<string> {
  const row = await database.owner
    .insertInto("team")
    .values({ org_id: orgId, name, parent_team_id: parentId })
    .returning("id")
    .executeTakeFirstOrThrow()
  return row.id
}
