import { randomUUID } from "node:crypto"
import { type Kysely, sql } from "kysely"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { listObjectives } from "../slo/queries.ts"
import { type AlertStanding, readAlerts, recordAlertEvents, saveAlerts } from "./alert-row.ts"
import { type AlertKind, type Finding, findingKey } from "./finding.ts"
import { findParents } from "./grouping.ts"
import { findLatency } from "./latency.ts"
import { soFar, step, type Timing, type Transition, type Verdict } from "./lifecycle.ts"
import type { MessageEvent } from "./message.ts"
import { findByRule } from "./rule-findings.ts"
import { listRules } from "./rule-store.ts"
import { maySpeak, readTelling, tell } from "./tell.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const REMIND_MS = { page: HOUR_MS, ticket: 24 * HOUR_MS }
const CALM_MS: Record<AlertKind, number> = {
  latency: 5 * MINUTE_MS,
  // The detector has said itself that it is over, and a period of a budget ends once.
  incident: 0,
  budget: 0,
  // One cheap afternoon changes no month.
  budget_forecast: 6 * HOUR_MS,
  silence: 0,
  telemetry_coverage: 6 * HOUR_MS,
  ingest_errors: 10 * MINUTE_MS,
  canary: 10 * MINUTE_MS,
  coverage: 10 * MINUTE_MS,
  denials: 30 * MINUTE_MS,
  reviewability: 6 * HOUR_MS,
  sign_in_failures: 15 * MINUTE_MS,
}
const REOPEN_MS = 30 * MINUTE_MS
/** A page counts for this long after it for tickets: the longest short window. */
const PAGED_MS = 6 * HOUR_MS
/** What only says that it still fires is written as often as this. */
const FIRING_WRITTEN_MS = MINUTE_MS

export function timingOf(kind: AlertKind): Timing {
  return { calmMs: CALM_MS[kind], reopenMs: REOPEN_MS, remindMs: REMIND_MS }
}

export interface Evaluated {
  readonly findings: number
  readonly changed: number
}

/**
 * Evaluates an organization's rules at a time and does what follows: alerts, their history and what is to be sent change
 * together or not at all. `isWhole` false leaves all rules but those of latency for later. Null when another process is at
 * it. Takes the application's database.
 */
export function evaluateRules(
  db: Kysely<DB>,
  { orgId, at, isWhole }: { readonly orgId: string; readonly at: Date; readonly isWhole: boolean },
): Promise<Evaluated | null> {
  return asTenant(db, orgId, async (tx) => {
    if (!(await claim(tx, orgId))) return null
    const countedAt = await findCountedAt(tx, at)
    const kinds = isWhole ? sql`true` : sql`kind = 'latency'`
    const before = await readAlerts(
      tx,
      sql`${kinds} and (state <> 'resolved' or paged_until > ${new Date(at.getTime() - PAGED_MS)}
        or resolved_at > ${new Date(at.getTime() - REOPEN_MS)} or (resolved_by is not null and calm_since is null))`,
    )
    const findings = await findAll(tx, { orgId, at: countedAt, before, isWhole })
    const stepped = stepAll(before, findings, at)
    await settle(tx, { orgId, at, stepped })
    await tx
      .updateTable("alert_state")
      .set((eb) => ({
        evaluated_at: at,
        ...(isWhole && { all_evaluated_at: at }),
        counted_until: eb.selectFrom("rollup_state").select("counted_until"),
      }))
      .execute()
    return { findings: findings.length, changed: stepped.filter(({ transitions }) => transitions.length > 0).length }
  })
}

