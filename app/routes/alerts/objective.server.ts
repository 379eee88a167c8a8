import { type AppLoadContext, data } from "@remix-run/node"
import { z } from "zod"
import { RUNGS } from "#sdk/ladder.ts"
import { isReadable } from "#server/alert/commands.ts"
import { previewObjective } from "#server/alert/preview.ts"
import { listObjectiveNames } from "#server/alert/queries.ts"
import { asTenant } from "#server/db/tenant.ts"
import { listTeams } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { DEFAULT_OBJECTIVES, isDefaultObjective, type Objective, OBJECTIVE_LIMITS } from "#server/slo/objectives.ts"
import { getObjective } from "#server/slo/queries.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { mayDo } from "#server/team/roles.ts"
import { parseId } from "../../lib/params.server.ts"

/** The id in the address of one that is not there yet. */
export const NEW_OBJECTIVE = "new"

/** As it is typed; what is left out of an address is as it was. */
const fieldsSchema = z.object({
  rung: z.enum(RUNGS).optional(),
  tool: z.string().max(80).optional(),
  model: z.string().max(80).optional(),
  team: z.union([z.uuid(), z.literal("")]).optional(),
  threshold: z.coerce.number().optional(),
  target: z.coerce.number().optional(),
  window: z.coerce.number().int().optional(),
  requests: z.coerce.number().int().optional(),
})

/** Fields that may be left empty: every tool, model, team. */
const NAMES: ReadonlySet<string> = new Set(["tool", "model", "team"])

/** An objective with the fields that a form or an address has; null when one of them is none. */
export function applyFields(base: Objective, form: Iterable<readonly [string, FormDataEntryValue]>): Objective | null {
  const filled = [...form].filter(([name, value]) => value !== "" || NAMES.has(name))
  const parsed = fieldsSchema.safeParse(Object.fromEntries(filled))
  if (!parsed.success) return null
  const { rung, tool, model, team, threshold, target, window, requests } = parsed.data
  const nameOr = (typed: string | undefined, was: string | null) =>
    typed === undefined ? was : typed === "" ? null : typed
  return {
    ...base,
    rung: rung ?? base.rung,
    agentTool: nameOr(tool, base.agentTool),
    model: nameOr(model, base.model),
    teamId: nameOr(team, base.teamId),
    thresholdMs: threshold ?? base.thresholdMs,
    target: target === undefined ? base.target : target / 100,
    windowDays: window ?? base.windowDays,
    requestsMin: requests ?? base.requestsMin,
  }
}

function isPossible({ thresholdMs, target }: Objective): boolean {
  const { thresholdMs: ms, target: share } = OBJECTIVE_LIMITS
  return thresholdMs >= ms.min && thresholdMs <= ms.max && target >= share.min && target <= share.max
}

/** An objective as the address changes it, with the preview of that. */
export async function loadObjective(
  viewer: Viewer,
  { id, search }: { readonly id: string | undefined; readonly search: URLSearchParams },
  context: AppLoadContext,
) {
  const now = context.now()
  const isNew = id === NEW_OBJECTIVE
  const canManage = mayDo(viewer.role, "alert_rules.manage")
  if (isNew && !canManage) throw data("Adding objectives is not part of your role", { status: 403 })
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const given = search.get("rung")
    const saved = isNew
      ? (DEFAULT_OBJECTIVES.find(({ rung }) => rung === given) ?? DEFAULT_OBJECTIVES[0] ?? null)
      : await getObjective(tx, parseId(id))
    if (saved === null) throw data("No such objective", { status: 404 })
    const objective = applyFields(saved, search)
    const readable = await findReadableTeams(tx, viewer, now)
    const teams = await listTeams(tx)
    const preview =
      objective === null || !isPossible(objective)
        ? null
        : isReadable(objective, readable)
          ? await previewObjective(tx, { objective, now })
          : { state: "withheld" as const }
    const teamId = (objective ?? saved).teamId
    return {
      isNew,
      canManage,
      isDefault: !isNew && isDefaultObjective(saved.id),
      objective: { ...(objective ?? saved), teamName: teams.find((team) => team.id === teamId)?.name ?? null },
      preview,
      names: await listObjectiveNames(tx),
      teams: teams.map((team) => ({ id: team.id, name: team.name })),
      timeZone: (await getOrganization(tx)).timeZone,
    }
  })
}
