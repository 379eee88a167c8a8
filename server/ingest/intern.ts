import { type Kysely, sql } from "kysely"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { identityHash, pseudonymOf } from "../team/pseudonyms.ts"
import type { IngestMeter } from "./meter.ts"
import { type DimensionKind, dimensionsOf, type InternedNames } from "./rows.ts"
import type { Identity, Signal } from "./signal.ts"

/**
 * Turns names and identities into the small ids that signals carry.
 *
 * Ids are committed before the signals that use them, and only then remembered, so a rolled-back batch leaves no id
 * that points nowhere. A name without a signal is harmless.
 */
export interface Interner {
  intern(orgId: string, signals: readonly Signal[]): Promise<(signal: Signal) => InternedNames>
}

/** Stands for every name of its kind that is one too many. */
export const OTHER_NAME = "(other)"

/**
 * New names of one kind that one organization may bring in an hour, and in all. A company of a thousand people works in
 * some hundreds of repositories on its first day, and then with a few new ones a week; a source that puts an id into a
 * name makes thousands an hour. Past the second number no filter of a page is of use any more, and all seven kinds
 * still fit into what is remembered.
 */
export const NAME_LIMITS = { perHour: 500, inAll: 5000 }

/** Past this many remembered names an organization's memory is dropped and filled again from the database. */
const NAMES_REMEMBERED = 50_000
/** A person who was removed is forgotten here after as long, and a name that was one too many has another try. */
const REMEMBERED_MS = 60_000

interface OrgNames {
  readonly pseudonymKey: Uint8Array
  readonly unattributedId: string
  readonly dimensions: Dimensions
  /** Names that were one too many, with the id of `OTHER_NAME` of their kind. */
  readonly folded: Dimensions
  /** By what the source calls the person: hashing it for every signal would cost more than all the rest. */
  readonly developers: Readonly<Record<Identity["kind"], Map<string, string>>>
  /** When the people and the folded names were last forgotten. */
  readonly since: number
}

type Dimensions = Readonly<Record<DimensionKind, Map<string, number>>>

export interface InternerOptions {
  readonly now: () => Date
  readonly meter?: IngestMeter | undefined
  readonly limits?: typeof NAME_LIMITS
}

export function createInterner(db: Kysely<DB>, options: InternerOptions): Interner {
  const { now, meter, limits = NAME_LIMITS } = options
  const orgs = new Map<string, OrgNames>()

  async function namesOf(orgId: string): Promise<OrgNames> {
    const at = now().getTime()
    const known = orgs.get(orgId)
    const isFull = known !== undefined && countNames(known) >= NAMES_REMEMBERED
    const isOld = known !== undefined && at - known.since >= REMEMBERED_MS
    if (known !== undefined && !isFull && !isOld) return known
    // A new one each time: batches in hand keep what they were given.
    const kept = known === undefined || isFull ? await loadOrg(db, orgId) : known
    const names = { ...kept, folded: noDimensions(), developers: noDevelopers(), since: at }
    orgs.set(orgId, names)
    return names
  }

  return {
    async intern(orgId, signals) {
      const names = await namesOf(orgId)
      await internDimensions(db, orgId, names, signals, { now: now(), limits })
      await internDevelopers(db, orgId, names, signals)
      if (meter !== undefined) countFolded(meter, orgId, names, signals)
      const dimension = (kind: DimensionKind, value: string) =>
        required(names.dimensions[kind].get(value) ?? names.folded[kind].get(value))
      return (signal) => ({
        developerId:
          signal.developerId ??
          (signal.identity === null
            ? names.unattributedId
            : required(names.developers[signal.identity.kind].get(signal.identity.value))),
        dimension,
      })
    },
  }
}

function noDimensions(): Dimensions {
  return {
    agent_tool: new Map(),
    agent_version: new Map(),
    mode: new Map(),
    model: new Map(),
    provider: new Map(),
    language: new Map(),
    repository: new Map(),
  }
}

function noDevelopers(): OrgNames["developers"] {
  return { email: new Map(), account: new Map(), installation: new Map(), user: new Map() }
}

async function loadOrg(db: Kysely<DB>, orgId: string): Promise<Omit<OrgNames, "developers" | "folded" | "since">> {
  return asTenant(db, orgId, async (tx) => {
    const org = await tx.selectFrom("org").select("pseudonym_key").where("id", "=", orgId).executeTakeFirstOrThrow()
    const unattributed = await tx
      .selectFrom("developer")
      .select("id")
      .where("org_id", "=", orgId)
      .where("is_unattributed", "=", true)
      .executeTakeFirstOrThrow()
    return {
      pseudonymKey: org.pseudonym_key,
      unattributedId: unattributed.id,
      dimensions: noDimensions(),
    }
  })
}

