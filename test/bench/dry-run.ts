import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { type Kysely, sql } from "kysely"
import type { PolicyDocument } from "#sdk/policy/document.ts"
import { openDatabase } from "#server/db/client.ts"
import { startEmbeddedPostgres } from "#server/db/embedded.ts"
import { migrate } from "#server/db/migrate.ts"
import type { DB } from "#server/db/types.ts"
import { type DryRunStep, runDryRun } from "#server/policy/dry-run.ts"
import { createOrganization } from "#server/team/bootstrap.ts"

/**
 * `npm run bench:dry-run`: what a draft would have done in a month of a large organization: 2,000 people in 40 teams, 300
 * repositories, a million decisions and prompts in working hours (`--decisions`), under a draft of 1,000 rules.
 *
 * Printed are the time until the first sign of progress, until the result, and what the process and the database connection
 * have grown by. The decisions are made by SQL as counting leaves them, by hour, person and case.
 */
const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    decisions: { type: "string" },
    rounds: { type: "string" },
  },
})
const decisions = Number(flags.decisions ?? (flags.quick ? 100_000 : 1_000_000))
const rounds = Number(flags.rounds ?? 3)
const PEOPLE = 2000
const TEAMS = 40
const REPOSITORIES = 300
const DAYS = 30
const DAY_MS = 86_400_000
const RULES = 1000
const now = new Date("2026-11-26T12:00:00Z")

const dataDir = await mkdtemp(path.join(tmpdir(), "belay-bench-"))
const postgres = await startEmbeddedPostgres({ dataDir, settings: { max_wal_size: "4GB" } })
try {
  await migrate(postgres.url)
  const open = (role: string | null) =>
    openDatabase({ url: postgres.url, max: 1, applicationName: "bench", ...(role !== null && { role }) })
  const [owner, app] = [open(null), open("belay_app")]
  try {
    await run(owner.kysely, app.kysely)
  } finally {
    await Promise.all([owner.close(), app.close()])
  }
} finally {
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
}

async function run(owner: Kysely<DB>, app: Kysely<DB>): Promise<void> {
  console.log(
    `Dry run: ${decisions.toLocaleString("en")} decisions of ${PEOPLE} people; node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(2)}.`,
  )
  const orgId = await createOrganization(owner, { name: "Bench", isDemo: false })
  await fill(owner, orgId)
  const counted = await sql<{ cases: number; hours: number; signals: number }>`
    select (select count(*)::int from decision_case) as cases, count(*)::int as hours, sum(signals)::int as signals
    from decision_hour`.execute(owner)
  const [{ cases, hours, signals } = { cases: 0, hours: 0, signals: 0 }] = counted.rows
  console.log(
    `${cases.toLocaleString("en")} cases, ${hours.toLocaleString("en")} rows by hour, person and case; ${RULES} rules in the draft`,
  )
  const ran: { firstMs: number; totalMs: number; rssMiB: number; steps: number }[] = []
  let result: DryRunStep | null = null
  for (let round = 0; round < rounds; round++) {
    const before = process.memoryUsage().rss
    let most = before
    const startedAt = performance.now()
    let firstMs = NaN
    let steps = 0
    const args = {
      orgId,
      target: { kind: "organization" },
      document: draft(),
      from: new Date(now.getTime() - DAYS * DAY_MS),
      to: now,
      timeZone: "UTC",
      now,
    } as const
    for await (const step of runDryRun(app, args)) {
      if (steps++ === 0) firstMs = performance.now() - startedAt
      most = Math.max(most, process.memoryUsage().rss)
      result = step
    }
    ran.push({ firstMs, totalMs: performance.now() - startedAt, rssMiB: (most - before) / 2 ** 20, steps })
    const last = ran.at(-1)
    if (last === undefined) continue
    console.log(
      `round ${round + 1}: first progress after ${(last.firstMs / 1000).toFixed(2)} s, done after ${(last.totalMs / 1000).toFixed(2)} s, ${Math.round((signals / last.totalMs) * 1000).toLocaleString("en")} decisions/s, ${last.rssMiB.toFixed(0)} MiB more, ${last.steps} steps`,
    )
  }
  if (result?.kind !== "done") throw new Error("no result")
  for (const { judged, change, count, people } of result.result.totals) {
    console.log(`  ${judged.padEnd(8)} ${change.padEnd(12)} ${String(count).padStart(9)} by ${people} people`)
  }
  const middle = (of: (one: (typeof ran)[number]) => number) =>
    Number((ran.map(of).toSorted((a, b) => a - b)[ran.length >> 1] ?? NaN).toFixed(1))
  const totalMs = middle((one) => one.totalMs)
  const report = {
    bench: "dry-run",
    ratios: {},
    figures: {
      decisions: signals,
      cases,
      rows: hours,
      first_progress_ms: middle((one) => one.firstMs),
      total_ms: totalMs,
      decisions_per_s: Math.round((signals / totalMs) * 1000),
      rss_mib: middle((one) => one.rssMiB),
      load_after: Number((loadavg()[0] ?? NaN).toFixed(2)),
    },
    run: { quick: flags.quick, rounds },
  }
  console.log(`\n${JSON.stringify(report)}`)
}

