import { type Kysely, sql } from "kysely"
import type { DB } from "./db/types.ts"
import { asTenant, type TenantTx } from "./db/tenant.ts"

/**
 * Answers that take a large organization's rollups a second or more, kept for whoever asks the same next. What decides on
 * whose figures may be shown is looked at every time: a changed team, merged person, privacy floor, price or policy makes
 * an answer anew. New signals do not: an answer says itself how fresh it is.
 */
export interface Answers {
  /** Not to be asked within a transaction: it takes a connection of its own. */
  get<Answer>(question: Question<Answer>): Promise<Answer>
  /**
   * Makes what is `standing` and what was asked for in the last days, as far as it would not be given now: so that whoever
   * opens on a Monday what they look at on Mondays does not wait. Organizations take turns, and each has its oldest answer
   * made first. Takes its time: what is left is for the next time.
   */
  prepare(now: Date, standing: readonly Question<unknown>[]): Promise<void>
  /** Waits for what is made anew. */
  close(): Promise<void>
}

export interface Question<Answer> {
  readonly orgId: string
  /** All that the answer depends on besides time and what the organization has: page, range by name, team, zone, choices. */
  readonly of: Readonly<Record<string, unknown>>
  readonly now: Date
  /** The question as it is put at a time: of weeks that go on with it. */
  readonly at: (now: Date) => TimedQuestion<Answer>
}

interface TimedQuestion<Answer> {
  /** The weeks. */
  readonly period: Readonly<Record<string, unknown>>
  /** Nobody changes what it gives. */
  readonly ask: (tx: TenantTx) => Promise<Answer>
}

export interface AnswerAge {
  /** An answer is given as it is until it is so old, milliseconds. */
  readonly freshMs: number
  /** Until it is so old it is given once more, and made anew meanwhile. */
  readonly staleMs: number
  /**
   * No longer than so many times as long as it took to make, and ten times that: of a small organization, whose answers take
   * little, they are as new as if they were not kept.
   */
  readonly timesMade: number
}

export const ANSWER_AGE: AnswerAge = { freshMs: 60_000, staleMs: 10 * 60_000, timesMade: 30 }
/** Each has some hundred kilobytes at most. */
const KEPT_MAX = 200
/** Questions are prepared so long after they were last asked: a week and a day. */
const PREPARED_MS = 8 * 86_400_000
/** Of all questions that were asked, the last; what is standing comes besides. */
const PREPARED_MAX = 60
/** At most so long at a time, which is a quarter of it when that is every minute. */
const PREPARING_MS = 15_000

interface Kept {
  readonly stamp: string
  readonly at: number
  readonly answer: Promise<unknown>
  /** How long it took; null while it is made. */
  tookMs: number | null
}

/** A question whose answer is to be made. */
interface Due {
  readonly key: string
  readonly stamp: string
  readonly question: Question<unknown>
  /** Whether the answer that there is would still be given. */
  readonly isGiven: boolean
}