function countNames({ dimensions, folded, developers }: OrgNames): number {
  return [dimensions, folded, developers]
    .flatMap((names) => Object.values<Map<string, unknown>>(names))
    .reduce((sum, names) => sum + names.size, 0)
}

interface Name {
  readonly kind: DimensionKind
  readonly value: string
}

async function internDimensions(
  db: Kysely<DB>,
  orgId: string,
  names: OrgNames,
  signals: readonly Signal[],
  guard: { now: Date; limits: typeof NAME_LIMITS },
): Promise<void> {
  const missing = new Map<string, Name>()
  /** When a version of a tool was first at work, by the version and the tool. */
  const firstUses = new Map<string, { version: string; subject: string; unixNano: bigint }>()
  for (const signal of signals) {
    if (hasNames(names, signal)) continue
    for (const [kind, value] of dimensionsOf(signal)) {
      if (value === null || names.dimensions[kind].has(value) || names.folded[kind].has(value)) continue
      missing.set(dimensionKey(kind, value), { kind, value })
      if (kind !== "agent_version") continue
      const subject = `${signal.agentTool} ${value}`
      const first = firstUses.get(subject)
      if (first === undefined || signal.observedUnixNano < first.unixNano) {
        firstUses.set(subject, { version: value, subject, unixNano: signal.observedUnixNano })
      }
    }
  }
  if (missing.size === 0) return
  const wanted = [...missing.values()].toSorted((a, b) =>
    dimensionKey(a.kind, a.value) < dimensionKey(b.kind, b.value) ? -1 : 1,
  )
  const found = await asTenant(db, orgId, async (tx) => {
    const known = await findDimensions(tx, orgId, wanted)
    const isKnown = (name: Name) => known.has(dimensionKey(name.kind, name.value))
    const unknown = wanted.filter((name) => !isKnown(name))
    if (unknown.length > 0) {
      await insertDimensions(tx, orgId, unknown, guard)
      const others = [...new Set(unknown.map(({ kind }) => kind))].map((kind) => ({ kind, value: OTHER_NAME }))
      for (const [key, id] of await findDimensions(tx, orgId, [...unknown, ...others])) known.set(key, id)
    }
    const changes = [...firstUses.values()].filter(({ version }) => isKnown({ kind: "agent_version", value: version }))
    if (changes.length > 0) {
      await tx
        .insertInto("change")
        .values(
          changes.map(({ subject, unixNano }) => ({
            org_id: orgId,
            kind: "agent_version",
            subject,
            occurred_at: new Date(Number(unixNano / 1_000_000n)),
            recorded_at: guard.now,
          })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    }
    return known
  })
  for (const { kind, value } of wanted) {
    const id = found.get(dimensionKey(kind, value))
    if (id !== undefined) names.dimensions[kind].set(value, id)
    else names.folded[kind].set(value, required(found.get(dimensionKey(kind, OTHER_NAME))))
  }
}

/** Ids of those names that there are, by `dimensionKey`. */
async function findDimensions(tx: TenantTx, orgId: string, names: readonly Name[]): Promise<Map<string, number>> {
  const { rows } = await sql<Name & { id: number }>`
    select d.id, d.kind, d.value
    from dimension d
    join unnest(${names.map((name) => name.kind)}::text[], ${names.map((name) => name.value)}::text[])
      as wanted(kind, value) on d.kind = wanted.kind::dimension_kind and d.value = wanted.value
    where d.org_id = ${orgId}::uuid`.execute(tx)
  return new Map(rows.map(({ kind, value, id }) => [dimensionKey(kind, value), id]))
}

/**
 * Inserts the names as far as their kind has room, and `OTHER_NAME` where it has not. One process at a time does so for
 * an organization, so that together they stay within the limits; names that are known never come here.
 */
async function insertDimensions(
  tx: TenantTx,
  orgId: string,
  names: readonly Name[],
  { now, limits }: { now: Date; limits: typeof NAME_LIMITS },
): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('belay_dimension'), hashtext(${orgId}))`.execute(tx)
  await sql`
    with wanted as (
      select kind::dimension_kind as kind, value
      from unnest(${names.map((name) => name.kind)}::text[], ${names.map((name) => name.value)}::text[])
        as wanted(kind, value)
    ), fresh as (
      select w.kind, w.value, row_number() over (partition by w.kind order by w.value) as place from wanted w
      where not exists (
        select from dimension d where d.org_id = ${orgId}::uuid and d.kind = w.kind and d.value = w.value
      )
    ), room as (
      select k.kind, least(
        ${limits.inAll}::int8 - count(d.id),
        ${limits.perHour}::int8 - count(d.id) filter (where d.first_seen_at > ${now}::timestamptz - interval '1 hour')
      ) as places
      from (select distinct kind from fresh) k
      left join dimension d on d.org_id = ${orgId}::uuid and d.kind = k.kind and d.value <> ${OTHER_NAME}
      group by k.kind
    )
    insert into dimension (org_id, kind, value, first_seen_at)
    select ${orgId}::uuid, kind, value, ${now}::timestamptz from fresh join room using (kind) where place <= places
    union
    select ${orgId}::uuid, kind, ${OTHER_NAME}, ${now}::timestamptz from fresh join room using (kind) where place > places
    on conflict do nothing`.execute(tx)
}

function countFolded(meter: IngestMeter, orgId: string, { folded }: OrgNames, signals: readonly Signal[]): void {
  if (Object.values(folded).every((names) => names.size === 0)) return
  const counts = new Map<DimensionKind, number>()
  for (const signal of signals) {
    for (const [kind, value] of dimensionsOf(signal)) {
      if (value !== null && folded[kind].has(value)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
  }
  for (const [kind, count] of counts) meter.folded(orgId, kind, count)
}

/** Whether all names of a signal are known, which is almost always so. */
function hasNames({ dimensions }: OrgNames, signal: Signal): boolean {
  return (
    dimensions.agent_tool.has(signal.agentTool) &&
    (signal.agentVersion === null || dimensions.agent_version.has(signal.agentVersion)) &&
    (signal.mode === null || dimensions.mode.has(signal.mode)) &&
    (signal.model === null || dimensions.model.has(signal.model)) &&
    (signal.provider === null || dimensions.provider.has(signal.provider)) &&
    (signal.language === null || dimensions.language.has(signal.language)) &&
    (signal.repository === null || dimensions.repository.has(signal.repository))
  )
}

async function internDevelopers(
  db: Kysely<DB>,
  orgId: string,
  names: OrgNames,
  signals: readonly Signal[],
  attemptsLeft = 3,
): Promise<void> {
  /** One hash may stand for several spellings of an address. */
  const missing = new Map<string, (Identity & { agentTool: string })[]>()
  const seen = noDevelopers()
  for (const { identity, agentTool } of signals) {
    if (identity === null || names.developers[identity.kind].has(identity.value)) continue
    if (seen[identity.kind].has(identity.value)) continue
    seen[identity.kind].set(identity.value, "")
    const hashed = identityHash(names.pseudonymKey, identity)
    const given = missing.get(hashed)
    if (given === undefined) missing.set(hashed, [{ ...identity, agentTool }])
    else if (given.every((other) => other.value !== identity.value)) given.push({ ...identity, agentTool })
  }
  if (missing.size === 0) return
  const hashes = [...missing.keys()].toSorted()
  const kinds = hashes.map((hashed) => required(missing.get(hashed)?.[0]).kind)
  const tools = hashes.map((hashed) => required(missing.get(hashed)?.[0]).agentTool)
  const found = await asTenant(db, orgId, async (tx) => {
    const bytes = hashes.map((hashed) => `\\x${hashed}`)
    // The pseudonym comes from the hash, so two processes that meet a person at once make one developer of them.
    const rows = await sql<{ identity_hash: string; developer_id: string }>`
      with wanted as (
        select identity_hash::bytea, kind, pseudonym, agent_tool
        from unnest(${bytes}::text[], ${kinds}::text[], ${hashes.map(pseudonymOf)}::text[], ${tools}::text[])
          as given(identity_hash, kind, pseudonym, agent_tool)
      ), unknown as (
        select w.* from wanted w
        where not exists (
          select from developer_identity i where i.org_id = ${orgId}::uuid and i.identity_hash = w.identity_hash
        )
      ), made as (
        insert into developer (org_id, pseudonym)
        select ${orgId}::uuid, pseudonym from unknown
        on conflict (org_id, pseudonym) do nothing
        returning id, pseudonym
      ), linked as (
        insert into developer_identity (org_id, identity_hash, kind, developer_id, first_agent_tool)
        select ${orgId}::uuid, u.identity_hash, u.kind, m.id, u.agent_tool from unknown u join made m using (pseudonym)
        on conflict do nothing
        returning identity_hash, developer_id
      )
      select encode(identity_hash, 'hex') as identity_hash, developer_id from linked
      union
      select encode(i.identity_hash, 'hex'), i.developer_id
      from developer_identity i join wanted w using (identity_hash) where i.org_id = ${orgId}::uuid`.execute(tx)
    return rows.rows
  })
  for (const row of found) {
    for (const { kind, value } of missing.get(row.identity_hash) ?? []) {
      names.developers[kind].set(value, row.developer_id)
    }
  }
  // Another process made the developer in the moment between our look and our insert: it is there on a second look.
  if (found.length === hashes.length) return
  if (attemptsLeft === 0) throw new Error("an identity could not be given a developer")
  await internDevelopers(db, orgId, names, signals, attemptsLeft - 1)
}

function dimensionKey(kind: DimensionKind, value: string): string {
  return `${kind}\u0000${value}`
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a name was not interned")
  return value
}
