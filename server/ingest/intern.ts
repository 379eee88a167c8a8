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
  readonly dimensions: Map<string, number>
  readonly developers: Map<string, string>
  readonly developersSince: number
}

export function createInterner(db: Kysely<DB>, now: () => Date): Interner {
  const orgs = new Map<string, OrgNames>()

  async function namesOf(orgId: string): Promise<OrgNames> {
    const at = now().getTime()
    const known = orgs.get(orgId)
    const isFull = known !== undefined && known.dimensions.size + known.developers.size >= NAMES_REMEMBERED
    const isOld = known !== undefined && at - known.developersSince >= DEVELOPERS_REMEMBERED_MS
    if (known !== undefined && !isFull && !isOld) return known
    // A new one each time: batches in hand keep what they were given.
    const kept = known === undefined || isFull ? await loadOrg(db, orgId) : known
    const names = { ...kept, developers: new Map<string, string>(), developersSince: at }
    orgs.set(orgId, names)
    return names
  }

  return {
    async intern(orgId, signals) {
      const names = await namesOf(orgId)
      await internDimensions(db, orgId, names, signals)
      await internDevelopers(db, orgId, names, signals)
      const dimension = (kind: DimensionKind, value: string) =>
        required(names.dimensions.get(dimensionKey(kind, value)))
      return (signal) => ({
        developerId:
          signal.identity === null
            ? names.unattributedId
            : required(names.developers.get(identityHash(names.pseudonymKey, signal.identity))),
        dimension,
      })
    },
  }
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
      dimensions: new Map(),
    }
  })
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
    for (const [kind, value] of dimensionsOf(signal)) {
      if (value === null) continue
      const key = dimensionKey(kind, value)
      if (names.dimensions.has(key)) continue
      missing.set(key, { kind, value })
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
  for (const row of found) names.dimensions.set(dimensionKey(row.kind, row.value), row.id)
}

async function internDevelopers(
  db: Kysely<DB>,
  orgId: string,
  names: OrgNames,
  signals: readonly Signal[],
  attemptsLeft = 3,
): Promise<void> {
  const missing = new Map<string, { kind: Identity["kind"]; agentTool: string }>()
  for (const { identity, agentTool } of signals) {
    if (identity === null) continue
    const hashed = identityHash(names.pseudonymKey, identity)
    if (!names.developers.has(hashed)) missing.set(hashed, { kind: identity.kind, agentTool })
  }
  if (missing.size === 0) return
  const hashes = [...missing.keys()].toSorted()
  const kinds = hashes.map((hashed) => required(missing.get(hashed)).kind)
  const tools = hashes.map((hashed) => required(missing.get(hashed)).agentTool)
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
  for (const row of found) names.developers.set(row.identity_hash, row.developer_id)
  // Another process made the developer in the moment between our look and our insert: it is there on a second look.
  if (hashes.every((hashed) => names.developers.has(hashed))) return
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
