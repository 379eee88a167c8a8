import { sql } from "kysely"
import type { Rung } from "#sdk/ladder.ts"
import type { TenantTx } from "../db/tenant.ts"
import { MIN_GROUP_SIZE } from "../privacy/disclosure.ts"
import { listBudgets } from "../spend/queries.ts"
import { getToday } from "../team/queries.ts"
import type { Readable } from "../team/readable-teams.ts"
import type { Finding } from "./finding.ts"
import type { Rule, RuleKind } from "./rules.ts"

type RuleOf<Kind extends RuleKind> = Extract<Rule, { kind: Kind }>

/**
 * What a rule says now: one query, then a function of its rows. A subject that is not among the findings is not there any
 * more. What only few people are behind is not among them.
 */
export function findByRule(
  tx: TenantTx,
  rule: Rule,
  { orgId, at }: { readonly orgId: string; readonly at: Date },
): Promise<readonly Finding[]> {
  switch (rule.kind) {
    case "incident":
      return findIncidents(tx, rule)
    case "budget":
      return findBudgets(tx, rule, at)
    case "budget_forecast":
      return findBudgetForecasts(tx, rule, { orgId, at })
    case "silence":
      return findSilence(tx, rule, at)
    case "telemetry_coverage":
      return findTelemetryCoverage(tx, rule, at)
    case "ingest_errors":
      return findIngestErrors(tx, rule, at)
    case "canary":
      return findCanary(tx, rule, at)
    case "coverage":
      return findCoverage(tx, rule, at)
    case "denials":
      return findDenials(tx, rule, at)
    case "reviewability":
      return findReviewability(tx, rule, at)
    case "sign_in_failures":
      return findSignInFailures(tx, rule, at)
  }
}

const OF_EVERYONE = { teamId: null, rung: null, subject: "organization" } as const
const HOUR_MS = 3_600_000
const before = (at: Date, ms: number) => new Date(at.getTime() - ms)

/** Of groups; one of a single person is theirs alone. */
async function findIncidents(tx: TenantTx, { settings, severity }: RuleOf<"incident">): Promise<readonly Finding[]> {
  const { rows } = await sql<{ id: string; rung: Rung; cause: string; people: number; teamId: string | null }>`
    select id, rung, cause, people, team_id as "teamId" from incident
    where kind = 'breakage' and state in ('open', 'recovering') and developer_id is null
      and people >= ${MIN_GROUP_SIZE} and people >= ${settings.peopleMin}`.execute(tx)
  return rows.map(({ id, rung, cause, people, teamId }) => ({
    kind: "incident",
    subject: id,
    teamId,
    rung,
    verdict: "firing",
    severity,
    facts: { kind: "incident", incidentId: id, incidentKind: "breakage", rung, cause, people },
  }))
}

/** Of the thresholds that a budget has reached only the highest, until its period is over. */
async function findBudgets(
  tx: TenantTx,
  { settings, severity }: RuleOf<"budget">,
  at: Date,
): Promise<readonly Finding[]> {
  const { rows } = await sql<{
    layer: string
    layerKind: string
    budgetId: string
    subjectId: string
    startsAt: Date
    endsAt: Date
    unit: "usd" | "tokens"
    threshold: number
    spent: number
    teamId: string | null
  }>`
    select distinct on (p.layer_id, p.budget_id, p.subject_id, p.unit, p.starts_at)
      p.layer_id as layer, l.kind as "layerKind", p.budget_id as "budgetId", p.subject_id as "subjectId",
      p.starts_at as "startsAt", p.ends_at as "endsAt", p.unit, c.threshold::float8 as threshold,
      p.spent::float8 as spent, t.id as "teamId"
    from budget_period p
    join budget_crossing c using (org_id, layer_id, budget_id, subject_id, unit, starts_at)
    join policy_layer l on l.id = p.layer_id
    left join team t on t.id = p.subject_id
    where p.starts_at <= ${at} and p.ends_at > ${at} and p.people >= ${MIN_GROUP_SIZE}
      -- Whose use it is: a person's is theirs to see.
      and (t.id is not null or p.subject_id = p.org_id)
      and c.threshold = any(${settings.thresholds.map(String)}::text[]::numeric[])
    order by p.layer_id, p.budget_id, p.subject_id, p.unit, p.starts_at, c.threshold desc`.execute(tx)
  return rows.map((row) => ({
    kind: "budget",
    subject: [row.layer, row.budgetId, row.subjectId, row.unit, row.startsAt.toISOString(), row.threshold].join(" "),
    teamId: row.teamId,
    rung: null,
    verdict: "firing",
    severity,
    facts: {
      kind: "budget",
      budgetId: row.budgetId,
      layer: row.layerKind,
      threshold: row.threshold,
      spent: row.spent,
      unit: row.unit,
      endsAt: row.endsAt.toISOString(),
    },
  }))
}

