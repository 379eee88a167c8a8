import { type RawBuilder, sql } from "kysely"
import { parseToken } from "#sdk/token.ts"
import type { TenantTx } from "../db/tenant.ts"
import type { Json } from "../db/types.ts"
import { type ChangeEvent, changeEventSchema, eventIdOf, type Provider } from "./events.ts"
import { isFirm } from "./evidence.ts"
import { type Change, foldChange, identityOfChange } from "./fold.ts"
import { noteNews } from "./news.ts"

interface Of {
  readonly orgId: string
  readonly provider: Provider
  readonly now: Date
}

/**
 * Stores what a code host said and folds anew the changes that it is about. What was said before changes nothing, and the
 * order in which it is said neither.
 */
export async function recordChangeEvents(
  tx: TenantTx,
  { events, ...of }: Of & { readonly events: readonly ChangeEvent[] },
): Promise<void> {
  const byRepository = Map.groupBy(events, (event) => event.repository)
  let isNews = false
  // In one order, since each is locked.
  for (const repository of [...byRepository.keys()].toSorted()) {
    const said = byRepository.get(repository) ?? []
    // One writer at a time in a repository: each reads all that is known of a change.
    await sql`select pg_advisory_xact_lock(hashtext('belay_change'), hashtext(${of.orgId + repository}))`.execute(tx)
    if (!(await insertEvents(tx, of, said))) continue
    const touched = await findTouched(tx, of, repository, said)
    for (const number of touched) await refold(tx, of, repository, number)
    // What was taken back by what was taken back stands again.
    const others = await findTakenBackBy(tx, of, repository, touched, said)
    for (const number of others) await refold(tx, of, repository, number)
    const numbers = [...touched, ...others]
    await noteOutcomes(
      tx,
      sql`c.provider = ${of.provider} and c.repository = ${repository} and c.number = any(${numbers}::integer[])`,
      of.now,
    )
    isNews = true
  }
  if (isNews) await noteNews(tx, of.orgId)
}

