import { Kysely, PostgresDialect } from "kysely"
import { connect as connectSocket, type Socket } from "node:net"
import postgres from "postgres"

import { type DatabaseAddress, parseDatabaseUrl } from "./database-url.ts"
import { createPool, type Driver, type OpenDriver } from "./pool.ts"
import type { DB } from "./types.ts"

export interface OpenedDatabase {
  /** For every query and transaction. */
  readonly kysely: Kysely<DB>
  /** For LISTEN and NOTIFY: it listens again by itself after the server was away. */
  readonly sql: Driver
  /** Lets running queries finish for up to 5 seconds, then disconnects. */
  readonly close: () => Promise<void>
}

export interface DatabaseOptions {
  /** postgres://user:password@host:port/database, with libpq's sslmode and the like; of several hosts any will do. */
  readonly url: string
  /** Database role that everything is done as; default the user of the URL, who must be a member of it. */
  readonly role?: string
  /** Connections at most. Default 10. */
  readonly max?: number
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** A statement that takes longer is cancelled. Default none. */
  readonly statementTimeoutMs?: number
  /** How long a server that is away is waited for before a query fails. Default 10 seconds. */
  readonly connectTimeoutMs?: number
}

const IDLE_TIMEOUT_MS = 60_000

/**
 * Opens a pool of connections; the first is made when it is needed. Survives restarts of the server: what was running
 * fails, what comes next waits for it.
 *
 * int8 values are read as numbers, and one past 2^53 is an error: select those as text. numeric is read as text.
 *
 * Throws when the URL cannot be understood or names a certificate file that cannot be read.
 */
export function openDatabase(options: DatabaseOptions): OpenedDatabase {
  const address = parseDatabaseUrl(options.url)
  const connection = {
    ...address.parameters,
    application_name: options.applicationName,
    TimeZone: "UTC",
    ...(options.role !== undefined && { role: options.role }),
    ...(options.statementTimeoutMs !== undefined && { statement_timeout: options.statementTimeoutMs }),
  }
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000
  const openDriver = (args: DriverArgs) => createDriver(address, { ...args, connection })

  const openPooled: OpenDriver = ({ attempt, timeoutMs, onLost }) => {
    let isFirst = true
    return openDriver({
      max: 1,
      idleTimeoutMs: 1_000,
      connectTimeoutMs: Math.max(timeoutMs, 1),
      onclose: onLost,
      socket() {
        // The driver would reconnect by itself, in a way that fails: see createPool.
        if (!isFirst) throw Object.assign(new Error("The connection was closed."), { code: "CONNECTION_CLOSED" })
        isFirst = false
        return openSocket(address, attempt)
      },
    })
  }
  const pool = createPool(openPooled, {
    max: options.max ?? 10,
    connectTimeoutMs,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    async check(fresh) {
      const [row] = await fresh<{ role: string }[]>`select current_user as role`
      if (options.role === undefined || row?.role === options.role) return
      // A pooler may have kept the role to itself, and as the owner nothing would stop us at the tenant's border.
      throw new Error(
        `The database made us ${row?.role} where ${options.role} was asked for. Connect without a pooler.`,
      )
    },
  })
  const kysely = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })

  let attempts = 0
  const sql = openDriver({
    max: 2,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    connectTimeoutMs,
    socket: () => openSocket(address, attempts++),
  })
  return {
    kysely,
    sql,
    async close() {
      await Promise.all([kysely.destroy(), sql.end({ timeout: 5 })])
    },
  }
}

interface DriverArgs {
  readonly max: number
  readonly idleTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly onclose?: () => void
  readonly socket: () => Socket
}

function createDriver(
  address: DatabaseAddress,
  args: DriverArgs & { connection: Record<string, string | number> },
): Driver {
  const [first] = address.endpoints
  const options = {
    ...(first && "host" in first ? { host: first.host, port: first.port } : {}),
    ...address.login,
    ssl: address.ssl,
    max: args.max,
    // In seconds.
    connect_timeout: args.connectTimeoutMs / 1000,
    idle_timeout: args.idleTimeoutMs / 1000,
    max_lifetime: null,
    connection: args.connection,
    types: { bigint: INT8 },
    onnotice() {},
    ...(args.onclose && { onclose: args.onclose }),
    // Not in the driver's types.
    socket: args.socket,
  }
  return postgres(options)
}

const INT8 = {
  to: 20,
  from: [20],
  serialize: String,
  parse(text: string): number {
    const value = Number(text)
    if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is too large for a number; select it as text.`)
    return value
  },
}

/** The driver has no TCP_NODELAY, without which a statement of several packets waits some 40 ms for nothing. */
function openSocket(address: DatabaseAddress, attempt: number): Socket {
  const endpoint = address.endpoints[attempt % address.endpoints.length]
  if (endpoint === undefined) throw new Error("The database URL names no host.")
  if ("path" in endpoint) return connectSocket(endpoint.path)
  const socket = connectSocket(endpoint.port, endpoint.host).setNoDelay(true)
  // The driver checks the server's certificate against this.
  return Object.assign(socket, { host: endpoint.host })
}
