import { readdir, readFile } from "node:fs/promises"
import path from "node:path"
import { sql } from "kysely"
import { expect } from "vitest"
import type { PolicyDocument } from "#sdk/policy/document.ts"
import { compilePolicy } from "#sdk/policy/compile.ts"
import { recordAudit } from "#server/audit/commands.ts"
import { getAuditExport, listAuditActions, listAuditEntries } from "#server/audit/queries.ts"
import { asTenant, type TenantTx } from "#server/db/tenant.ts"
import {
  acceptAsNormal,
  acknowledgeIncident,
  declineNewNormal,
  labelIncident,
  noteOnIncident,
  reopenIncident,
} from "#server/detect/commands.ts"
import {
  countCurrentIncidents,
  countDaysOfData,
  getIncident,
  listIncidents,
  listSimilarIncidents,
} from "#server/detect/queries.ts"
import { getTrackRecord } from "#server/detect/track-record.ts"
import { detectAll } from "#server/detect/loop.ts"
import { getRollupProgress, listHourLatency, listStorage } from "#server/rollup/queries.ts"
import {
  getIntake,
  listLatestArrivals,
  listProcesses,
  listToolArrivals,
  listUnknownNames,
  listUnrecognized,
} from "#server/ingest/queries.ts"
import { writeMeter } from "#server/ingest/meter-log.ts"
import { createMeter } from "#server/ingest/meter.ts"
import { joinByCommit, recordChangeEvents } from "#server/outcomes/changes.ts"
import { concludeJoins } from "#server/outcomes/conclude.ts"
import { recordDelivery } from "#server/outcomes/deliveries.ts"
import {
  listWebhookDeliveries,
  listWebhookEndpoints,
  makeWebhookSecret,
  noteRefusedDelivery,
  readIdentify,
  readWebhookSecrets,
} from "#server/outcomes/endpoints.ts"
import type { ChangeEvent } from "#server/outcomes/events.ts"
import { countJoins, getTaskLife, listRungOutcomes, listRungSurvival } from "#server/outcomes/queries.ts"
import { noteNews, readNewsMark } from "#server/outcomes/news.ts"
import { placeJoinedOperations } from "#server/outcomes/place.ts"
import { recordReportedOutcomes } from "#server/outcomes/reported.ts"
import { getChanges, getJoinShares, getReviewLimit, listOwnChanges } from "#server/outcomes/review-queries.ts"
import { listKnownOutcomes, markSettled } from "#server/outcomes/settle.ts"
import { getTaskFunnels } from "#server/outcomes/task-queries.ts"
import { readPolicies } from "#server/policy/bundles.ts"
import { findByEnduser, findByEndusers, listClients, noteClient } from "#server/policy/clients.ts"
import { countStandings, getConvergence, listReach } from "#server/policy/coverage.ts"
import {
  discardDraft,
  getDraft,
  inForce,
  lockDraft,
  rebaseDraft,
  saveDraft,
  submitDraft,
} from "#server/policy/drafts.ts"
import { decideException, endException, listExceptions, requestException } from "#server/policy/exceptions.ts"
import {
  findLayer,
  getLayer,
  getTargetName,
  getVersion,
  listLayers,
  listVersions,
  lockLayer,
} from "#server/policy/layers.ts"
import { describeRules, listDecidingTools, listDecisions, listOwnDecisions } from "#server/policy/decisions.ts"
import { approveSuggestion, dismissSuggestion, listSuggestions } from "#server/policy/suggestions.ts"
import { publishDraft, rollBack } from "#server/policy/publish.ts"
import { currentRelease, release } from "#server/policy/releases.ts"
import { listSigningKeys, readSigningKeys, rotateSigningKey } from "#server/policy/signing-keys.ts"
import {
  getDoseResponse,
  getFirstTokens,
  getLatency,
  listMarkedChanges,
  listModelLatency,
  listToolLatency,
} from "#server/latency/queries.ts"
import { readFigures } from "#server/rungs/figures.ts"
import { getMoves, getOwnRung } from "#server/rungs/move-queries.ts"
import { getFreshness, getLadder, listTeams } from "#server/rungs/queries.ts"
import { createLink } from "#server/sign-in/links.ts"
import { decideUnderBudgets, prepareBudgets, readBudgetStates } from "#server/spend/decide.ts"
import {
  listOpenNames,
  listPrices,
  listSetPrices,
  priceNames,
  readPriceTable,
  setPrice,
} from "#server/spend/price-table.ts"
import { listBudgets, listOwnBudgets } from "#server/spend/queries.ts"
import { recountAll } from "#server/spend/loop.ts"
import { budgetsMark } from "#server/spend/recount.ts"
import { addPeriods, type BudgetOf, countNewBudgets, readStandings, recordCrossings } from "#server/spend/standing.ts"
import {
  getUse,
  listCallSizes,
  listDisclosedNodes,
  listTeamDays,
  listUnpricedModels,
  listUse,
} from "#server/spend/use.ts"
import { getLoops } from "#server/outcomes/loop-queries.ts"
import { getChangeCosts } from "#server/usage/cost-queries.ts"
import { getActivePeople, getCoverage, getSpend, listActiveDays, listWeekSeats } from "#server/usage/queries.ts"
import { pricesOf } from "#server/usage/work.ts"
import { getWork } from "#server/usage/work-queries.ts"
import { createAccount } from "#server/team/bootstrap.ts"
import {
  closeBreakGlass,
  listBreakGlass,
  markTold,
  openBreakGlass,
  useBreakGlass as viewBrokenGlass,
} from "#server/team/break-glass.ts"
import {
  claimIdentity,
  listDevelopersOf,
  listMergedIdentities,
  listUnknownIdentities,
  mergeIdentity,
  separateIdentity,
} from "#server/team/identities.ts"
import { planImport } from "#server/team/import.ts"
import {
  createIngestKey,
  hasIngestKey,
  listIngestKeys,
  revokeIngestKey,
  rotateIngestKey,
} from "#server/team/ingest-keys.ts"
import { getReportedPolicy, listAccesses, listOwnSignals } from "#server/team/own-data.ts"
import {
  addPerson,
  changeRole,
  getPerson,
  getUserId,
  listPeople,
  moveToTeam,
  removePerson,
  selectPeople,
  setManagedTeams,
} from "#server/team/people.ts"
import { getOrganization, getToday } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { getSettings, listGroupMappings, mapGroup, saveSettings, unmapGroup } from "#server/team/settings.ts"
import { changeTeam, createTeam, deleteTeam, listTeamTree } from "#server/team/teams.ts"
import { changeView, deleteView, saveView } from "#server/view/commands.ts"
import { setChannelDigest, setOwnDigest } from "#server/digest/commands.ts"
import { readDigest } from "#server/digest/digest.ts"
import { getDigestWishes } from "#server/digest/queries.ts"
import { listSavedViews } from "#server/view/queries.ts"
import { type TestDatabase, test } from "../db.ts"
import { alertCalls, makeAlerts } from "./alert-calls.ts"
import {
  joinTeam,
  makeIncident,
  makeOrganization,
  makeSignal,
  makeTeam,
  NOW,
  storeAndCount,
  storeSignals,
} from "../factories.ts"