/** Budgets whose forecast is over the limit; of one that is used up already the other rule tells. */
async function findBudgetForecasts(
  tx: TenantTx,
  { settings, severity }: RuleOf<"budget_forecast">,
  { orgId, at }: { readonly orgId: string; readonly at: Date },
): Promise<readonly Finding[]> {
  const budgets = await listBudgets(tx, { orgId, readable: await readableOfAll(tx), now: at })
  return budgets.flatMap(({ id, layerId, layer, unit, limit, resetsAt, figures }): readonly Finding[] => {
    if (figures.kind !== "total") return []
    const { subject: of, forecast, spent } = figures
    const isTeam = of.kind === "team"
    const subject = {
      kind: "budget_forecast",
      subject: [layerId, id, of.id, unit, resetsAt.toISOString()].join(" "),
      teamId: isTeam ? of.id : null,
      rung: null,
    } as const
    if (forecast?.state !== "shown" || spent === null) return [{ ...subject, verdict: "unknown" }]
    const { expected, low, high } = forecast
    if (spent >= limit || expected < settings.share * limit) return [{ ...subject, verdict: "calm" }]
    const facts = { budgetId: id, layer: layer.kind, expected, low, high, limit, unit, endsAt: resetsAt.toISOString() }
    return [{ ...subject, verdict: "firing", severity, facts: { kind: "budget_forecast", ...facts } }]
  })
}

/** Whoever an alert goes to is decided by its routes and by who reads it. */
async function readableOfAll(tx: TenantTx): Promise<Readable> {
  const teams = await tx.selectFrom("team").select("id").execute()
  return { organization: true, teamIds: teams.map(({ id }) => id) }
}

const WEEKS = 4
/** Of the weeks before, so many had signals in these hours. */
const WEEKS_MIN = 3

/**
 * Tools that sent nothing in the last whole hours, though in the same hours of most weeks before they did: nights and
 * weekends are quiet and not silent.
 */
async function findSilence(
  tx: TenantTx,
  { settings, severity }: RuleOf<"silence">,
  at: Date,
): Promise<readonly Finding[]> {
  const to = new Date(Math.floor(at.getTime() / HOUR_MS) * HOUR_MS)
  const from = before(to, settings.hours * HOUR_MS)
  const { rows } = await sql<{ agentTool: string; now: number; weeks: number[] }>`
    with wanted as (
      select week, ${from}::timestamptz - week * interval '7 days' as from_at, ${to}::timestamptz - week * interval '7 days' as to_at
      from generate_series(0, ${WEEKS}::int) week
    ), sent as (
      select h.agent_tool_id, w.week, sum(h.signals)::int as signals
      from wanted w join signal_hour h on h.hour >= w.from_at and h.hour < w.to_at
      group by h.agent_tool_id, w.week
    )
    select d.value as "agentTool", coalesce(max(s.signals) filter (where s.week = 0), 0) as now,
      coalesce(array_agg(s.signals order by s.signals) filter (where s.week > 0), '{}') as weeks
    from sent s join dimension d on d.id = s.agent_tool_id
    where (
      select count(distinct u.developer_id) from developer_usage_day u
      where u.agent_tool_id = s.agent_tool_id and u.day > (${at}::timestamptz at time zone 'UTC')::date - ${WEEKS * 7}::int
    ) >= ${MIN_GROUP_SIZE}
    group by d.value order by d.value`.execute(tx)
  return rows.map(({ agentTool, now, weeks }): Finding => {
    const subject = { kind: "silence", subject: agentTool, teamId: null, rung: null } as const
    if (now > 0) return { ...subject, verdict: "calm" }
    const usual = weeks.filter((signals) => signals >= settings.signalsMin)
    if (usual.length < WEEKS_MIN) return { ...subject, verdict: "unknown" }
    const middle = usual[Math.floor(usual.length / 2)] ?? 0
    return {
      ...subject,
      verdict: "firing",
      severity,
      facts: { kind: "silence", agentTool, hours: settings.hours, usual: middle },
    }
  })
}