/** Whether any is new. */
async function insertEvents(
  tx: TenantTx,
  { orgId, provider, now }: Of,
  events: readonly ChangeEvent[],
): Promise<boolean> {
  const result = await tx
    .insertInto("change_event")
    .values(
      events.map((event) => ({
        org_id: orgId,
        event_id: eventIdOf(provider, event),
        provider,
        repository: event.repository,
        number: "number" in event ? event.number : null,
        branch: "branch" in event ? event.branch : null,
        commit_id: "commitId" in event ? event.commitId : null,
        reverts: sql<string[]>`${"reverts" in event ? event.reverts : []}::text[]`,
        reverts_numbers: sql<number[]>`${"revertsNumbers" in event ? event.revertsNumbers : []}::integer[]`,
        event: sql<Json>`${JSON.stringify(event)}::text::jsonb`,
        received_at: now,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** The changes that these events are about: by number, branch or commit, or because they are taken back. */
async function findTouched(
  tx: TenantTx,
  { provider }: Of,
  repository: string,
  events: readonly ChangeEvent[],
): Promise<readonly number[]> {
  const numbers = events.flatMap((event) => ("number" in event ? [event.number] : []))
  const reverted = events.flatMap((event) => (event.kind === "state" ? event.revertsNumbers : []))
  const branches = events.flatMap((event) => ("branch" in event ? [event.branch] : []))
  const commits = events.flatMap((event) => [
    ...("commitId" in event ? [event.commitId] : []),
    ...("reverts" in event ? event.reverts : []),
  ])
  const known = await sql<{ number: number }>`
    select number from change_request
    where provider = ${provider} and repository = ${repository}
      and (branch = any(${branches}::text[]) or commit_ids && ${commits}::text[] or number = any(${reverted}::integer[]))
    `.execute(tx)
  return [...new Set([...numbers, ...known.rows.map((row) => row.number)])].toSorted((a, b) => a - b)
}

/** Reverts of reverts of reverts. */
const REVERTS_DEEP = 20

/** The changes that these take back, and that those take back, and so on; without these. */
async function findTakenBackBy(
  tx: TenantTx,
  { provider }: Of,
  repository: string,
  touched: readonly number[],
  events: readonly ChangeEvent[],
): Promise<readonly number[]> {
  const found = new Set(touched)
  let numbers: readonly number[] = touched
  let commits: readonly string[] = events.flatMap((event) => ("commitId" in event ? [event.commitId] : []))
  for (let depth = 0; depth < REVERTS_DEEP && numbers.length + commits.length > 0; depth++) {
    const said = await sql<{ reverts: string[]; numbers: number[] }>`
      with commits as (
        select unnest(${commits}::text[]) as id
        union select unnest(commit_ids) from change_request
        where provider = ${provider} and repository = ${repository} and number = any(${numbers}::integer[])
      )
      select reverts, reverts_numbers as numbers from change_event
      where provider = ${provider} and repository = ${repository} and (reverts <> '{}' or reverts_numbers <> '{}')
        and (number = any(${numbers}::integer[]) or commit_id in (select id from commits))`.execute(tx)
    commits = said.rows.flatMap((row) => row.reverts)
    const reverted = await sql<{ number: number }>`
      select number from change_request
      where provider = ${provider} and repository = ${repository} and (
        commit_ids && ${commits}::text[] or number = any(${said.rows.flatMap((row) => row.numbers)}::integer[])
      )`.execute(tx)
    numbers = reverted.rows.flatMap(({ number }) => (found.has(number) ? [] : number))
    for (const number of numbers) found.add(number)
  }
  return [...found].filter((number) => !touched.includes(number)).toSorted((a, b) => a - b)
}

async function refold(tx: TenantTx, of: Of, repository: string, number: number): Promise<void> {
  const { provider } = of
  const read = async (condition: RawBuilder<unknown>): Promise<readonly ChangeEvent[]> => {
    const found = await sql<{ event: unknown }>`
      select event from change_event where provider = ${provider} and repository = ${repository} and (${condition})`.execute(
      tx,
    )
    return found.rows.map((row) => changeEventSchema.parse(row.event))
  }
  const own = await read(sql`number = ${number}`)
  const states = own.filter((event) => event.kind === "state")
  const identity = identityOfChange(states)
  // Reviewed before it was opened, as far as we heard.
  if (identity === null) return

  const { branch, openedAt, closedAt, knownCommits } = identity
  const before = await sql<{ closed_at: Date | null }>`
    select max(closed_at) as closed_at from change_request
    where provider = ${provider} and repository = ${repository} and branch = ${branch} and number <> ${number}
      and closed_at < ${openedAt}::timestamptz`.execute(tx)
  const [from, to] = [before.rows[0]?.closed_at?.toISOString() ?? "", closedAt ?? "9999"]
  const pushed = await read(
    sql`branch = ${branch} and commit_id is not null or commit_id = any(${knownCommits}::text[])`,
  )
  const commits = pushed
    .filter((event) => event.kind === "commit")
    .filter((event) => {
      if (knownCommits.includes(event.commitId)) return true
      // A branch may be of a change before, and after.
      return event.branch === branch && !event.isDefault && event.at > from && event.at <= to
    })
  const commitIds = [...new Set([...knownCommits, ...commits.map((event) => event.commitId)])]
  const ofCommits = await read(sql`commit_id = any(${commitIds}::text[])`)
  const { reverting, changeOf } = await readReverting(tx, of, { repository, number, commitIds, read })
  const change = foldChange({ states, commits, others: [...own, ...ofCommits], reverting, changeOf })
  if (change !== null) await writeChange(tx, of, { repository, number, change })
}

/** All that says to take the change back, to take that back, and so on; and which of their commits are of which change. */
async function readReverting(
  tx: TenantTx,
  { provider }: Of,
  args: {
    readonly repository: string
    readonly number: number
    readonly commitIds: readonly string[]
    readonly read: (condition: RawBuilder<unknown>) => Promise<readonly ChangeEvent[]>
  },
): Promise<{ readonly reverting: readonly ChangeEvent[]; readonly changeOf: ReadonlyMap<string, number> }> {
  const { repository, number, commitIds, read } = args
  const changeOf = new Map<string, number>()
  const reverting = new Map<string, ChangeEvent>()
  let numbers: readonly number[] = [number]
  let commits: readonly string[] = commitIds
  for (let depth = 0; depth < REVERTS_DEEP && numbers.length + commits.length > 0; depth++) {
    const found = await read(
      sql`reverts && ${commits}::text[] and reverts <> '{}' or reverts_numbers && ${numbers}::integer[] and reverts_numbers <> '{}'`,
    )
    const fresh = found.filter((event) => !reverting.has(JSON.stringify(event)))
    for (const event of fresh) reverting.set(JSON.stringify(event), event)
    const own = fresh.flatMap((event) => ("commitId" in event ? [event.commitId] : []))
    const changes = await sql<{ number: number; commits: string[] }>`
      select number, commit_ids as commits from change_request
      where provider = ${provider} and repository = ${repository} and (
        number = any(${fresh.flatMap((event) => ("number" in event ? [event.number] : []))}::integer[])
        or commit_ids && ${own}::text[]
      ) order by number`.execute(tx)
    for (const change of changes.rows) {
      for (const commit of change.commits) if (!changeOf.has(commit)) changeOf.set(commit, change.number)
    }
    numbers = changes.rows.map((change) => change.number)
    commits = fresh.length === 0 ? [] : [...new Set([...own, ...changes.rows.flatMap((change) => change.commits)])]
  }
  return { reverting: [...reverting.values()], changeOf }
}

async function writeChange(
  tx: TenantTx,
  { orgId, provider, now }: Of,
  { repository, number, change }: { repository: string; number: number; change: Change },
): Promise<void> {
  const values = {
    branch: change.branch,
    commit_ids: sql<string[]>`${change.commitIds}::text[]`,
    opened_at: change.openedAt,
    begun_at: change.begunAt,
    authors: sql<string[]>`${change.authors}::text[]`,
    first_review_at: change.firstReviewAt,
    approved_at: change.approvedAt,
    reviews: change.reviews,
    rounds: change.rounds,
    checked_at: change.checkedAt,
    failed_checks: change.failedChecks,
    closed_at: change.closedAt,
    merged_at: change.mergedAt,
    deployed_at: change.deployedAt,
    reverted_at: change.revertedAt,
    restored_at: change.restoredAt,
    abandoned_at: change.abandonedAt,
    lines_added: change.linesAdded,
    lines_removed: change.linesRemoved,
    files_changed: change.filesChanged,
    file_kinds: sql<Json>`${JSON.stringify(change.fileKinds)}::text::jsonb`,
    updated_at: now,
    is_join_due: true,
  }
  const of = { org_id: orgId, provider, repository, number }
  await tx
    .insertInto("change_request")
    .values({ ...of, ...values })
    .onConflict((conflict) => conflict.columns(["org_id", "provider", "repository", "number"]).doUpdateSet(values))
    .execute()
  const joined = [
    ...new Map(
      change.operations
        .flatMap((token) => parseToken(token) ?? [])
        // The last of an operation stays: the one with the greatest session.
        .toSorted((a, b) => ((a.sessionId ?? "") < (b.sessionId ?? "") ? -1 : 1))
        .map((ref) => [ref.operationId, ref] as const),
    ).values(),
  ]
  if (joined.length === 0) return
  await tx
    .insertInto("change_operation")
    .values(
      joined.map(({ operationId, rung, sessionId }) => ({
        ...of,
        operation_id: operationId,
        evidence: "trailer",
        rung,
        session_id: sessionId ?? null,
        joined_at: now,
      })),
    )
    // Of two trailers that differ in it alone the greater session, whichever was heard of first.
    .onConflict((conflict) =>
      conflict
        .columns(["org_id", "provider", "repository", "number", "operation_id", "evidence"])
        .doUpdateSet({ session_id: sql`greatest(change_operation.session_id, excluded.session_id)` }),
    )
    .execute()
}

/** How long after its last word a change is still looked at for commits that agents say they made. */
const JOINED_WITHIN_MS = 30 * 86_400_000

/**
 * Joins changes to the operations whose agents said that they made one of its commits: those that were written since they
 * were joined, or all. Returns how many joins are new.
 */
export async function joinByCommit(
  tx: TenantTx,
  { now, orgId, isAll }: { readonly now: Date; readonly orgId: string; readonly isAll: boolean },
): Promise<number> {
  const since = new Date(now.getTime() - JOINED_WITHIN_MS)
  // Agents say the first digits, as git prints them.
  const result = await sql`
    with due as (
      update change_request set is_join_due = false where is_join_due returning provider, repository, number
    )
    insert into change_operation (org_id, provider, repository, number, operation_id, evidence, joined_at)
    select distinct c.org_id, c.provider, c.repository, c.number, o.operation_id, 'commit_id', ${now}::timestamptz
    from change_request c
    cross join unnest(c.commit_ids) as of_change(commit_id)
    join operation_commit o on o.org_id = c.org_id and o.commit_id = any(array(
      select left(of_change.commit_id, digits) from generate_series(7, length(of_change.commit_id)) digits
    ))
    where c.updated_at >= ${since}::timestamptz
      and (${isAll} or (c.provider, c.repository, c.number) in (select provider, repository, number from due))
    on conflict do nothing`.execute(tx)
  const joins = Number(result.numAffectedRows ?? 0)
  if (joins > 0) {
    await noteOutcomes(tx, sql`o.evidence = 'commit_id' and o.joined_at = ${now}::timestamptz`, now)
    await noteNews(tx, orgId)
  }
  return joins
}

/**
 * Notes what became of the operations in the changes that meet the condition, as far as a trailer or a commit says that
 * they are in them: what is noted becomes a signal, which is not taken back.
 */
async function noteOutcomes(tx: TenantTx, condition: RawBuilder<unknown>, now: Date): Promise<void> {
  // What waits takes an earlier time; what is a signal already stays one.
  await sql`
    insert into late_outcome as l (org_id, source_id, operation_id, outcome, origin, occurred_at, undone_at, received_at)
    select distinct c.org_id, concat('change:', c.provider, ':', c.repository, '#', c.number, ':', o.operation_id, ':', v.outcome),
      o.operation_id, v.outcome::outcome, 'human'::origin, v.at, v.undone_at, ${now}::timestamptz
    from change_request c
    join change_operation o using (org_id, provider, repository, number)
    cross join lateral (
      values ('merged', c.merged_at, null::timestamptz), ('reverted', c.reverted_at, c.restored_at),
        ('abandoned', c.abandoned_at, null)
    ) as v(outcome, at, undone_at)
    where v.at is not null and ${isFirm("o.evidence")} and (${condition})
    on conflict (org_id, source_id) do update set
      occurred_at = case when l.state = 'waiting' then least(l.occurred_at, excluded.occurred_at) else l.occurred_at end,
      undone_at = excluded.undone_at
    where l.state = 'waiting' and excluded.occurred_at < l.occurred_at
      or l.undone_at is distinct from excluded.undone_at`.execute(tx)
}
