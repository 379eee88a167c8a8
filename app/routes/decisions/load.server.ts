import { type AppLoadContext, data } from "@remix-run/node"
import { RUNGS } from "#sdk/ladder.ts"
import { EFFECTS } from "#sdk/policy/vocabulary.ts"
import { asTenant } from "#server/db/tenant.ts"
import {
  type DecisionFilter,
  type DecisionPage,
  type DecisionRow,
  describeRules,
  listDecidingTools,
  listDecisions,
  type RuleThen,
} from "#server/policy/decisions.ts"
import { listTeams } from "#server/rungs/queries.ts"
import type { Viewer } from "#server/sign-in/sessions.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { plural } from "../../lib/format.ts"
import { dayAgo } from "../../lib/range.ts"
import { BECAUSES, PERIODS } from "./choices.ts"

export interface ShownDecision extends DecisionRow {
  /** What the rule said when it decided; null when none did, and when it cannot be told. */
  readonly ruleThen: RuleThen | null
}

/** What the filters of the URL say. A word that there is none of is not filtered by. */
export function parseFilter(search: URLSearchParams): DecisionFilter {
  const text = (name: string) => search.get(name)?.trim().slice(0, 120) || undefined
  return {
    effect: EFFECTS.find((effect) => effect === search.get("effect")),
    because: BECAUSES.find((because) => because === search.get("because")),
    rung: RUNGS.find((rung) => rung === search.get("rung")),
    rule: text("rule"),
    action: text("action"),
    agentTool: text("tool"),
  }
}

/** Decisions as the URL asks for them, of what the viewer may read. */
export async function loadDecisions(viewer: Viewer, search: URLSearchParams, context: AppLoadContext, limit: number) {
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { timeZone, minGroupSize } = await getOrganization(tx)
    const readable = await findReadableTeams(tx, viewer, now)
    const teams = (await listTeams(tx)).filter((team) => readable.teamIds.includes(team.id))
    const wanted = search.get("team")
    const found = teams.find((team) => team.id === wanted) ?? null
    // Another organization's team, one that is not theirs to read and one that never was are answered alike.
    if (wanted !== null && wanted !== "" && found === null) throw data("No such team", { status: 404 })
    const team = found ?? (readable.organization ? null : (teams[0] ?? null))
    const mayRead = readable.organization || team !== null
    const period = PERIODS.find(({ value }) => value === search.get("range")) ?? PERIODS[2]
    const filter = parseFilter(search)
    const number = Number(search.get("page") ?? "1")
    const page = Number.isSafeInteger(number) && number > 0 && number < 10_000 ? number : 1
    const scope = {
      from: dayAgo(period.days - 1, now, timeZone),
      to: new Date(now.getTime() + 1),
      timeZone,
      teamId: team?.id ?? null,
      bucket: period.days <= 2 ? ("hour" as const) : ("day" as const),
      filter,
    }
    const listed = mayRead ? await listDecisions(tx, { ...scope, offset: (page - 1) * limit, limit }) : NOTHING
    const { rows, ...totals } = listed
    const rules = await describeRules(tx, rows.flatMap(toDecidingRule))
    return {
      now,
      timeZone,
      minGroupSize,
      mayRead,
      period: period.value,
      isByHour: scope.bucket === "hour" && scope.teamId === null,
      teams,
      canReadOrganization: readable.organization,
      teamId: team?.id ?? null,
      tools: await listDecidingTools(tx),
      hasOwn: (await listDevelopersOf(tx, viewer.accountId)).length > 0,
      filter,
      isFiltered: Object.values(filter).some((value) => value !== undefined),
      page,
      pages: Math.max(1, Math.ceil(totals.total / limit)),
      ...totals,
      sentence: describeDecisions(totals, period.words, team?.name ?? null),
      rows: rows.map((row): ShownDecision => ({
        ...row,
        ruleThen:
          rules.find(
            (rule) => rule.rule === row.rule && rule.layer === row.layer && rule.policyVersion === row.policyVersion,
          ) ?? null,
      })),
    }
  })
}

const NOTHING: DecisionPage = { rows: [], total: 0, denied: 0, asked: 0, allowed: 0, withheldBuckets: 0 }

function toDecidingRule({ rule, layer, policyVersion }: DecisionRow) {
  return rule === null || layer === null || policyVersion === null ? [] : [{ rule, layer, policyVersion }]
}

function describeDecisions(
  { denied, asked, allowed, total }: Omit<DecisionPage, "rows">,
  when: string,
  team: string | null,
): string {
  const where = team === null ? "" : ` in ${team}`
  if (total === 0) return `No decision of a policy is to be shown${where} ${when}.`
  return `Policies stopped ${plural(denied, "call")}, asked first ${plural(asked, "time")} and allowed ${plural(allowed, "call")}${where} ${when}.`
}

export type DecisionsData = Awaited<ReturnType<typeof loadDecisions>>
