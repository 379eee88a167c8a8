import { randomUUID } from "node:crypto"
import { sql } from "kysely"
import { expect } from "vitest"
import { readAlerts, recordAlertEvents, saveAlerts } from "#server/alert/alert-row.ts"
import {
  acknowledgeAlert,
  addRoute,
  addSilence,
  endSilence,
  labelAlert,
  noteTest,
  readChannel,
  removeChannel,
  removeRoute,
  resendDelivery,
  resolveAlert,
  setChannel,
} from "#server/alert/commands.ts"
import { evaluateRules, holdAlerts } from "#server/alert/evaluate.ts"
import { findLatency } from "#server/alert/latency.ts"
import { previewObjective } from "#server/alert/preview.ts"
import {
  findIncidentAlert,
  getAlert,
  getAlertTimes,
  listAlerts,
  listChannels,
  listDeliveries,
  listObjectiveNames,
  listRoutes,
  listSilences,
} from "#server/alert/queries.ts"
import { findByRule } from "#server/alert/rule-findings.ts"
import { listRules, setRule } from "#server/alert/rule-store.ts"
import { DEFAULT_RULES, RULE_KINDS } from "#server/alert/rules.ts"
import { readTelling, tell } from "#server/alert/tell.ts"
import type { AuditActor } from "#server/audit/commands.ts"
import { asTenant, type TenantTx } from "#server/db/tenant.ts"
import { removeObjective, setObjective } from "#server/slo/commands.ts"
import { DEFAULT_OBJECTIVES, scopeKey } from "#server/slo/objectives.ts"
import { getObjective, listObjectives } from "#server/slo/queries.ts"
import { findShownScopes, readBudgets, readHistograms, readSlowCounts } from "#server/slo/readings.ts"
import type { TestDatabase } from "../db.ts"
import { NOW } from "../factories.ts"

/** What alerts add to the test of tenancy, which lists them with all others. */

const SCOPE = { rung: "chat", agentTool: null, model: "xanadu", teamId: null } as const
const OBJECTIVE = {
  ...SCOPE,
  teamName: null,
  id: null,
  thresholdMs: 1,
  target: 0.5,
  windowDays: 7,
  requestsMin: 1,
  isEnabled: true,
}
const RULE = { ...DEFAULT_RULES.budget, settings: { thresholds: [0.5] } }
const ANSWER = { status: 200, body: "ours", error: null, durationMs: 7, isRefused: false }
const SILENCE = { kind: null, subject: "xanadu", teamId: null, reason: "xanadu", startsAt: NOW }

function channelOf(name: string, secret: string) {
  const settings = { url: "https://example.com/", secret }
  return { id: null, kind: "webhook" as const, name, settings, isPrivateAllowed: false, isEnabled: true }
}

/** A row in every table of alerts; its ids. */
export async function makeAlerts({ app, owner }: TestDatabase, by: AuditActor, secret: string) {
  const { orgId } = by
  const made = await asTenant(app, orgId, async (tx) => {
    const objective = await setObjective(tx, { objective: OBJECTIVE, by })
    await setRule(tx, { rule: RULE, by })
    const channel = await setChannel(tx, { channel: channelOf("xanadu", "xanadu, xanadu, xanadu"), secret, by })
    await addSilence(tx, { silence: { ...SILENCE, endsAt: new Date(NOW.getTime() + 1000) }, by })
    return { objectiveId: objective.ok ? objective.id : "", channelId: channel.ok ? channel.id : "" }
  })
  await evaluateRules(app, { orgId, at: new Date(NOW.getTime() + 1000), isWhole: true })
  const first = (table: "alert" | "alert_route" | "alert_silence" | "alert_delivery") =>
    owner.selectFrom(table).select("id").where("org_id", "=", orgId).executeTakeFirstOrThrow()
  const [alert, route, silence, delivery] = [
    await first("alert"),
    await first("alert_route"),
    await first("alert_silence"),
    await first("alert_delivery"),
  ]
  return {
    orgId,
    ...made,
    alertId: alert.id,
    routeId: route.id,
    silenceId: silence.id,
    deliveryId: delivery.id,
  }
}

