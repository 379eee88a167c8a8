import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely"
import { setTimeout as sleep } from "node:timers/promises"
import type postgres from "postgres"

import { readNullsInArrays } from "./array-nulls.ts"

export type Driver = postgres.Sql<{ bigint: number }>

/**
 * Makes a driver instance for a single connection, which must be made once and never again. `onLost` is to be called
 * when it is closed. `attempt` counts from 0 and chooses among several hosts.
 */
export type OpenDriver = (args: { attempt: number; timeoutMs: number; onLost: () => void }) => Driver

export interface PoolOptions {
  readonly max: number
  /** How long a connection is tried for before the query that needs it fails. */
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Runs on every new connection; one that it throws for is not used. */
  readonly check?: (connection: postgres.ReservedSql<{ bigint: number }>) => Promise<void>
}

/** Spread, so that a pool does not renew all its connections in one moment. */
const LIFETIME_MS = { min: 30 * 60_000, max: 60 * 60_000 }
const RETRY_MS = 100
const CLOSE_MS_MAX = 5_000

/**
 * A pool for Kysely's own Postgres dialect, over postgres.js connections that are thrown away once they are lost.
 *
 * postgres.js' pool takes a lost connection back: after the server was restarted under a transaction, it ends the
 * process with an uncaught error (porsager/postgres#1208), never answers a query again (#1199) or never hands out a
 * connection (#1195). Here every connection is a driver instance of its own, made once, and what runs on it is
 * rejected when it is lost. A server that is away is waited for up to `connectTimeoutMs`, so that a restart costs
 * requests time and nothing else.
 *
 * kysely-postgres-js, which is the usual bridge, does not notice when the server answers COMMIT by rolling back.
 */
export function createPool(openDriver: OpenDriver, options: PoolOptions): PostgresPool {
  const idle: Connection[] = []
  const open = new Set<Connection>()
  const waiting: PromiseWithResolvers<Connection>[] = []
  let opening = 0
  let isClosing = false
  let onEmpty: (() => void) | undefined

  async function acquire(): Promise<Connection> {
    if (isClosing) throw closedError()
    const ready = idle.pop()
    if (ready) {
      clearTimeout(ready.idleTimer)
      return ready
    }
    if (open.size + opening >= options.max) {
      const turn = Promise.withResolvers<Connection>()
      waiting.push(turn)
      return turn.promise
    }
    opening++
    try {
      const connection = await openConnection(openDriver, options, lose)
      open.add(connection)
      if (!isClosing) return connection
      discard(connection)
      throw closedError()
    } finally {
      opening--
      if (open.size + opening < options.max) serveNext()
    }
  }

  function serveNext(): void {
    const next = waiting.shift()
    if (next) acquire().then(next.resolve, next.reject)
  }

  function release(connection: Connection, isBroken = false): void {
    if (!open.has(connection)) return
    if (isBroken || isClosing || performance.now() > connection.expiresAt) return discard(connection)
    connection.idleTimer = setTimeout(() => discard(connection), options.idleTimeoutMs)
    idle.push(connection)
    serveNext()
  }

  function discard(connection: Connection): void {
    forget(connection)
    connection.close()
  }

  function lose(connection: Connection): void {
    if (!open.has(connection)) return
    // When a server goes, all connections to it do, and the idle ones may not have noticed yet.
    for (const other of idle.slice()) discard(other)
    forget(connection)
  }

  function forget(connection: Connection): void {
    clearTimeout(connection.idleTimer)
    const place = idle.indexOf(connection)
    if (place !== -1) idle.splice(place, 1)
    if (open.delete(connection)) serveNext()
    if (open.size === 0) onEmpty?.()
  }

  return {
    options: { max: options.max },
    async connect() {
      const connection = await acquire()
      return { query: connection.query, release: (isBroken) => release(connection, isBroken) }
    },
    async end() {
      isClosing = true
      for (const turn of waiting.splice(0)) turn.reject(closedError())
      for (const connection of idle.slice()) discard(connection)
      if (open.size === 0) return
      const finished = new Promise<void>((resolve) => (onEmpty = resolve))
      const deadline = setTimeout(() => [...open].forEach(discard), CLOSE_MS_MAX)
      await finished
      clearTimeout(deadline)
    },
  }
}

function closedError(): Error {
  return new Error("The database pool is closed.")
}

interface Connection {
  readonly query: PostgresPoolClient["query"]
  readonly expiresAt: number
  idleTimer: NodeJS.Timeout | undefined
  close(): void
}

async function openConnection(
  openDriver: OpenDriver,
  { connectTimeoutMs, check }: PoolOptions,
  onLost: (connection: Connection) => void,
): Promise<Connection> {
  const deadline = performance.now() + connectTimeoutMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await tryConnection(openDriver, { attempt, timeoutMs: deadline - performance.now(), check, onLost })
    } catch (error) {
      if (!isPassing(error) || performance.now() + RETRY_MS > deadline) throw error
      await sleep(RETRY_MS)
    }
  }
}

async function tryConnection(
  openDriver: OpenDriver,
  args: {
    attempt: number
    timeoutMs: number
    check: PoolOptions["check"]
    onLost: (connection: Connection) => void
  },
): Promise<Connection> {
  const running = new Set<(reason: Error) => void>()
  let lost: Error | undefined
  const driver = openDriver({
    attempt: args.attempt,
    timeoutMs: args.timeoutMs,
    onLost() {
      lost = Object.assign(new Error("The connection to the database was lost."), { code: "CONNECTION_CLOSED" })
      for (const reject of running) reject(lost)
      args.onLost(connection)
    },
  })
  const close = () => void driver.end({ timeout: 0 })

  function query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  function query(text: string | PostgresCursor<unknown>, parameters: readonly unknown[] = []): unknown {
    if (typeof text !== "string") throw new Error("Streaming is not supported: read in pages.")
    if (lost) return Promise.reject(lost)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    running.add(reject)
    // Settled by us as well: the driver leaves a query unanswered that came between the loss and its noticing it.
    reserved
      .unsafe(text, parameters as never[], PREPARED) // what a parameter may be is between Kysely and the driver
      .then(
        (rows) => resolve({ command: rows.command, rowCount: rows.count, rows: [...rows] }),
        (error) => reject(thaw(error)),
      )
      .finally(() => running.delete(reject))
    return promise
  }

  const lifetimeMs = LIFETIME_MS.min + Math.random() * (LIFETIME_MS.max - LIFETIME_MS.min)
  const connection: Connection = { query, expiresAt: performance.now() + lifetimeMs, idleTimer: undefined, close }
  let reserved: postgres.ReservedSql<{ bigint: number }>
  try {
    // Reserved until it is closed, so that the driver never takes it back.
    reserved = await driver.reserve()
    if (lost) throw lost
    readNullsInArrays(driver.options.parsers)
    await args.check?.(reserved)
  } catch (error) {
    close()
    throw error
  }
  return connection
}

/** `simple` is not in the driver's types. Without it, text without parameters could be several statements. */
const PREPARED = { prepare: true, simple: false }

/** The driver makes `stack` read-only, and Kysely adds to it where the query came from. */
function thaw(error: unknown): unknown {
  return error instanceof Error ? Object.defineProperty(error, "stack", { value: error.stack, writable: true }) : error
}

/** What a server says, or does not say, while it is being restarted. */
const PASSING = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOENT", // the Unix socket
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "53300", // too_many_connections
])

export function isPassing(error: unknown): boolean {
  return error instanceof Error && "code" in error && PASSING.has(String(error.code))
}