const TODAY = "2026-11-20"
const LATER = new Date(NOW.getTime() + 86_400_000)
const WEEK_MS = 7 * 86_400_000
const PROCESS = "00000000-0000-4000-8000-000000000009"
const SECRET = "only for tests, and long enough for it"
const POLICY: PolicyDocument = {
  schema: "belay.policy/1",
  description: "xanadu",
  budgets: [{ id: "xanadu", scope: "team", period: "month", limit: { unit: "tokens", amount: 1 }, hard: "deny" }],
}
const PRICE = { inputUsd: 1, cachedUsd: null, cacheWriteUsd: null, outputUsd: 1 }
const PERIOD = { startsAt: new Date("2026-11-01T00:00:00Z"), endsAt: new Date("2026-12-01T00:00:00Z") }
const CHANGE: ChangeEvent = {
  kind: "state",
  repository: "xanadu",
  number: 7,
  at: NOW.toISOString(),
  openedAt: NOW.toISOString(),
  closedAt: NOW.toISOString(),
  mergedAt: NOW.toISOString(),
  branch: "xanadu",
  headCommit: "abcdef0".padEnd(40, "0"),
  mergeCommit: null,
  linesAdded: null,
  linesRemoved: null,
  filesChanged: null,
  operations: ["blo1~2~xanadu"],
  revertsNumbers: [],
  reverts: [],
}
const OURS: ChangeEvent = { ...CHANGE, repository: "ours", branch: "ours", operations: [] }
const REPORTED = { id: "xanadu", operation: "blo1~2~xanadu", outcome: "merged", origin: "human" } as const
const SURVIVED = {
  id: "xanadu survived",
  operation: "blo1~2~xanadu",
  outcome: "survived",
  at: NOW.toISOString(),
  survival: { after: "merge", commit: "a".repeat(40), lines: 7, standing: 7, revertedAt: null },
} as const
const KEY = { name: "xanadu", scopes: ["ingest" as const], teamId: null, agentTool: null, expiresAt: null }

function actorOf(orgId: string, actorId: string) {
  return { orgId, actorId, actorEmail: "somebody@example.org", occurredAt: NOW, requestId: "request" }
}