/** What every query and command of alerts does with another organization's ids. */
export function alertCalls(
  x: Awaited<ReturnType<typeof makeAlerts>> & { readonly teamId: string },
  by: AuditActor,
  secret: string,
): Record<string, (tx: TenantTx) => Promise<unknown>> {
  const { orgId } = by
  const alert = { id: x.alertId, readable: null, by }
  const readable = { organization: true, teamIds: [x.teamId] }
  const NOT_FOUND = { ok: false, reason: "not_found" }
  const refused = async (result: Promise<unknown>) => {
    expect(await result).toEqual(NOT_FOUND)
  }
  return {
    listObjectives: async (tx) => {
      expect(await listObjectives(tx)).toHaveLength(DEFAULT_OBJECTIVES.length)
    },
    getObjective: (tx) => getObjective(tx, x.objectiveId),
    setObjective: (tx) =>
      refused(setObjective(tx, { objective: { ...OBJECTIVE, id: x.objectiveId, model: "ours" }, by })),
    removeObjective: (tx) => refused(removeObjective(tx, { id: x.objectiveId, by })),
    readHistograms: async (tx) => {
      expect((await readHistograms(tx, { scopes: [SCOPE], at: NOW })).get(scopeKey(SCOPE))).toBeUndefined()
    },
    findShownScopes: (tx) => findShownScopes(tx, { scopes: [SCOPE], at: NOW }).then((shown) => [...shown]),
    readBudgets: async (tx) => {
      const [objective] = DEFAULT_OBJECTIVES
      const read = await readBudgets(tx, { objectives: objective === undefined ? [] : [objective], at: NOW })
      expect([...read.values()]).toEqual([{ requests: 0, slow: 0 }])
    },
    readSlowCounts: async (tx) => {
      const objective = { ...OBJECTIVE, id: x.objectiveId }
      const range = { from: new Date(NOW.getTime() - 86_400_000), to: new Date(NOW.getTime() + 86_400_000) }
      expect((await readSlowCounts(tx, { objective, table: "hour", ...range })).size).toBe(0)
    },
    previewObjective: async (tx) => {
      const objective = { ...OBJECTIVE, id: x.objectiveId }
      expect(await previewObjective(tx, { objective, now: NOW })).toEqual({ state: "no_data" })
    },
    listAlerts: (tx) => listAlerts(tx, { readable, state: "any", before: null, limit: 10 }),
    getAlertTimes: async (tx) => {
      expect(await getAlertTimes(tx, { readable, now: NOW })).toMatchObject({ open: 0, opened: 0 })
    },
    getAlert: (tx) => getAlert(tx, { id: x.alertId, readable }),
    findIncidentAlert: (tx) => findIncidentAlert(tx, { incidentId: x.alertId, readable }),
    listDeliveries: (tx) => listDeliveries(tx, { alertId: x.alertId }),
    listChannels: (tx) => listChannels(tx),
    listRoutes: (tx) => listRoutes(tx),
    listSilences: (tx) => listSilences(tx, NOW),
    listObjectiveNames: (tx) => listObjectiveNames(tx),
    findLatency: async (tx) => {
      const found = await findLatency(tx, { objectives: DEFAULT_OBJECTIVES, at: NOW, alerts: new Map() })
      expect(found.map(({ verdict }) => verdict)).toEqual(["unknown", "unknown", "unknown", "unknown"])
    },
    findByRule: async (tx) => {
      for (const kind of RULE_KINDS) {
        const found = await findByRule(tx, DEFAULT_RULES[kind], { orgId: x.orgId, at: NOW })
        expect(found.filter(({ verdict }) => verdict === "firing")).toEqual([])
      }
    },
    listRules: async (tx) => {
      expect(await listRules(tx)).toEqual(Object.values(DEFAULT_RULES))
    },
    setRule: (tx) => setRule(tx, { rule: DEFAULT_RULES.canary, by }),
    readAlerts: (tx) => readAlerts(tx, sql`true`),
    saveAlerts: (tx) => saveAlerts(tx, orgId, []),
    recordAlertEvents: (tx) => recordAlertEvents(tx, orgId, []).then((events) => events.size),
    holdAlerts: (tx) => holdAlerts(tx, orgId),
    readTelling: async (tx) => {
      const { routes, silences, grouped } = await readTelling(tx, orgId, NOW)
      return { routes, silences, grouped: grouped.size }
    },
    tell: async (tx) => tell(tx, await readTelling(tx, orgId, NOW), [], NOW),
    acknowledgeAlert: (tx) => refused(acknowledgeAlert(tx, alert)),
    resolveAlert: (tx) => refused(resolveAlert(tx, alert)),
    labelAlert: (tx) => refused(labelAlert(tx, { ...alert, cause: "other" })),
    setChannel: (tx) =>
      refused(
        setChannel(tx, { channel: { ...channelOf("ours", "ours, ours, ours, ours"), id: x.channelId }, secret, by }),
      ),
    removeChannel: (tx) => refused(removeChannel(tx, { id: x.channelId, by })),
    readChannel: (tx) => readChannel(tx, { id: x.channelId, orgId, secret }),
    noteTest: async (tx) => {
      await noteTest(tx, { id: randomUUID(), answer: ANSWER, by })
    },
    addRoute: (tx) =>
      refused(addRoute(tx, { route: { channelId: x.channelId, teamId: x.teamId, severity: null, quiet: null }, by })),
    removeRoute: (tx) => refused(removeRoute(tx, { id: x.routeId, by })),
    addSilence: async (tx) => {
      const silence = { ...SILENCE, subject: "ours", reason: "ours", endsAt: new Date(NOW.getTime() + 1000) }
      expect(await addSilence(tx, { silence, by })).toEqual({ ok: true })
    },
    endSilence: (tx) => refused(endSilence(tx, { id: x.silenceId, by })),
    resendDelivery: (tx) => refused(resendDelivery(tx, { id: x.deliveryId, by })),
  }
}