/** Rules on commands of which some are on record, and many that none is. */
function draft(): PolicyDocument {
  const rules = Array.from({ length: RULES }, (_, at) => ({
    id: `r${at}`,
    effect: (["deny", "ask", "allow"] as const)[at % 3] ?? "ask",
    action: "shell" as const,
    pattern: at < 20 ? `tool-${at} run *` : `program-${at} sub *`,
  }))
  return { schema: "belay.policy/1", permissions: { defaults: { mcp: "ask" }, rules } }
}

/** People and teams, what they came upon, and when. Everyone works in one repository, with one tool. */
async function fill(owner: Kysely<DB>, orgId: string): Promise<void> {
  await owner.transaction().execute(async (tx) => {
    const org = sql`${orgId}::uuid`
    await sql`
      insert into team (id, org_id, name)
      select md5('team ' || n)::uuid, ${org}, 'Team ' || n from generate_series(0, ${TEAMS - 1}::int) n`.execute(tx)
    await sql`
      insert into developer (id, org_id, pseudonym)
      select md5('person ' || n)::uuid, ${org}, 'person-' || n from generate_series(0, ${PEOPLE - 1}::int) n`.execute(
      tx,
    )
    await sql`
      insert into team_member (org_id, developer_id, team_id, valid_from)
      select ${org}, md5('person ' || n)::uuid, md5('team ' || n % ${TEAMS}::int)::uuid, '2026-01-01'
      from generate_series(0, ${PEOPLE - 1}::int) n`.execute(tx)
    await sql`
      insert into dimension (org_id, kind, value)
      select ${org}, 'agent_tool'::dimension_kind, 'tool-' || n from generate_series(0, 4) n
      union all select ${org}, 'repository', 'acme/repository-' || n from generate_series(0, ${REPOSITORIES - 1}::int) n`.execute(
      tx,
    )
    // Sixty actions in each repository: most are commands, a sixth is on tools of MCP servers, and a fifth are prompts.
    await sql`
      insert into decision_case (org_id, id, kind, rung, agent_tool_id, surface, repository_id, action, effect, because, outcome, origin)
      select ${org}, md5('case ' || repository || ' ' || action || ' ' || rung)::uuid,
        (case when action % 5 = 0 then 'permission' else 'policy_decision' end)::signal_kind,
        (case when rung = 0 then 'agent' else 'orchestration' end)::rung,
        (select id from dimension d where d.org_id = ${org} and d.kind = 'agent_tool' and value = 'tool-' || repository % 5),
        'terminal', r.id,
        case when action % 6 = 0 then 'server-' || action || '/get' else 'tool-' || action || ' run' end,
        (case when action % 5 <> 0 then 'allow' end)::policy_effect,
        (case when action % 5 <> 0 then 'unset' end)::policy_because,
        (case when action % 5 = 0 then 'accepted' end)::outcome, (case when action % 5 = 0 then 'human' end)::origin
      from generate_series(0, ${REPOSITORIES - 1}::int) repository
      join dimension r on r.org_id = ${org} and r.kind = 'repository' and r.value = 'acme/repository-' || repository,
        generate_series(0, 59) action, generate_series(0, 1) rung`.execute(tx)
    await sql`
      insert into decision_hour (org_id, hour, developer_id, case_id, signals)
      select ${org}, hour, md5('person ' || person)::uuid,
        md5('case ' || person % ${REPOSITORIES}::int || ' ' || action || ' ' || rung)::uuid, count(*)
      from (
        select ${now.toISOString()}::timestamptz - make_interval(days => 1 + n / 8 % ${DAYS}::int, hours => n % 8) as hour,
          floor(${PEOPLE}::int * random())::int as person,
          -- A few actions are most of what is done.
          floor(60 * power(random(), 2))::int as action, (random() < 0.3)::int as rung
        from generate_series(0, ${decisions - 1}::int) n
      ) made
      group by hour, person, action, rung`.execute(tx)
  })
  await sql`analyze`.execute(owner)
}