/** Holds the organization's rules until the transaction ends; false when somebody else does. */
async function claim(tx: TenantTx, orgId: string): Promise<boolean> {
  await tx
    .insertInto("alert_state")
    .values({ org_id: orgId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await tx.selectFrom("alert_state").select("org_id").forUpdate().skipLocked().executeTakeFirst()
  return row !== undefined
}

/** Waits for whoever evaluates: what a person does to an alert is not lost to an evaluation that began before. */
export async function holdAlerts(tx: TenantTx, orgId: string): Promise<void> {
  await tx
    .insertInto("alert_state")
    .values({ org_id: orgId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  await tx.selectFrom("alert_state").select("org_id").forUpdate().execute()
}

/** Where signals wait to be counted, the rollups are of the time of the last that were: what came since is no silence. */
async function findCountedAt(tx: TenantTx, at: Date): Promise<Date> {
  const { rows } = await sql<{ at: Date | null }>`
    select case when exists (select from signal_batch) then (select counted_until from rollup_state) end as at`.execute(
    tx,
  )
  const counted = rows[0]?.at ?? null
  return counted === null || counted > at ? at : counted
}

async function findAll(
  tx: TenantTx,
  args: {
    readonly orgId: string
    readonly at: Date
    readonly before: readonly AlertStanding[]
    readonly isWhole: boolean
  },
): Promise<readonly Finding[]> {
  const { orgId, at, before, isWhole } = args
  const objectives = (await listObjectives(tx)).filter(({ isEnabled }) => isEnabled)
  const alerts = new Map(
    before.flatMap(({ kind, subject, standing }) => (kind === "latency" ? [[subject, soFar(standing)]] : [])),
  )
  const findings = [...(await findLatency(tx, { objectives, at, alerts }))]
  if (!isWhole) return findings
  for (const rule of await listRules(tx)) {
    if (rule.isEnabled) findings.push(...(await findByRule(tx, rule, { orgId, at })))
  }
  return findings
}

interface SteppedAlert {
  readonly alert: AlertStanding
  readonly before: AlertStanding | null
  readonly transitions: readonly Transition[]
}

function stepAll(before: readonly AlertStanding[], findings: readonly Finding[], at: Date): readonly SteppedAlert[] {
  const known = new Map(before.map((alert) => [findingKey(alert), alert]))
  const found = new Set(findings.map(findingKey))
  const stepped: SteppedAlert[] = []
  const add = (alert: AlertStanding | null, verdict: Verdict, finding: Finding | null) => {
    const kind = alert?.kind ?? finding?.kind
    if (kind === undefined) return
    const { after, isNew, transitions } = step(alert?.standing ?? null, verdict, at.getTime(), timingOf(kind))
    if (after === null) return
    const facts = finding?.verdict === "firing" ? finding.facts : alert?.facts
    if (facts === undefined) return
    const subject = finding ?? alert
    if (subject === null) return
    stepped.push({
      alert: {
        id: isNew || alert === null ? randomUUID() : alert.id,
        kind,
        subject: subject.subject,
        facts,
        rung: subject.rung,
        teamId: subject.teamId,
        parentId: isNew ? null : (alert?.parentId ?? null),
        standing: after,
      },
      before: isNew ? null : alert,
      transitions,
    })
  }
  for (const finding of findings) add(known.get(findingKey(finding)) ?? null, finding, finding)
  for (const alert of before) if (!found.has(findingKey(alert))) add(alert, { verdict: "gone" }, null)
  return stepped
}

/** Groups what is open, decides on what is told, and writes what changed. */
async function settle(
  tx: TenantTx,
  { orgId, at, stepped }: { readonly orgId: string; readonly at: Date; readonly stepped: readonly SteppedAlert[] },
): Promise<void> {
  const isOpen = ({ alert }: SteppedAlert) => alert.standing.state !== "resolved"
  if (!stepped.some((one) => isOpen(one) || one.transitions.length > 0 || hasChanged(one))) return
  const parents = findParents(
    stepped
      .filter(isOpen)
      .flatMap(({ alert }) =>
        alert.facts.kind === "latency" ? [{ id: alert.id, scope: alert.facts, severity: alert.standing.severity }] : [],
      ),
  )
  const grouped = stepped.map((one) =>
    isOpen(one) ? { ...one, alert: { ...one.alert, parentId: parents.get(one.alert.id) ?? null } } : one,
  )
  const telling = await readTelling(tx, orgId, at)
  const speaking = (alert: AlertStanding) => alert.parentId === null && maySpeak(telling, alert, at)
  const told = grouped.flatMap((one): { alert: AlertStanding; event: MessageEvent }[] => {
    const { alert, transitions } = one
    const { standing } = alert
    if (!speaking(alert)) return []
    // Nobody was told of it so far: it is new, or what kept it silent is over.
    if (standing.state === "open" && standing.notifiedAt === null) {
      const event =
        transitions.find((one) => one === "reopened" || one === "escalated" || one === "reminded") ?? "opened"
      return [{ alert: { ...alert, standing: { ...standing, notifiedAt: at.getTime() } }, event }]
    }
    // That a budget's next threshold was reached, or its period ended, is told by itself.
    const isOver = transitions.includes("resolved") && standing.notifiedAt !== null && alert.kind !== "budget"
    return isOver ? [{ alert, event: "resolved" }] : []
  })
  const toldById = new Map(told.map((one) => [one.alert.id, one]))
  const written = grouped.filter((one) => one.transitions.length > 0 || toldById.has(one.alert.id) || hasChanged(one))
  await saveAlerts(
    tx,
    orgId,
    // What is over before what is new: of a subject only one is not.
    written
      .map(({ alert }) => toldById.get(alert.id)?.alert ?? alert)
      .toSorted((a, b) => Number(a.standing.state !== "resolved") - Number(b.standing.state !== "resolved")),
  )
  const sequences = await recordAlertEvents(
    tx,
    orgId,
    written.flatMap(({ alert, transitions }) => {
      const kinds: string[] = [...transitions]
      // An entry of its own, so that it has its place among what is told.
      if (toldById.has(alert.id) && !kinds.includes(toldById.get(alert.id)?.event ?? "")) kinds.push("told")
      return kinds.map((kind) => ({ alertId: alert.id, kind, at, details: { severity: alert.standing.severity } }))
    }),
  )
  await tell(
    tx,
    telling,
    told.map((one) => ({ ...one, sequence: sequences.get(one.alert.id) ?? 0 })),
    at,
  )
}

/** Whether there is more to write than that it still fires. */
function hasChanged({ alert, before }: SteppedAlert): boolean {
  if (before === null) return true
  const [is, was] = [alert.standing, before.standing]
  return (
    alert.parentId !== before.parentId ||
    is.calmSince !== was.calmSince ||
    is.hasData !== was.hasData ||
    is.firedAt - was.firedAt >= FIRING_WRITTEN_MS
  )
}