export function openAnswers(options: {
  readonly db: Kysely<DB>
  readonly age: AnswerAge
  readonly onError: (error: unknown) => void
}): Answers {
  const { db, age, onError } = options
  const kept = new Map<string, Kept>()
  /** By what they are of, those that were asked last at the end, with when that was. */
  const questions = new Map<string, Question<unknown>>()
  /** Those that are made anew while an older one is given, one after the other: somebody may be waiting for another. */
  let renewing: Promise<unknown> = Promise.resolve()
  const isRenewed = new Set<string>()
  /** Organizations whose answers are prepared; whose turn was longest ago comes first. */
  const turns = new Set<string>()

  const freshOf = ({ tookMs }: Kept) => (tookMs === null ? age.freshMs : Math.min(age.freshMs, tookMs * age.timesMade))
  const staleOf = ({ tookMs }: Kept) =>
    tookMs === null ? age.staleMs : Math.min(age.staleMs, tookMs * age.timesMade * 10)

  const make = <Answer>(key: string, stamp: string, { orgId, now, at }: Question<Answer>): Promise<Answer> => {
    const began = performance.now()
    const answer = askLargely(db, orgId, at(now).ask)
    const made: Kept = { stamp, at: now.getTime(), answer, tookMs: null }
    putLast(kept, key, made, KEPT_MAX)
    const isDone = answer.then(() => performance.now() - began)
    isDone.then(
      (tookMs) => (made.tookMs = tookMs),
      () => kept.get(key) === made && kept.delete(key),
    )
    return answer
  }

  const remake = async (key: string, stamp: string, { orgId, now, at }: Question<unknown>) => {
    const began = performance.now()
    const answer = await askLargely(db, orgId, at(now).ask)
    const tookMs = performance.now() - began
    putLast(kept, key, { stamp, at: now.getTime(), answer: Promise.resolve(answer), tookMs }, KEPT_MAX)
  }

  /** Those that are too old, or soon will be, in the order in which they are made. */
  const dueOf = (wanted: readonly (readonly [string, Question<unknown>])[], stamp: string, now: Date): Due[] =>
    wanted
      .flatMap(([key, question]) => {
        const known = kept.get(key)
        if (known?.stamp !== stamp) return [{ key, stamp, question, madeAt: 0, isGiven: false }]
        const [madeAt, staleMs] = [known.at, staleOf(known)]
        const ageMs = now.getTime() - madeAt
        // A little before it would not be given any more, as this is done every so often. What would be too old by the next
        // time is made quickly by whoever asks.
        const isDue = ageMs >= staleMs - 2 * age.freshMs && staleMs >= 2 * age.freshMs
        return isDue ? [{ key, stamp, question, madeAt, isGiven: ageMs < staleMs }] : []
      })
      .toSorted((a, b) => a.madeAt - b.madeAt)

  const renew = (key: string, stamp: string, question: Question<unknown>) => {
    if (isRenewed.has(key)) return
    isRenewed.add(key)
    renewing = renewing
      .then(() => remake(key, stamp, question))
      .catch(onError)
      .finally(() => isRenewed.delete(key))
  }

  return {
    async get<Answer>(question: Question<Answer>): Promise<Answer> {
      const { orgId, of, now } = question
      putLast(questions, JSON.stringify([orgId, of]), question, PREPARED_MAX)
      const key = keyOf(question)
      const stamp = await asTenant(db, orgId, (tx) => readStamp(tx, now))
      const known = kept.get(key)
      const ageMs = known === undefined || known.stamp !== stamp ? Infinity : now.getTime() - known.at
      if (known === undefined || ageMs >= staleOf(known)) return make(key, stamp, question)
      putLast(kept, key, known, KEPT_MAX)
      if (ageMs >= freshOf(known)) renew(key, stamp, question)
      // Under this key is what the same question gave.
      return known.answer as Promise<Answer>
    },
    async prepare(now, standing) {
      const began = performance.now()
      for (const [name, asked] of questions) {
        if (now.getTime() - asked.now.getTime() >= PREPARED_MS) questions.delete(name)
      }
      const wanted = new Map<string, Question<unknown>>()
      for (const question of [...standing, ...[...questions.values()].toReversed()]) {
        const current = { ...question, now }
        wanted.set(keyOf(current), current)
      }
      const due = new Map<string, Due[]>()
      for (const [orgId, theirs] of Map.groupBy(wanted, ([, question]) => question.orgId)) {
        const stamp = await asTenant(db, orgId, (tx) => readStamp(tx, now))
        due.set(orgId, dueOf(theirs, stamp, now))
        turns.add(orgId)
      }
      while (performance.now() - began < PREPARING_MS) {
        const orgId = [...turns].find((id) => due.get(id)?.length)
        const next = orgId === undefined ? undefined : due.get(orgId)?.shift()
        if (orgId === undefined || next === undefined) return
        turns.delete(orgId)
        turns.add(orgId)
        const { key, stamp, question, isGiven } = next
        // Who asks for what is given to nobody meanwhile waits for this.
        await (isGiven ? remake : make)(key, stamp, question).catch(onError)
      }
    },
    async close() {
      await renewing
    },
  }
}

/**
 * Questions go through all days of a large organization's people. Compiling them takes longer than it saves, and the memory
 * is given back with the transaction.
 */
function askLargely<Answer>(db: Kysely<DB>, orgId: string, ask: (tx: TenantTx) => Promise<Answer>): Promise<Answer> {
  return asTenant(db, orgId, async (tx) => {
    await sql`set local jit = off`.execute(tx)
    await sql`set local work_mem = '64MB'`.execute(tx)
    return ask(tx)
  })
}

function keyOf({ orgId, of, now, at }: Question<unknown>): string {
  return JSON.stringify([orgId, of, at(now).period])
}

/** Puts it behind all others, and lets go of the first when there are more than so many. */
function putLast<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key)
  map.set(key, value)
  const [first] = map.keys()
  if (map.size > max && first !== undefined) map.delete(first)
}

/**
 * Changes with everything that changes figures of the past, or whose figures may be shown; with the day; and when an organization has
 * twice as much as it had, as it does when its history comes in.
 */
async function readStamp(tx: TenantTx, now: Date): Promise<string> {
  const { rows } = await sql<{ stamp: string }>`
    select md5(concat_ws('|',
      (select (min_group_size, time_zone, (${now}::timestamptz at time zone time_zone)::date)::text from org),
      (select md5(string_agg((id, parent_team_id)::text, ',' order by id)) from team),
      (select md5(string_agg((developer_id, team_id, valid_from, valid_to)::text, ',' order by developer_id, valid_from))
        from team_member),
      (select (count(*), md5(string_agg((id, merged_into_id)::text, ',' order by id) filter (where merged_into_id is not null)))::text
        from developer),
      (select max(sequence) from model_price),
      (select max(version) from policy_release),
      (select floor(log(2, 1 + max(steps))) from rollup_state),
      (select floor(log(2, 1 + count(*))) from (select from joined_operation limit 1023) few)
    )) as stamp`.execute(tx)
  return rows[0]?.stamp ?? ""
}
