import { data } from "@remix-run/node"
import type { PolicyDocument } from "#sdk/policy/document.ts"
import type { TenantTx } from "#server/db/tenant.ts"
import { type Draft, getDraft } from "#server/policy/drafts.ts"
import {
  findLayer,
  getTargetName,
  getVersion,
  type Layer,
  type LayerTarget,
  type PublishedVersion,
} from "#server/policy/layers.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { mayDo } from "#server/team/roles.ts"
import { parseId } from "../../lib/params.server.ts"
import type { PolicyOf } from "../../lib/paths.ts"

const NOWHERE = () => data("No such thing", { status: 404 })

/** Whom the address is about. */
export function parseTarget(params: Readonly<Record<string, string | undefined>>): LayerTarget {
  const kind = params["kind"] ?? "organization"
  if (kind === "organization" && params["id"] === undefined) return { kind }
  if (kind === "team") return { kind, teamId: parseId(params["id"]) }
  if (kind === "person") return { kind: "developer", developerId: parseId(params["id"]) }
  throw NOWHERE()
}

export function addressOf(target: LayerTarget): PolicyOf {
  if (target.kind === "organization") return { kind: "organization", id: null }
  return target.kind === "team" ? { kind: "team", id: target.teamId } : { kind: "person", id: target.developerId }
}

export function targetOf({ kind, teamId, developerId }: Layer): LayerTarget {
  if (kind === "team" && teamId !== null) return { kind, teamId }
  if (kind === "developer" && developerId !== null) return { kind, developerId }
  return { kind: "organization" }
}

export interface LoadedPolicy {
  readonly layer: Layer | null
  /** The team's or person's name; null for the organization. */
  readonly name: string | null
  readonly inForce: PublishedVersion | null
  /** For those who may change it. */
  readonly draft: Draft | null
}

/** A target's policy, for whoever may see it: a person's own is for that person and for who may change policies. */
export async function loadPolicy(tx: TenantTx, viewer: Viewer, target: LayerTarget): Promise<LoadedPolicy> {
  const isManager = mayDo(viewer.role, "policy.manage")
  if (target.kind === "developer" && !isManager) {
    const own = await listDevelopersOf(tx, viewer.accountId)
    if (!own.includes(target.developerId)) throw NOWHERE()
  }
  const layer = await findLayer(tx, target)
  const name = layer?.name ?? (await getTargetName(tx, target))
  if (target.kind !== "organization" && name === null) throw NOWHERE()
  const version = layer?.versionInForce ?? null
  return {
    layer,
    name,
    inForce: layer === null || version === null ? null : await getVersion(tx, layer.id, version),
    draft: layer === null || !isManager ? null : await getDraft(tx, layer.id),
  }
}

/** What a new policy starts with: nothing. */
export const EMPTY: PolicyDocument = { schema: "belay.policy/1" }
