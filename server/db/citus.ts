import { type Kysely, sql } from "kysely"
import type { DB } from "./types.ts"

/**
 * By developer: what grows with use. Every unique key has `developer_id` in it, and there are no foreign keys. The rollups
 * stay on the coordinator: they are a thousandth of it, and whole statements are about them.
 */
export const DISTRIBUTED = ["signal"]

/**
 * On every node, whole: what signals are joined with. In the order of their foreign keys. Everything else stays on the
 * coordinator, `signal_occurrence` too: a second report is looked up by its event, locked, and may be another
 * developer's, which only one node can answer.
 */
export const REFERENCE = ["org", "developer", "team", "team_member", "dimension"]

/** The first that hands grants of single columns on to shards, of which Belay's roles have many. */
const OLDEST_CITUS = { major: 13, minor: 2 }

/**
 * Distributes Belay's tables over a Citus cluster and answers which; none without the extension, or when all are. The
 * extension, the coordinator's own address and its workers are for whoever runs the cluster to set up.
 *
 * Not in one transaction: what was distributed stays so, and calling this again goes on.
 */
export async function distributeTables(db: Kysely<DB>): Promise<string[]> {
  const extension = await sql<{ version: string }>`
    select extversion as version from pg_extension where extname = 'citus'`.execute(db)
  const version = extension.rows[0]?.version
  if (version === undefined) return []
  const [major = 0, minor = 0] = version.split(/[.-]/).map(Number)
  const oldest = OLDEST_CITUS
  if (major < oldest.major || (major === oldest.major && minor < oldest.minor)) {
    throw new Error(
      `Belay needs Citus ${oldest.major}.${oldest.minor} or newer, and the server of DATABASE_URL has ${version}.`,
    )
  }
  await requireCoordinator(db)
  await propagateTenant(db)

  const there = await sql<{ name: string }>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
      and c.oid not in (select logicalrelid from pg_dist_partition where partmethod = 'h' or repmodel = 't')`.execute(
    db,
  )
  const waiting = new Set(there.rows.map((row) => row.name))
  const references = REFERENCE.filter((name) => waiting.has(name))
  const distributed = DISTRIBUTED.filter((name) => waiting.has(name))
  if (references.length + distributed.length === 0) return []

  const grants = await listColumnGrants(db)
  await replaceIdentities(db)
  // At once after each step, as one that is made a table of every node takes along those that refer to it.
  const grantAgain = async () => {
    for (const grant of grants) await sql.raw(grant).execute(db)
  }
  for (const name of references) {
    await sql`select create_reference_table(${name}::regclass)`.execute(db)
    await grantAgain()
  }
  await grantWholeCopy(db)
  for (const name of distributed) {
    await sql`select create_distributed_table(${name}::regclass, 'developer_id', colocate_with => 'none')`.execute(db)
  }
  await grantAgain()
  return [...references, ...distributed]
}

/** How the tables lie on the cluster. Throws where there is none. */
export async function listDistributed(db: Kysely<DB>): Promise<{ name: string; place: string }[]> {
  const extension = await sql`select from pg_extension where extname = 'citus'`.execute(db)
  if (extension.rows.length === 0) {
    throw new Error("This database has no Citus: run create extension citus in it, on the coordinator and each worker.")
  }
  const { rows } = await sql<{ name: string; place: string }>`
    select table_name::text as name, case citus_table_type
        when 'distributed' then 'by ' || distribution_column || ', ' || shard_count || ' shards'
        when 'reference' then 'on every node'
        else 'on the coordinator'
      end as place
    from citus_tables order by citus_table_type, 1`.execute(db)
  return rows
}

/** Foreign keys between tables of the coordinator and reference tables take that the cluster knows its coordinator. */
async function requireCoordinator(db: Kysely<DB>): Promise<void> {
  const { rows } = await sql`select from pg_dist_node where groupid = 0`.execute(db)
  if (rows.length > 0) return
  throw new Error(
    "This Citus cluster does not know its coordinator. Run select citus_set_coordinator_host('<its name>', <port>) on it, then citus_add_node for each worker.",
  )
}

/** The tenant of a transaction is a SET LOCAL, and the workers' row-level security goes by it. */
async function propagateTenant(db: Kysely<DB>): Promise<void> {
  await sql`
    do $$ begin
      execute format('alter database %I set citus.propagate_set_commands = ''local''', current_database());
    end $$`.execute(db)
}

/**
 * Citus takes no identity column smaller than bigint, into reference tables or beside them. A sequence gives the same
 * numbers, on the coordinator, where all of them are inserted.
 */
async function replaceIdentities(db: Kysely<DB>): Promise<void> {
  const identities = await sql<{ table: string; column: string }>`
    select c.relname as table, a.attname as column
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and a.attidentity <> '' and a.atttypid in ('int2'::regtype, 'int4'::regtype)`.execute(db)
  for (const { table, column } of identities.rows) {
    const sequence = `${table}_${column}_number`
    await db.transaction().execute(async (tx) => {
      await sql`alter table ${sql.table(table)} alter column ${sql.ref(column)} drop identity`.execute(tx)
      await sql`create sequence ${sql.id(sequence)} as integer owned by ${sql.table(table)}.${sql.id(column)}`.execute(
        tx,
      )
      await sql`
        select setval(${sequence}::regclass, coalesce(max(${sql.ref(column)}), 0) + 1, false)
        from ${sql.table(table)}`.execute(tx)
      await sql`
        alter table ${sql.table(table)} alter column ${sql.ref(column)}
        set default nextval(${sql.lit(sequence)})`.execute(tx)
      // Whoever may insert may number what it inserts, which an identity gave by itself.
      await sql`grant usage on sequence ${sql.id(sequence)} to belay_app, belay_ingest, belay_worker`.execute(tx)
    })
  }
}

/** What roles may do with single columns, as statements: making a table Citus' own carries over only the rest. */
async function listColumnGrants(db: Kysely<DB>): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`
    select format('grant %s (%I) on %s to %I', granted.privilege_type, a.attname, c.oid::regclass, r.rolname) as statement
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    cross join aclexplode(a.attacl) granted join pg_roles r on r.oid = granted.grantee
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and not a.attisdropped
    order by 1`.execute(db)
  return rows.map((row) => row.statement)
}

/**
 * The coordinator fills in the organization and sends the workers every column, so that the ingest role needs all of
 * them there; and grants are the same on every node.
 */
async function grantWholeCopy(db: Kysely<DB>): Promise<void> {
  await sql`
    create or replace function belay_grant_signal_copy(partition regclass)
      returns void
      language plpgsql set search_path = public
      as $$ begin execute format('grant insert on %s to belay_ingest', partition); end $$`.execute(db)
  await sql`
    select belay_grant_signal_copy(inhrelid::regclass) from pg_inherits
    where inhparent = 'signal'::regclass`.execute(db)
}