/** An organization with a row in every table that has any, whose every name says xanadu. */
async function makeXanadu(database: TestDatabase) {
  const { owner } = database
  const orgId = await makeOrganization(database)
  await owner.updateTable("org").set({ name: "xanadu" }).where("id", "=", orgId).execute()
  const email = "xanadu@example.com"
  const account = await createAccount(owner, { orgId, email, name: "xanadu", role: "owner", password: "not used here" })
  const { accountId } = account
  const by = actorOf(orgId, accountId)
  const teamId = await makeTeam(database, orgId, "xanadu")
  await joinTeam(database, { orgId, person: "xanadu", teamId, from: "2026-01-01" })
  const laptop = { identity: { kind: "installation" as const, value: "xanadu" } }
  await storeAndCount(database, orgId, [
    makeSignal({ person: "xanadu", model: "xanadu", latencyMs: 7, outcome: "accepted", origin: "human" }),
  ])
  await detectAll({ db: database.worker, now: LATER })
  await storeAndCount(database, orgId, [
    makeSignal({ person: "xanadu", kind: "suggestion", rung: "autocomplete", operationId: "xanadu" }),
    makeSignal({ person: "xanadu", kind: "model_call", model: "xanadu", inputTokens: 7 }),
    makeSignal({ person: "xanadu", operationId: "xanadu" }),
    makeSignal({ person: "xanadu", operationId: "xanadu", kind: "outcome", action: "commit abcdef0" }),
    makeSignal({
      person: "xanadu",
      kind: "outcome",
      operationId: null,
      sessionId: "xanadu",
      action: `branch ${"a".repeat(32)}`,
    }),
    makeSignal({ person: "xanadu", kind: "policy_decision", action: "xanadu", policyEffect: "deny" }),
  ])
  await storeSignals(database, orgId, [
    makeSignal({
      person: "xanadu",
      model: "xanadu",
      agentVersion: "1.0",
      action: "xanadu",
      policyVersion: 7,
      outcome: "accepted",
    }),
    makeSignal({ ...laptop, model: "xanadu" }),
  ])
  const values = { org_id: orgId, dialect: "xanadu", otlp_signal: "logs", name: "xanadu", count: 1 }
  await owner.insertInto("unrecognized_item").values(values).execute()
  const meter = createMeter(() => NOW)
  meter.request(orgId, "malformed")
  meter.received(orgId, { rejected: [], unrecognized: [], late: 7, tools: [{ agentTool: "claude-code", count: 1 }] })
  await writeMeter({ db: database.worker, meter, processId: PROCESS, now: () => NOW }, NOW)
  const identity = await owner
    .selectFrom("developer_identity")
    .select("developer_id as id")
    .where("kind", "=", "installation")
    .executeTakeFirstOrThrow()
  const incidentId = await makeIncident(database, { orgId, teamId, model: "xanadu", action: "xanadu" })
  const said = { org_id: orgId, incident_id: incidentId, at: NOW }
  await owner
    .insertInto("incident_event")
    .values({ ...said, kind: "opened", is_by_detector: true, details: {} })
    .execute()
  await owner
    .insertInto("incident_label")
    .values({ ...said, account_id: accountId, is_real: true, comment: "xanadu" })
    .execute()
  const person = await owner
    .selectFrom("account")
    .select("developer_id as id")
    .where("id", "=", accountId)
    .executeTakeFirstOrThrow()
  const made = await asTenant(database.app, orgId, async (tx) => {
    const key = await createIngestKey(tx, { ...KEY, by })
    await mapGroup(tx, { name: "xanadu", role: "admin", teamId, by })
    await setManagedTeams(tx, { accountId, teamIds: [teamId], by })
    await createLink(tx, { accountId, purpose: "invitation", by })
    const access = await openBreakGlass(tx, { accountId, reason: "xanadu, xanadu", minutes: 60, by })
    await recordAudit(tx, { ...by, action: "xanadu", targetKind: "xanadu", reason: "xanadu" })
    const group = (await listGroupMappings(tx))[0]
    await setOwnDigest(tx, { accountId, isWanted: true, by })
    const view = await saveView(tx, { accountId, name: "xanadu", path: "/?team=xanadu", isShared: true, by })
    const target = { kind: "team" as const, teamId }
    await saveDraft(tx, { target, revision: null, document: POLICY, by })
    await publishDraft(tx, { target, revision: 1, note: "xanadu", by })
    await setPrice(tx, { model: "xanadu", provider: "xanadu", validFrom: TODAY, price: PRICE, by })
    const draft = await saveDraft(tx, { target, revision: null, document: POLICY, by })
    await readSigningKeys(tx, { orgId, secret: SECRET, now: NOW })
    const asked = { rule: "xanadu", layer: null, teamId, developerId: null, reason: "xanadu", days: 7, by }
    const exception = await requestException(tx, asked)
    await dismissSuggestion(tx, { id: "xanadu", isDismissed: true, by })
    const said = { id: "xanadu", agentTool: "xanadu", agentVersion: null, belayVersion: null, canary: null }
    const report = { ...said, state: "none" as const, version: null, refusal: null }
    await noteClient(tx, { report, orgId, developerId: null, keyId: key.ok ? key.id : "", now: NOW })
    const { id: endpointId } = await makeWebhookSecret(tx, { provider: "github", secret: SECRET, by })
    const given = { endpointId, provider: "github" as const, deliveryId: "xanadu", event: "xanadu", now: NOW }
    await recordDelivery(tx, { orgId, ...given, events: [CHANGE] })
    await recordReportedOutcomes(tx, { orgId, outcomes: [{ ...REPORTED, at: NOW.toISOString() }, SURVIVED], now: NOW })
    expect(await placeJoinedOperations(tx, { now: NOW })).toBe(1)
    return {
      endpointId,
      viewId: view.ok ? view.id : "",
      layerId: draft.ok ? draft.layerId : "",
      exceptionId: exception.ok ? exception.id : "",
      orgId,
      accountId,
      teamId,
      developerId: person.id ?? "",
      identityId: identity.id,
      keyId: key.ok ? key.id : "",
      accessId: access?.id ?? "",
      incidentId,
      groupId: group?.id ?? "",
    }
  })
  await recountAll(database, NOW)
  await owner
    .insertInto("digest_delivery")
    .columns(["org_id", "subscription_id", "week", "state", "made_at"])
    .expression((eb) =>
      eb
        .selectFrom("digest_subscription")
        .select(["org_id", "id", sql<string>`${TODAY}::date`.as("week"), sql<string>`'waiting'`.as("state"), "since"])
        .where("org_id", "=", orgId),
    )
    .execute()
  await owner
    .insertInto("budget_reservation")
    .columns([
      "org_id",
      "id",
      "layer_id",
      "budget_id",
      "subject_id",
      "unit",
      "starts_at",
      "amount",
      "reserved_at",
      "expires_at",
    ])
    .expression((eb) =>
      eb
        .selectFrom("budget_period")
        .select(["org_id", sql<string>`gen_random_uuid()`.as("id"), "layer_id", "budget_id", "subject_id", "unit"])
        .select(["starts_at", "spent", "counted_at", "ends_at"]),
    )
    .execute()
  return { ...made, ...(await makeAlerts(database, by, SECRET)) }
}

type Xanadu = Awaited<ReturnType<typeof makeXanadu>>

/** The budget of another organization's team. */
function budgetOf({ layerId, teamId }: Xanadu): BudgetOf {
  const document = { schema: "belay.policy/1" as const }
  return {
    layer: { id: layerId, kind: "team", teamId, developerId: null, version: 1, document },
    budget: { id: "xanadu", scope: "team", period: "month", limit: { unit: "tokens", amount: 1 }, hard: "deny" },
    timeZone: "UTC",
    period: PERIOD,
    subject: { kind: "team", id: teamId },
  }
}

async function prepared(tx: TenantTx, x: Xanadu, ours: { orgId: string }) {
  const policies = await readPolicies(tx, NOW)
  return prepareBudgets(tx, { orgId: ours.orgId, policies, developerId: x.developerId, now: NOW })
}