/** People of the last seven days up to yesterday beside those of each of the four weeks before, in the middle. */
async function findTelemetryCoverage(
  tx: TenantTx,
  { settings, severity }: RuleOf<"telemetry_coverage">,
  at: Date,
): Promise<readonly Finding[]> {
  const today = await getToday(tx, at)
  const { rows } = await sql<{ people: number; isShown: boolean }>`
    select count(distinct u.developer_id)::int as people, count(distinct u.developer_id) >= ${MIN_GROUP_SIZE} as "isShown"
    from generate_series(0, ${WEEKS}::int) week
    left join developer_usage_day u
      on u.day < ${today}::date - week * 7 and u.day >= ${today}::date - week * 7 - 7
      and u.developer_id not in (select id from developer where is_unattributed)
    group by week order by week`.execute(tx)
  const [now, ...earlier] = rows
  const subject = { ...OF_EVERYONE, kind: "telemetry_coverage" } as const
  // A new organization grows: weeks without anybody are none to go by.
  const usual = earlier.filter(({ people }) => people > 0).toSorted((a, b) => a.people - b.people)
  const middle = usual[Math.floor(usual.length / 2)]
  if (now === undefined || middle === undefined || usual.length < WEEKS_MIN || !middle.isShown) {
    return [{ ...subject, verdict: "unknown" }]
  }
  if (now.people >= settings.share * middle.people) return [{ ...subject, verdict: "calm" }]
  const people = now.people === 0 || now.isShown ? now.people : null
  return [
    { ...subject, verdict: "firing", severity, facts: { kind: "telemetry_coverage", people, usual: middle.people } },
  ]
}

async function findIngestErrors(
  tx: TenantTx,
  { settings, severity }: RuleOf<"ingest_errors">,
  at: Date,
): Promise<readonly Finding[]> {
  const { rows } = await sql<{ requests: number; refused: number }>`
    select coalesce(sum(requests), 0)::float8 as requests,
      coalesce(sum((select sum(value::int8) from jsonb_each_text(refused))), 0)::float8 as refused
    from ingest_minute where minute > ${before(at, settings.minutes * 60_000)} and minute <= ${at}`.execute(tx)
  const { requests = 0, refused = 0 } = rows[0] ?? {}
  const subject = { ...OF_EVERYONE, kind: "ingest_errors" } as const
  if (requests === 0) return [{ ...subject, verdict: "unknown" }]
  if (requests < settings.requestsMin || refused / requests <= settings.share) return [{ ...subject, verdict: "calm" }]
  const facts = { kind: "ingest_errors", minutes: settings.minutes, requests, refused } as const
  return [{ ...subject, verdict: "firing", severity, facts }]
}

async function findCanary(
  tx: TenantTx,
  { settings, severity }: RuleOf<"canary">,
  at: Date,
): Promise<readonly Finding[]> {
  const { rows } = await sql<{ known: number; failed: number; agentTools: string[] }>`
    select count(*)::int as known, (count(*) filter (where canary_effect <> 'deny'))::int as failed,
      coalesce(array_agg(distinct agent_tool) filter (where canary_effect <> 'deny' and agent_tool is not null), '{}') as "agentTools"
    from policy_client where canary_at > ${before(at, 24 * HOUR_MS)} and canary_at <= ${at}`.execute(tx)
  const { known = 0, failed = 0, agentTools = [] } = rows[0] ?? {}
  const subject = { ...OF_EVERYONE, kind: "canary" } as const
  if (known === 0) return [{ ...subject, verdict: "unknown" }]
  if (failed < settings.clientsMin) return [{ ...subject, verdict: "calm" }]
  return [{ ...subject, verdict: "firing", severity, facts: { kind: "canary", clients: failed, agentTools } }]
}

/** Clients have this long to take what was published. */
const TAKEN_AFTER_MS = HOUR_MS

async function findCoverage(
  tx: TenantTx,
  { settings, severity }: RuleOf<"coverage">,
  at: Date,
): Promise<readonly Finding[]> {
  const { rows } = await sql<{ version: number | null; clients: number; current: number }>`
    select r.version, count(c.id)::int as clients, (count(c.id) filter (where c.version >= r.version))::int as current
    from (
      select max(version) as version from policy_release where released_at <= ${before(at, TAKEN_AFTER_MS)}
    ) r
    left join policy_client c on c.seen_at > ${before(at, 24 * HOUR_MS)} and c.seen_at <= ${at}
    group by r.version`.execute(tx)
  const { version = null, clients = 0, current = 0 } = rows[0] ?? {}
  const subject = { ...OF_EVERYONE, kind: "coverage" } as const
  if (version === null || clients === 0) return [{ ...subject, verdict: "unknown" }]
  if (clients < settings.clientsMin || current / clients >= settings.share) return [{ ...subject, verdict: "calm" }]
  return [{ ...subject, verdict: "firing", severity, facts: { kind: "coverage", clients, current, version } }]
}

const DENIALS_HOURS = 2
const DENIALS_DAYS = 7

