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
  /** Waits for what is made anew. */
  close(): Promise<void>
}

export interface Question<Answer> {
  readonly orgId: string
  /** All that the answer depends on besides time and what the organization has: page, range, team, choices. */
  readonly of: Readonly<Record<string, unknown>>
  readonly now: Date
  /** Nobody changes what it gives. */
  readonly ask: (tx: TenantTx) => Promise<Answer>
}

export interface AnswerAge {
  /** An answer is given as it is until it is so old, milliseconds. */
  readonly freshMs: number
  /** Until it is so old it is given once more, and made anew meanwhile. */
  readonly staleMs: number
}

export const ANSWER_AGE: AnswerAge = { freshMs: 60_000, staleMs: 10 * 60_000 }
/** Each has some hundred kilobytes at most. */
const KEPT_MAX = 200

interface Kept {
  readonly stamp: string
  readonly at: number
  readonly answer: Promise<unknown>
}

export function openAnswers(options: {
  readonly db: Kysely<DB>
  readonly age: AnswerAge
  readonly onError: (error: unknown) => void
}): Answers {
  const { db, age, onError } = options
  const kept = new Map<string, Kept>()
  /** Those that are made anew while an older one is given, one after the other: somebody may be waiting for another. */
  let renewing: Promise<unknown> = Promise.resolve()
  const isRenewed = new Set<string>()

  const keep = (key: string, one: Kept) => {
    // What was asked for last is at the end.
    kept.delete(key)
    kept.set(key, one)
    const [oldest] = kept.keys()
    if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest)
  }

  const make = <Answer>(key: string, stamp: string, { orgId, now, ask }: Question<Answer>): Promise<Answer> => {
    const answer = asTenant(db, orgId, ask)
    keep(key, { stamp, at: now.getTime(), answer })
    answer.catch(() => {
      if (kept.get(key)?.answer === answer) kept.delete(key)
    })
    return answer
  }

  const renew = <Answer>(key: string, stamp: string, question: Question<Answer>) => {
    if (isRenewed.has(key)) return
    isRenewed.add(key)
    const remake = async () => {
      const answer = await asTenant(db, question.orgId, question.ask)
      keep(key, { stamp, at: question.now.getTime(), answer: Promise.resolve(answer) })
    }
    renewing = renewing
      .then(remake)
      .catch(onError)
      .finally(() => isRenewed.delete(key))
  }

  return {
    async get<Answer>(question: Question<Answer>): Promise<Answer> {
      const { orgId, of, now } = question
      const key = `${orgId} ${JSON.stringify(of)}`
      const stamp = await asTenant(db, orgId, (tx) => readStamp(tx, now))
      const known = kept.get(key)
      const ageMs = known === undefined || known.stamp !== stamp ? Infinity : now.getTime() - known.at
      if (known === undefined || ageMs >= age.staleMs) return make(key, stamp, question)
      keep(key, known)
      if (ageMs >= age.freshMs) renew(key, stamp, question)
      // Under this key is what the same question gave.
      return known.answer as Promise<Answer>
    },
    async close() {
      await renewing
    },
  }
}

/** Changes with everything that changes figures of the past, or whose figures may be shown; and with the day. */
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
      (select max(version) from policy_release)
    )) as stamp`.execute(tx)
  return rows[0]?.stamp ?? ""
}
