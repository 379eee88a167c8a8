import { type Kysely, sql } from "kysely"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { identityHash, pseudonymOf } from "../team/pseudonyms.ts"
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

/** Past this many remembered names an organization's memory is dropped and filled again from the database. */
const NAMES_REMEMBERED = 50_000
/** A person who was removed is forgotten here after as long. */
const DEVELOPERS_REMEMBERED_MS = 60_000

interface OrgNames {
  readonly pseudonymKey: Uint8Array
  readonly unattributedId: string
  readonly dimensions: Readonly<Record<DimensionKind, Map<string, number>>>
  /** By what the source calls the person: hashing it for every signal would cost more than all the rest. */
  readonly developers: Readonly<Record<Identity["kind"], Map<string, string>>>
  readonly developersSince: number
}

export function createInterner(db: Kysely<DB>, now: () => Date): Interner {
  const orgs = new Map<string, OrgNames>()

  async function namesOf(orgId: string): Promise<OrgNames> {
    const at = now().getTime()
    const known = orgs.get(orgId)
    const isFull = known !== undefined && countNames(known) >= NAMES_REMEMBERED
    const isOld = known !== undefined && at - known.developersSince >= DEVELOPERS_REMEMBERED_MS
    if (known !== undefined && !isFull && !isOld) return known
    // A new one each time: batches in hand keep what they were given.
    const kept = known === undefined || isFull ? await loadOrg(db, orgId) : known
    const names = { ...kept, developers: noDevelopers(), developersSince: at }
    orgs.set(orgId, names)
    return names
  }

  return {
    async intern(orgId, signals) {
      const names = await namesOf(orgId)
      await internDimensions(db, orgId, names, signals)
      await internDevelopers(db, orgId, names, signals)
      const dimension = (kind: DimensionKind, value: string) => required(names.dimensions[kind].get(value))
      return (signal) => ({
        developerId:
          signal.identity === null
            ? names.unattributedId
            : required(names.developers[signal.identity.kind].get(signal.identity.value)),
        dimension,
      })
    },
  }
}

function noDevelopers(): OrgNames["developers"] {
  return { email: new Map(), account: new Map(), installation: new Map(), user: new Map() }
}

async function loadOrg(db: Kysely<DB>, orgId: string): Promise<Omit<OrgNames, "developers" | "developersSince">> {
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
      dimensions: {
        agent_tool: new Map(),
        agent_version: new Map(),
        mode: new Map(),
        model: new Map(),
        provider: new Map(),
        language: new Map(),
        repository: new Map(),
      },
    }
  })
}

function countNames({ dimensions, developers }: OrgNames): number {
  return [...Object.values(dimensions), ...Object.values(developers)].reduce((sum, names) => sum + names.size, 0)
}

async function internDimensions(
  db: Kysely<DB>,
  orgId: string,
  names: OrgNames,
  signals: readonly Signal[],
): Promise<void> {
  const missing = new Map<string, { kind: DimensionKind; value: string }>()
  const newVersions = new Map<string, bigint>()
  for (const signal of signals) {
    if (hasNames(names, signal)) continue
    for (const [kind, value] of dimensionsOf(signal)) {
      if (value === null || names.dimensions[kind].has(value)) continue
      missing.set(dimensionKey(kind, value), { kind, value })
      if (kind !== "agent_version") continue
      const subject = `${signal.agentTool} ${value}`
      const first = newVersions.get(subject)
      if (first === undefined || signal.observedUnixNano < first) newVersions.set(subject, signal.observedUnixNano)
    }
  }
  if (missing.size === 0) return
  const wanted = [...missing.values()].toSorted((a, b) =>
    dimensionKey(a.kind, a.value) < dimensionKey(b.kind, b.value) ? -1 : 1,
  )
  const found = await asTenant(db, orgId, async (tx) => {
    const kinds = wanted.map((name) => name.kind)
    const values = wanted.map((name) => name.value)
    await sql`
      insert into dimension (org_id, kind, value)
      select ${orgId}::uuid, kind::dimension_kind, value from unnest(${kinds}::text[], ${values}::text[]) as wanted(kind, value)
      where not exists (
        select from dimension d
        where d.org_id = ${orgId}::uuid and d.kind = wanted.kind::dimension_kind and d.value = wanted.value
      )
      on conflict do nothing`.execute(tx)
    if (newVersions.size > 0) {
      await tx
        .insertInto("change")
        .values(
          [...newVersions].map(([subject, firstUnixNano]) => ({
            org_id: orgId,
            kind: "agent_version",
            subject,
            occurred_at: new Date(Number(firstUnixNano / 1_000_000n)),
          })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    }
    const rows = await sql<{ id: number; kind: DimensionKind; value: string }>`
      select d.id, d.kind, d.value
      from dimension d
      join unnest(${kinds}::text[], ${values}::text[]) as wanted(kind, value)
        on d.kind = wanted.kind::dimension_kind and d.value = wanted.value
      where d.org_id = ${orgId}::uuid`.execute(tx)
    return rows.rows
  })
  for (const row of found) names.dimensions[row.kind].set(row.value, row.id)
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