/** What every query and command of a tenant does with another organization's ids. */
function callsOf(x: Xanadu, ours: { orgId: string; accountId: string }) {
  const by = actorOf(ours.orgId, ours.accountId)
  const { accountId, teamId } = x
  const scope = {
    from: new Date(NOW.getTime() - WEEK_MS),
    to: NOW,
    now: NOW,
    teamId,
    bucket: "week" as const,
    timeZone: "UTC",
  }
  const viewer = { readable: { organization: true, teamIds: [teamId] }, ownDeveloperIds: [x.developerId] }
  const incident = { id: x.incidentId, viewer }
  const target = { kind: "team" as const, teamId }
  const ofDraft = { target, revision: 1, by }
  const exception = { id: x.exceptionId, note: null, by }
  const report = { id: "xanadu", agentTool: "ours", agentVersion: null, belayVersion: null, canary: null }
  const client = { report: { ...report, state: "none" as const, version: null, refusal: null } }
  const keys = { orgId: ours.orgId, secret: SECRET, now: NOW }
  const people = { text: "", role: null, teamId: null, today: TODAY, limit: 10, offset: 0 }
  const calls: Record<string, (tx: TenantTx) => Promise<unknown>> = {
    ...alertCalls(x, by, SECRET),
    getAuditExport: (tx) => getAuditExport(tx),
    listAuditActions: (tx) => listAuditActions(tx),
    listAuditEntries: (tx) => listAuditEntries(tx, { beforeSequence: null, action: null, limit: 10 }),
    recordChangeEvents: (tx) =>
      recordChangeEvents(tx, { orgId: ours.orgId, provider: "github", now: NOW, events: [OURS] }),
    recordDelivery: async (tx) => {
      const given = { orgId: ours.orgId, endpointId: x.endpointId, provider: "github" as const, now: NOW }
      // Its endpoint is no endpoint of ours: the foreign key refuses it.
      const refused = sql`savepoint ours`
        .execute(tx)
        .then(() => recordDelivery(tx, { ...given, deliveryId: "ours", event: "ours", events: [OURS] }))
      await expect(refused).rejects.toThrow(/foreign key/)
      await sql`rollback to savepoint ours`.execute(tx)
    },
    readNewsMark: async (tx) => {
      expect(await readNewsMark(tx)).toMatchObject({ commits: 0 })
    },
    noteNews: (tx) => noteNews(tx, ours.orgId),
    joinByCommit: async (tx) => {
      expect(await joinByCommit(tx, { now: NOW, orgId: ours.orgId, isAll: true })).toBe(0)
    },
    concludeJoins: async (tx) => {
      expect(await concludeJoins(tx, { orgId: ours.orgId, now: NOW })).toBe(0)
    },
    readIdentify: async (tx) => {
      expect((await readIdentify(tx))("ada@example.com")).toMatch(/^[0-9a-f]{64}$/)
    },
    makeWebhookSecret: async (tx) => {
      const { id } = await makeWebhookSecret(tx, { provider: "gitlab", secret: SECRET, by })
      expect(id).not.toBe(x.endpointId)
    },
    readWebhookSecrets: async (tx) => {
      const asked = { id: x.endpointId, orgId: x.orgId, secret: SECRET, now: NOW }
      expect(await readWebhookSecrets(tx, asked)).toEqual([])
    },
    noteRefusedDelivery: (tx) => noteRefusedDelivery(tx, x.endpointId, NOW),
    listWebhookEndpoints: (tx) => listWebhookEndpoints(tx),
    listWebhookDeliveries: (tx) => listWebhookDeliveries(tx, 10),
    recordReportedOutcomes: async (tx) => {
      const outcomes = [{ ...REPORTED, at: NOW.toISOString() }, SURVIVED]
      expect(await recordReportedOutcomes(tx, { orgId: ours.orgId, outcomes, now: NOW })).toBe(2)
    },
    listKnownOutcomes: async (tx) => {
      // The operation is of the other organization.
      expect(await listKnownOutcomes(tx, { now: LATER, limit: 10 })).toEqual([])
    },
    markSettled: (tx) => markSettled(tx, { sourceIds: ["reported:xanadu"], state: "sent", now: NOW }),
    getTaskLife: async (tx) => {
      expect(await getTaskLife(tx, { operationId: "xanadu", now: LATER })).toBeUndefined()
    },
    listRungOutcomes: async (tx) => {
      const found = await listRungOutcomes(tx, { from: scope.from, to: LATER })
      expect(found.map(({ state }) => state)).toEqual(["no_data", "no_data", "no_data", "no_data"])
    },
    listRungSurvival: async (tx) => {
      const found = await listRungSurvival(tx, { from: scope.from, to: LATER })
      expect(new Set(found.map(({ state }) => state))).toEqual(new Set(["no_data"]))
    },
    countJoins: async (tx) => {
      expect(await countJoins(tx, scope.from)).toMatchObject({ joined: 0 })
    },
    placeJoinedOperations: async (tx) => {
      expect(await placeJoinedOperations(tx, { now: LATER })).toBe(0)
    },
    getTaskFunnels: async (tx) => {
      expect((await getTaskFunnels(tx, scope)).rungs.map(({ state }) => state)).toEqual(["no_data", "no_data"])
    },
    getReviewLimit: async (tx) => {
      expect(await getReviewLimit(tx, teamId)).toMatchObject({ isFromPolicy: false })
    },
    getChanges: async (tx) => {
      const limit = { lines: 400, files: null, isFromPolicy: false }
      const { rungs, teams } = await getChanges(tx, { ...scope, to: LATER, now: LATER, limit })
      expect([rungs.map(({ state }) => state), teams]).toEqual([["no_data", "no_data"], []])
    },
    getJoinShares: async (tx) => {
      expect(await getJoinShares(tx, { from: scope.from, to: LATER })).toBeNull()
    },
    listOwnChanges: async (tx) => {
      const of = { developerIds: [x.developerId], before: LATER, limit: 10 }
      expect(await listOwnChanges(tx, of)).toEqual([])
    },
    listLatestArrivals: (tx) => listLatestArrivals(tx),
    listUnrecognized: (tx) => listUnrecognized(tx, 10),
    getIntake: async (tx) => {
      const intake = await getIntake(tx, scope.from)
      expect([intake.requests, intake.refused]).toEqual([0, {}])
      return intake
    },
    listToolArrivals: (tx) => listToolArrivals(tx),
    listUnknownNames: (tx) => listUnknownNames(tx),
    // Of Belay, whose processes serve every organization.
    listProcesses: (tx) => listProcesses(tx, scope.from),
    getLadder: async (tx) => [
      await getLadder(tx, { ...scope, ownDeveloperIds: null }),
      await getLadder(tx, { ...scope, ownDeveloperIds: [x.developerId] }),
    ],
    readFigures: async (tx) => {
      expect(await readFigures(tx, { ...scope, ownDeveloperIds: null })).toEqual([])
    },
    getFreshness: async (tx) => {
      expect(await getFreshness(tx, { ...scope, ownDeveloperIds: null })).toMatchObject({ signals: 0 })
    },
    getLatency: async (tx) => {
      expect((await getLatency(tx, scope)).buckets).toEqual([])
    },
    listToolLatency: async (tx) => {
      expect(await listToolLatency(tx, { ...scope, rung: "chat" })).toEqual([])
    },
    listModelLatency: async (tx) => {
      expect(await listModelLatency(tx, { ...scope, rung: "chat" })).toEqual([])
    },
    getFirstTokens: async (tx) => {
      expect(await getFirstTokens(tx, { ...scope, rung: "chat" })).toBeUndefined()
    },
    getDoseResponse: async (tx) => {
      expect(await getDoseResponse(tx, { ...scope, rung: "chat" })).toMatchObject({ state: "no_data" })
    },
    listMarkedChanges: (tx) => listMarkedChanges(tx, { from: scope.from, to: LATER }),
    getCoverage: async (tx) => {
      expect(await getCoverage(tx, scope)).toEqual({ state: "no_data", eligibleDays: null, seenDays: null })
    },
    getChangeCosts: async (tx) => {
      const { rungs, models } = await getChangeCosts(tx, { ...scope, teamId: null, to: LATER, now: LATER })
      expect([rungs.map(({ state }) => state), models]).toEqual([["no_data", "no_data"], []])
    },
    getActivePeople: async (tx) => {
      expect(await getActivePeople(tx, scope)).toEqual({
        state: "no_data",
        active: null,
        weeks: { shown: 0, total: 0 },
      })
    },
    listActiveDays: async (tx) => {
      expect(await listActiveDays(tx, scope)).toEqual([])
    },
    listWeekSeats: async (tx) => {
      expect(await listWeekSeats(tx, scope)).toEqual([])
    },
    getWork: async (tx) => {
      const { rungs, pieces } = await getWork(tx, { ...scope, teamId: null, to: LATER, now: LATER })
      expect([...rungs.map(({ state }) => state), pieces]).toEqual(["no_data", "no_data", "no_data", "no_data", []])
    },
    getLoops: async (tx) => {
      const { rungs } = await getLoops(tx, { ...scope, to: LATER, now: LATER })
      expect(rungs.map(({ state }) => state)).toEqual(["no_data", "no_data"])
    },
    pricesOf: async (tx) => {
      expect((await pricesOf(tx, { ...scope, to: LATER, now: LATER })).modelIds).toEqual([])
    },
    getSpend: async (tx) => {
      expect(await getSpend(tx, { ...scope, to: LATER, now: LATER })).toEqual({ models: [], teams: [] })
    },
    getMoves: (tx) => getMoves(tx, scope),
    getOwnRung: (tx) => getOwnRung(tx, { developerIds: [x.developerId], now: LATER, timeZone: "UTC", limit: 5 }),
    listIncidents: (tx) => listIncidents(tx, { viewer, filter: {}, before: null, limit: 10 }),
    getIncident: (tx) => getIncident(tx, { viewer, id: x.incidentId }),
    countCurrentIncidents: async (tx) => {
      const counts = await countCurrentIncidents(tx, { viewer, teamId: null })
      expect(counts).toEqual([])
      return counts
    },
    countDaysOfData: async (tx) => {
      const days = await countDaysOfData(tx, TODAY)
      expect(days).toBe(0)
      return days
    },
    acknowledgeIncident: (tx) => acknowledgeIncident(tx, { ...incident, by }),
    acceptAsNormal: (tx) => acceptAsNormal(tx, { ...incident, by }),
    reopenIncident: (tx) => reopenIncident(tx, { ...incident, by }),
    labelIncident: (tx) => labelIncident(tx, { ...incident, isReal: true, cause: null, comment: null, by }),
    declineNewNormal: (tx) => declineNewNormal(tx, { ...incident, by }),
    getTrackRecord: (tx) => getTrackRecord(tx, { viewer }),
    listSimilarIncidents: (tx) => listSimilarIncidents(tx, { viewer, id: x.incidentId, limit: 10 }),
    noteOnIncident: (tx) => noteOnIncident(tx, { ...incident, text: "ours", by }),
    readPolicies: async (tx) => {
      const policies = await readPolicies(tx, NOW)
      expect([policies.release, policies.layers, policies.exceptions]).toEqual([0, [], []])
    },
    findByEnduser: async (tx) => {
      expect(await findByEnduser(tx, "xanadu@example.com")).toBeNull()
    },
    findByEndusers: async (tx) => {
      expect((await findByEndusers(tx, ["xanadu@example.com"])).size).toBe(0)
    },
    listClients: (tx) => listClients(tx, { now: NOW, standing: null, version: null, before: null, limit: 10 }),
    countStandings: async (tx) => {
      expect(await countStandings(tx, NOW)).toEqual([])
    },
    getConvergence: async (tx) => {
      expect(await getConvergence(tx, [NOW])).toEqual([{ at: NOW, clients: 0, current: null }])
    },
    listReach: async (tx) => {
      expect(await listReach(tx, { now: NOW, limit: 3 })).toEqual([])
    },
    noteClient: (tx) => noteClient(tx, { ...client, orgId: ours.orgId, developerId: null, keyId: x.keyId, now: NOW }),
    listDecisions: async (tx) => {
      const whole = { from: scope.from, to: LATER, timeZone: "UTC", bucket: "day" as const, filter: {}, offset: 0 }
      const pages = [null, teamId].map((id) => listDecisions(tx, { ...whole, teamId: id, limit: 10 }))
      const found = await Promise.all(pages)
      expect(found.map(({ total, withheldBuckets }) => [total, withheldBuckets])).toEqual([
        [0, 0],
        [0, 0],
      ])
    },
    listDecidingTools: (tx) => listDecidingTools(tx),
    describeRules: (tx) => describeRules(tx, [{ rule: "xanadu", layer: "team", policyVersion: 1 }]),
    listOwnDecisions: (tx) => listOwnDecisions(tx, { developerIds: [x.developerId], before: LATER, limit: 10 }),
    listSuggestions: (tx) => listSuggestions(tx, LATER),
    approveSuggestion: async (tx) => {
      expect(await approveSuggestion(tx, { id: "npm test", by })).toEqual({ ok: false, reason: "gone" })
    },
    dismissSuggestion: (tx) => dismissSuggestion(tx, { id: "npm test", isDismissed: false, by }),
    getDraft: (tx) => getDraft(tx, x.layerId),
    saveDraft: (tx) => saveDraft(tx, { ...ofDraft, document: { schema: "belay.policy/1" } }),
    lockDraft: (tx) => lockDraft(tx, ofDraft),
    discardDraft: (tx) => discardDraft(tx, ofDraft),
    submitDraft: (tx) => submitDraft(tx, { ...ofDraft, isSubmitted: true }),
    rebaseDraft: (tx) => rebaseDraft(tx, ofDraft),
    inForce: (tx) => inForce(tx, x.layerId).catch(() => null),
    listExceptions: (tx) => listExceptions(tx, { seenBy: null, states: ["requested"], before: null, limit: 10 }),
    requestException: (tx) =>
      requestException(tx, {
        rule: "ours",
        layer: null,
        teamId,
        developerId: null,
        reason: "only a try",
        days: 1,
        by,
      }),
    decideException: (tx) => decideException(tx, { ...exception, isApproved: true }),
    endException: (tx) => endException(tx, exception),
    listLayers: (tx) => listLayers(tx),
    getLayer: (tx) => getLayer(tx, x.layerId),
    findLayer: (tx) => findLayer(tx, target),
    getTargetName: async (tx) => [
      await getTargetName(tx, target),
      await getTargetName(tx, { kind: "developer", developerId: x.developerId }),
    ],
    lockLayer: (tx) => lockLayer(tx, ours.orgId, target),
    listVersions: (tx) => listVersions(tx, { layerId: x.layerId, before: null, limit: 10 }),
    getVersion: (tx) => getVersion(tx, x.layerId, 1),
    publishDraft: (tx) => publishDraft(tx, { ...ofDraft, note: null }),
    rollBack: (tx) => rollBack(tx, { target, version: 1, note: null, by }),
    release: async (tx) => {
      expect(await release(tx, { by, cause: "exception", exceptionId: x.exceptionId })).toBe(1)
    },
    currentRelease: async (tx) => {
      expect(await currentRelease(tx)).toBeLessThan(2)
    },
    readSigningKeys: (tx) => readSigningKeys(tx, keys),
    listSigningKeys: (tx) => listSigningKeys(tx),
    rotateSigningKey: (tx) => rotateSigningKey(tx, { by, secret: SECRET }),
    setPrice: (tx) => setPrice(tx, { model: "ours", provider: "*", validFrom: TODAY, price: PRICE, by }),
    listSetPrices: (tx) => listSetPrices(tx),
    listPrices: async (tx) => {
      // What Belay ships is everyone's.
      expect((await listPrices(tx, NOW)).map(({ model }) => model)).not.toContain("xanadu")
    },
    readPriceTable: async (tx) => {
      expect((await readPriceTable(tx)).history("xanadu", "xanadu")).toEqual([])
    },
    listOpenNames: (tx) => listOpenNames(tx, scope.from),
    priceNames: async (tx) => {
      expect((await priceNames(tx, scope.from)).modelIds).toEqual([])
    },
    getUse: async (tx) => {
      const subject = { kind: "team" as const, id: teamId }
      expect(await getUse(tx, { period: PERIOD, timeZone: "UTC", subject })).toMatchObject({ tokens: 0, people: 0 })
    },
    listUse: (tx) => listUse(tx, { period: PERIOD, timeZone: "UTC" }),
    listTeamDays: (tx) => listTeamDays(tx, { period: PERIOD, timeZone: "UTC", dayZone: "UTC" }),
    listDisclosedNodes: (tx) => listDisclosedNodes(tx, { period: PERIOD, timeZone: "UTC" }),
    listUnpricedModels: (tx) => listUnpricedModels(tx, scope.from),
    listCallSizes: (tx) => listCallSizes(tx, LATER),
    readStandings: async (tx) => {
      expect((await readStandings(tx, { of: [budgetOf(x)], now: NOW, isLocked: true })).size).toBe(0)
    },
    countNewBudgets: (tx) => countNewBudgets(tx, { orgId: ours.orgId, of: [], now: NOW, timeZone: "UTC" }),
    addPeriods: (tx) => addPeriods(tx, { orgId: ours.orgId, rows: [], now: NOW }),
    recordCrossings: async (tx) => {
      expect(await recordCrossings(tx, { orgId: ours.orgId, rows: [], now: NOW })).toBe(0)
    },
    prepareBudgets: async (tx) => {
      expect((await prepared(tx, x, ours)).binding).toEqual([])
    },
    readBudgetStates: async (tx) => readBudgetStates(tx, await prepared(tx, x, ours), NOW),
    decideUnderBudgets: async (tx) => {
      const policy = compilePolicy({ version: 1, layers: [] })
      const action = { kind: "model" as const, model: "xanadu" }
      const asked = { policy, action, context: { nowMs: NOW.getTime() }, call: {}, now: NOW }
      const { budgets } = await decideUnderBudgets(tx, await prepared(tx, x, ours), asked)
      return budgets
    },
    listBudgets: (tx) => listBudgets(tx, { orgId: ours.orgId, readable: viewer.readable, now: NOW }),
    listOwnBudgets: (tx) => listOwnBudgets(tx, { orgId: ours.orgId, developerId: x.developerId, now: NOW }),
    budgetsMark: async (tx) => {
      expect(await budgetsMark(tx, NOW)).not.toContain("xanadu")
    },
    listHourLatency: (tx) => listHourLatency(tx, { from: scope.from, to: LATER, kinds: ["turn"] }),
    getRollupProgress: (tx) => getRollupProgress(tx),
    listStorage: async (tx) => {
      // Sizes are of the whole installation.
      expect(await listStorage(tx, { now: NOW, retentionDays: 30 })).not.toEqual([])
    },
    listTeams: (tx) => listTeams(tx),
    createLink: (tx) => createLink(tx, { accountId, purpose: "password_reset", by }),
    openBreakGlass: async (tx) => openBreakGlass(tx, { accountId, reason: "only a look", minutes: 15, by }),
    useBreakGlass: (tx) => viewBrokenGlass(tx, { accountId, by }),
    closeBreakGlass: (tx) => closeBreakGlass(tx, { accountId, by }),
    listBreakGlass: (tx) => listBreakGlass(tx, accountId),
    markTold: (tx) => markTold(tx, x.accessId, NOW),
    listUnknownIdentities: (tx) => listUnknownIdentities(tx, 10),
    listMergedIdentities: (tx) => listMergedIdentities(tx, accountId),
    listDevelopersOf: (tx) => listDevelopersOf(tx, accountId),
    mergeIdentity: (tx) => mergeIdentity(tx, { developerId: x.identityId, accountId: ours.accountId, by }),
    separateIdentity: (tx) => separateIdentity(tx, { developerId: x.identityId, ofAccountId: null, by }),
    claimIdentity: (tx) => claimIdentity(tx, { accountId: ours.accountId, kind: "installation", value: "xanadu", by }),
    planImport: async (tx) => {
      const { rows } = await planImport(tx, "email,team\nsomebody@example.org,Payments\n", TODAY)
      return rows
    },
    createIngestKey: async (tx) => createIngestKey(tx, { ...KEY, name: "ours", teamId, by }),
    listIngestKeys: (tx) => listIngestKeys(tx, ["ingest", "policy:read", "analytics:read", "test"]),
    hasIngestKey: (tx) => hasIngestKey(tx, NOW),
    rotateIngestKey: (tx) => rotateIngestKey(tx, { id: x.keyId, overlapMs: 0, scopes: ["ingest"], by }),
    revokeIngestKey: (tx) => revokeIngestKey(tx, { id: x.keyId, scopes: ["ingest"], by }),
    listOwnSignals: (tx) => listOwnSignals(tx, { developerIds: [x.developerId], before: NOW, limit: 10 }),
    listAccesses: (tx) => listAccesses(tx, accountId, 10),
    getReportedPolicy: (tx) => getReportedPolicy(tx, [x.developerId], scope.from),
    listPeople: (tx) => listPeople(tx, people, NOW),
    selectPeople: (tx) => selectPeople(tx, TODAY).selectAll("a").execute(),
    getUserId: (tx) => getUserId(tx, accountId),
    getPerson: (tx) => getPerson(tx, accountId, TODAY, NOW),
    addPerson: async (tx) => {
      // Nobody is in two organizations: that the address is taken is told, and nothing of whom.
      expect(await addPerson(tx, { email: "xanadu@example.com", name: "", role: "developer", by })).toEqual({
        ok: false,
        reason: "taken",
      })
    },
    changeRole: (tx) => changeRole(tx, { id: accountId, role: "developer", byRole: "owner", by }),
    removePerson: (tx) => removePerson(tx, { id: accountId, today: TODAY, byRole: "owner", by }),
    moveToTeam: async (tx) => [
      await moveToTeam(tx, { accountId, teamId: null, fromDay: TODAY, by }),
      await moveToTeam(tx, { accountId: ours.accountId, teamId, fromDay: TODAY, by }),
    ],
    setManagedTeams: async (tx) => [
      await setManagedTeams(tx, { accountId, teamIds: [], by }),
      await setManagedTeams(tx, { accountId: ours.accountId, teamIds: [teamId], by }),
    ],
    getOrganization: (tx) => getOrganization(tx),
    getToday: (tx) => getToday(tx, NOW),
    findReadableTeams: (tx) => findReadableTeams(tx, { accountId, role: "owner" }, NOW),
    getSettings: (tx) => getSettings(tx),
    saveSettings: async (tx) => saveSettings(tx, { ...(await getSettings(tx)), name: "ours" }, by),
    listGroupMappings: (tx) => listGroupMappings(tx),
    mapGroup: (tx) => mapGroup(tx, { name: "ours", role: null, teamId, by }),
    unmapGroup: (tx) => unmapGroup(tx, { id: x.groupId, by }),
    listTeamTree: (tx) => listTeamTree(tx, TODAY),
    createTeam: (tx) => createTeam(tx, { name: "ours", parentId: teamId, by }),
    changeTeam: (tx) => changeTeam(tx, { id: teamId, name: "ours", parentId: null, timeZone: null, by }),
    deleteTeam: (tx) => deleteTeam(tx, { id: teamId, by }),
    setOwnDigest: (tx) => setOwnDigest(tx, { accountId, isWanted: false, by }),
    setChannelDigest: async (tx) => {
      expect(await setChannelDigest(tx, { channelId: x.channelId, isWanted: true, by })).toBe(false)
    },
    getDigestWishes: async (tx) => {
      expect(await getDigestWishes(tx, accountId)).toEqual({ isWanted: false, last: null, channels: [] })
    },
    readDigest: async (tx) => {
      expect(await readDigest(tx, { reader: { role: "api" }, now: LATER })).toBeNull()
    },
    listSavedViews: (tx) => listSavedViews(tx, accountId),
    saveView: (tx) => saveView(tx, { accountId: ours.accountId, name: "ours", path: "/", isShared: true, by }),
    changeView: async (tx) => {
      const changed = await changeView(tx, { id: x.viewId, accountId, name: "ours", isShared: false, by })
      expect(changed).toEqual({ ok: false, reason: "not_found" })
    },
    deleteView: async (tx) => {
      const deleted = await deleteView(tx, { id: x.viewId, accountId, mayDeleteShared: true, by })
      expect(deleted).toEqual({ ok: false, reason: "not_found" })
    },
    recordAudit: (tx) => recordAudit(tx, { ...by, action: "ours", targetKind: "account" }),
  }
  return calls
}

