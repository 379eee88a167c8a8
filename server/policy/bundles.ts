import { sql } from "kysely"
import type { PolicyBundle, PolicyException } from "#sdk/policy/document.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { PolicyLayerKind } from "../db/types.ts"
import { getToday } from "../team/queries.ts"
import { toDocument } from "./layers.ts"
import { currentRelease } from "./releases.ts"

/** What is in force in an organization, ready to be put together for any of its people. */
export interface PoliciesInForce {
  /** The number of the last change; 0 when nothing was ever published. */
  readonly release: number
  readonly layers: readonly LayerInForce[]
  /** With whom they are for. */
  readonly exceptions: readonly PolicyException[]
  /** The team of a person, and the one that it is a part of. */
  readonly teamsOf: ReadonlyMap<string, readonly string[]>
}

export interface LayerInForce {
  readonly id: string
  readonly kind: PolicyLayerKind
  readonly teamId: string | null
  readonly developerId: string | null
  readonly version: number
  readonly document: PolicyBundle["layers"][number]["document"]
}

/** Reads what is in force; teams are those of today. */
export async function readPolicies(tx: TenantTx, now: Date): Promise<PoliciesInForce> {
  const today = await getToday(tx, now)
  const layers = await tx
    .selectFrom("policy_layer as l")
    .innerJoin("policy_version as v", (join) =>
      join.onRef("v.layer_id", "=", "l.id").onRef("v.version", "=", "l.version_in_force"),
    )
    .select(["l.id", "l.kind", "l.team_id as teamId", "l.developer_id as developerId", "v.version", "v.document"])
    .orderBy("l.id")
    .execute()
  const members = await sql<{ developerId: string; teamId: string; parentId: string | null }>`
    select m.developer_id as "developerId", t.id as "teamId", t.parent_team_id as "parentId"
    from team_member m join team t on t.id = m.team_id
    where m.valid_from <= ${today}::date and (m.valid_to is null or m.valid_to > ${today}::date)`.execute(tx)
  return {
    release: await currentRelease(tx),
    layers: layers.map((layer) => ({ ...layer, document: toDocument(layer.document) })),
    exceptions: await listExceptionsInForce(tx, now),
    teamsOf: new Map(
      members.rows.map(({ developerId, teamId, parentId }) => [
        developerId,
        parentId === null ? [teamId] : [parentId, teamId],
      ]),
    ),
  }
}

async function listExceptionsInForce(tx: TenantTx, now: Date): Promise<readonly PolicyException[]> {
  const rows = await tx
    .selectFrom("policy_exception as e")
    .leftJoin("account as decider", "decider.id", "e.decided_by")
    .select(["e.id", "e.rule", "e.layer", "e.team_id as teamId", "e.developer_id as developerId", "e.reason"])
    .select(["decider.email as approver", "e.expires_at as expiresAt"])
    .where("e.state", "=", "approved")
    .where("e.expires_at", ">", now)
    .orderBy("e.id")
    .execute()
  return rows.map(({ id, rule, layer, teamId, developerId, reason, approver, expiresAt }) => ({
    id,
    rule,
    ...(layer !== null && { layer }),
    scope:
      teamId !== null
        ? { kind: "team", id: teamId }
        : developerId !== null
          ? { kind: "person", id: developerId }
          : { kind: "organization" },
    reason,
    // Whoever approved it may be gone since.
    approver: approver ?? "a former member",
    expiresAt: expiresAt.toISOString(),
  }))
}

/**
 * What binds a person: the organization's policy, that of their team and of the team which that is a part of, and their
 * own. With null, for somebody of whom nothing is known, the organization's alone. Null while nothing is published that
 * binds them.
 */
export function bundleOf(policies: PoliciesInForce, developerId: string | null): PolicyBundle | null {
  return bundleOfTeams(policies, teamsOf(policies, developerId), developerId)
}

/** What binds a person of these teams, the wider first. */
export function bundleOfTeams(
  policies: PoliciesInForce,
  teams: readonly string[],
  developerId: string | null,
): PolicyBundle | null {
  if (policies.release === 0) return null
  const layers = layersOf(policies, teams, developerId)
  const exceptions = policies.exceptions.filter(
    ({ scope }) =>
      scope.kind === "organization" || (scope.kind === "team" ? teams.includes(scope.id) : scope.id === developerId),
  )
  return {
    version: policies.release,
    layers: layers.map(({ kind, version, document }) => ({ layer: kind, version, document })),
    ...(exceptions.length > 0 && { exceptions: [...exceptions] }),
  }
}

/** The layers that bind a person; of two teams the wider one's first. */
export function layersOf(
  policies: PoliciesInForce,
  teams: readonly string[],
  developerId: string | null,
): readonly LayerInForce[] {
  return (
    policies.layers
      .filter(
        (layer) =>
          layer.kind === "organization" ||
          (layer.teamId !== null && teams.includes(layer.teamId)) ||
          (layer.developerId !== null && layer.developerId === developerId),
      )
      // The wider team first.
      .toSorted((a, b) => teams.indexOf(a.teamId ?? "") - teams.indexOf(b.teamId ?? ""))
  )
}

/** The teams of a person, the wider first. */
export function teamsOf(policies: PoliciesInForce, developerId: string | null): readonly string[] {
  return developerId === null ? [] : (policies.teamsOf.get(developerId) ?? [])
}