/** In the hour that runs and the one before, beside the same hours of the seven days before. */
async function findDenials(
  tx: TenantTx,
  { settings, severity }: RuleOf<"denials">,
  at: Date,
): Promise<readonly Finding[]> {
  const { rows } = await sql<{ denials: number; people: number; usual: number; isShown: boolean }>`
    select coalesce(sum(d.signals) filter (where day = 0), 0)::float8 as denials,
      coalesce(sum(d.signals) filter (where day > 0), 0)::float8 / ${DENIALS_DAYS} as usual,
      count(distinct d.developer_id) filter (where day = 0) >= ${MIN_GROUP_SIZE} as "isShown"
    from generate_series(0, ${DENIALS_DAYS}::int) day
    join decision_hour d on d.hour <= ${at}::timestamptz - day * interval '1 day'
      and d.hour > ${at}::timestamptz - day * interval '1 day' - ${DENIALS_HOURS} * interval '1 hour'
    join decision_case c on c.org_id = d.org_id and c.id = d.case_id and c.effect = 'deny'`.execute(tx)
  const { denials = 0, usual = 0, isShown = false } = rows[0] ?? {}
  const subject = { ...OF_EVERYONE, kind: "denials" } as const
  if (!isShown || denials < settings.denialsMin || denials < settings.times * usual)
    return [{ ...subject, verdict: "calm" }]
  return [{ ...subject, verdict: "firing", severity, facts: { kind: "denials", denials, usual } }]
}

const REVIEW_DAYS = 28

/** A change counts for the task in it that began first, as on the page of outcomes. */
async function findReviewability(
  tx: TenantTx,
  { settings, severity }: RuleOf<"reviewability">,
  at: Date,
): Promise<readonly Finding[]> {
  const since = before(at, REVIEW_DAYS * 24 * HOUR_MS)
  const { rows } = await sql<{ merged: number; unreviewed: number; isShown: boolean }>`
    select count(*)::int as merged, (count(*) filter (where is_unreviewed))::int as unreviewed,
      count(distinct developer_id) filter (where is_unreviewed) >= ${MIN_GROUP_SIZE} as "isShown"
    from (
      select (array_agg(j.rung order by j.started_at, j.task_id))[1] as rung,
        (array_agg(j.developer_id order by j.started_at, j.task_id))[1] as developer_id,
        c.first_review_at is null or c.first_review_at > c.merged_at as is_unreviewed
      from change_request c
      join change_operation o using (org_id, provider, repository, number)
      join joined_operation j on j.org_id = o.org_id and j.operation_id = o.operation_id
      where c.updated_at > ${since} and c.merged_at > ${since} and c.merged_at <= ${at}
      group by c.org_id, c.provider, c.repository, c.number
    ) change
    where rung = 'orchestration'`.execute(tx)
  const { merged = 0, unreviewed = 0, isShown = false } = rows[0] ?? {}
  const subject = { ...OF_EVERYONE, rung: "orchestration", kind: "reviewability" } as const
  if (merged === 0) return [{ ...subject, verdict: "unknown" }]
  if (!isShown || merged < settings.changesMin || unreviewed < settings.share * merged) {
    return [{ ...subject, verdict: "calm" }]
  }
  return [
    {
      ...subject,
      verdict: "firing",
      severity,
      facts: { kind: "reviewability", days: REVIEW_DAYS, merged, unreviewed },
    },
  ]
}

const SIGN_IN_DAYS = 7

async function findSignInFailures(
  tx: TenantTx,
  { settings, severity }: RuleOf<"sign_in_failures">,
  at: Date,
): Promise<readonly Finding[]> {
  const since = before(at, settings.minutes * 60_000)
  const { rows } = await sql<{ failures: number; earlier: number }>`
    select (count(*) filter (where occurred_at > ${since}))::float8 as failures,
      (count(*) filter (where occurred_at <= ${since}))::float8 as earlier
    from audit_event
    where action = 'session.sign_in_failed'
      and occurred_at > ${before(since, SIGN_IN_DAYS * 24 * HOUR_MS)} and occurred_at <= ${at}`.execute(tx)
  const { failures = 0, earlier = 0 } = rows[0] ?? {}
  const usual = (earlier * settings.minutes) / (SIGN_IN_DAYS * 24 * 60)
  const subject = { ...OF_EVERYONE, kind: "sign_in_failures" } as const
  if (failures < settings.failuresMin || failures < settings.times * usual) return [{ ...subject, verdict: "calm" }]
  const facts = { kind: "sign_in_failures", minutes: settings.minutes, failures, usual } as const
  return [{ ...subject, verdict: "firing", severity, facts }]
}
