import { type Kysely, sql } from "kysely"
import { openDatabase } from "#server/db/client.ts"
import { migrate } from "#server/db/migrate.ts"
import type { DB } from "#server/db/types.ts"

interface Node {
  readonly name: string
  readonly port: number
  readonly isCoordinator: boolean
}

/** The nodes of the cluster whose coordinator's own database is `admin`, the coordinator first. */
async function listNodes(admin: Kysely<DB>): Promise<Node[]> {
  const { rows } = await sql<Node>`
    select nodename as name, nodeport as port, groupid = 0 as "isCoordinator" from pg_dist_node
    where noderole = 'primary' and isactive order by groupid`.execute(admin)
  return rows
}

/** Does it on each node in turn, with the login of the coordinator's URL: in database `pathname` there. */
async function onEachNode(
  nodes: readonly Node[],
  adminUrl: string,
  pathname: string,
  work: (db: Kysely<DB>, node: Node) => Promise<unknown>,
): Promise<void> {
  for (const node of nodes) {
    const url = new URL(adminUrl)
    if (!node.isCoordinator) url.host = `${node.name}:${node.port}`
    const database = openDatabase({
      url: Object.assign(url, { pathname }).href,
      max: 1,
      applicationName: "test admin",
    })
    try {
      await work(database.kysely, node)
    } finally {
      await database.close()
    }
  }
}

/** A database on every node, joined to a cluster of its own, migrated and distributed. */
export async function createCitusDatabase(admin: Kysely<DB>, adminUrl: string, name: string): Promise<string> {
  const nodes = await listNodes(admin)
  // Each node makes its own: handed on by the coordinator, it would have no extension to join the cluster with.
  await onEachNode(nodes, adminUrl, "/postgres", async (db) => {
    await sql`create database ${sql.id(name)}`.execute(db)
  })
  await onEachNode(nodes, adminUrl, `/${name}`, async (db) => {
    await sql`create extension citus`.execute(db)
  })
  const url = Object.assign(new URL(adminUrl), { pathname: `/${name}` }).href
  const database = openDatabase({ url, max: 1, applicationName: "test admin" })
  try {
    for (const node of nodes) {
      const { name: host, port } = node
      if (node.isCoordinator) await sql`select citus_set_coordinator_host(${host}, ${port})`.execute(database.kysely)
      else await sql`select citus_add_node(${host}, ${port})`.execute(database.kysely)
    }
  } finally {
    await database.close()
  }
  await migrate(url)
  return url
}

export async function dropCitusDatabase(admin: Kysely<DB>, adminUrl: string, name: string): Promise<void> {
  await onEachNode(await listNodes(admin), adminUrl, "/postgres", async (db) => {
    await sql`drop database if exists ${sql.id(name)} with (force)`.execute(db)
  })
}