/** Names of the exported functions that take a tenant's transaction. */
async function listTenantFunctions(): Promise<string[]> {
  const root = path.join(import.meta.dirname, "../../server")
  const files = (await readdir(root, { recursive: true })).filter(
    (file) => file.endsWith(".ts") && !file.includes(".test."),
  )
  const names = await Promise.all(
    files.map(async (file) => {
      const source = await readFile(path.join(root, file), "utf8")
      return [...source.matchAll(/^export (?:async )?function (\w+)\(\s*tx: TenantTx/gm)].map((match) => match[1] ?? "")
    }),
  )
  return names.flat().toSorted((a, b) => a.localeCompare(b))
}

async function snapshot(database: TestDatabase, orgId: string): Promise<Record<string, string>> {
  const tables = await sql<{ name: string; column: string }>`
    select c.relname as name, case c.relname when 'org' then 'id' else 'org_id' end as column
    from pg_class c join pg_policy p on p.polrelid = c.oid and p.polname = 'tenant' order by 1`.execute(database.owner)
  const rows: Record<string, string> = {}
  for (const { name, column } of tables.rows) {
    const found = await sql<{ rows: string | null }>`
      select jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text)::text as rows from ${sql.table(name)} t
      where ${sql.ref(column)} = ${orgId}`.execute(database.owner)
    rows[name] = found.rows[0]?.rows ?? ""
  }
  return rows
}

test("no query or command of one organization reads or changes anything of another, even with its ids", async ({
  database,
}) => {
  const x = await makeXanadu(database)
  const orgId = await makeOrganization(database)
  const account = { orgId, email: "somebody@example.org", role: "owner" as const, password: "not used here" }
  const { accountId } = await createAccount(database.owner, account)
  const calls = callsOf(x, { orgId, accountId })
  // A new query or command has to be here.
  expect(Object.keys(calls).toSorted((a, b) => a.localeCompare(b))).toEqual(await listTenantFunctions())

  const before = await snapshot(database, x.orgId)
  const ids = Object.values(x).join("|")
  for (const [name, call] of Object.entries(calls)) {
    const result = await asTenant(database.app, orgId, call)
    expect(`${name}: ${JSON.stringify(result)}`).not.toMatch(new RegExp(`xanadu|${ids}`))
  }
  expect(await snapshot(database, x.orgId)).toEqual(before)
})

test("raw statements of the application without any condition touch no other organization's row, in any table", async ({
  database,
}) => {
  const x = await makeXanadu(database)
  const orgId = await makeOrganization(database)
  const before = await snapshot(database, x.orgId)
  const empty = Object.entries(before).filter(([, rows]) => rows === "")
  // Tables that nothing here fills are read and written all the same.
  expect(empty.map(([name]) => name)).toEqual(["audit_export", "signal_occurrence", "signal_retraction"])
  await makeTeam(database, orgId, "ours")
  /** What is not granted is refused, which is as good. */
  const attempt = (statement: string) =>
    asTenant(database.app, orgId, (tx) => sql.raw(statement).execute(tx)).catch((error: unknown) => error)
  for (const name of Object.keys(before)) {
    const rows = await asTenant(database.app, orgId, (tx) =>
      sql<{ all: string }>`select t::text as all from ${sql.table(name)} t`.execute(tx).catch(() => null),
    ).catch(() => null)
    expect(`${name}: ${JSON.stringify(rows?.rows ?? [])}`).not.toMatch(/xanadu/)
    await attempt(`delete from ${name}`)
    await attempt(`update ${name} set org_id = '${orgId}'`)
    await attempt(`insert into ${name} select (jsonb_populate_record(null::${name}, '{"org_id":"${x.orgId}"}')).*`)
  }
  expect(await snapshot(database, x.orgId)).toEqual(before)
  // They did run: our own team is gone.
  const teams = await database.owner.selectFrom("team").select("name").execute()
  expect(teams).toEqual([{ name: "xanadu" }])
})
