import { Kysely, PostgresDialect } from "kysely"
import { setTimeout as sleep } from "node:timers/promises"
import { Client, type ClientConfig, type Connection } from "pg"
import { type DatabaseAddress, parseDatabaseUrl } from "./database-url.ts"
import { isPassing } from "./pool.ts"
import type { DB } from "./types.ts"

/** One connection, kept for whoever streams rows in. Once it is lost, everything that is asked of it is rejected. */
export interface CopyClient {
  /** The same connection, for what belongs to the same transaction. One thing at a time. */
  readonly kysely: Kysely<DB>
  /**
   * Runs statements, some of them `copy … from stdin`, and gives each of those its part of `data` in turn. Nothing is
   * waited for in between, so that all of it takes one round trip. Resolves with the tags of the statements: `COPY 12`.
   */
  copy(statements: string, data: readonly (readonly Uint8Array[])[]): Promise<readonly string[]>
  isLost(): boolean
  close(): Promise<void>
}

export interface CopyClientOptions {
  readonly url: string
  readonly role: string
  readonly applicationName: string
  /** How long a server that is away is waited for. */
  readonly connectTimeoutMs: number
}

const RETRY_MS = 100

/**
 * Connects, trying again for as long as it takes a server to restart.
 *
 * By the driver `pg`, since COPY through postgres.js never settles when the server reports an error.
 */
export async function openCopyClient(options: CopyClientOptions): Promise<CopyClient> {
  return (await connectInTime(options)).client
}

/**
 * What `pg` needs to connect as `openCopyClient` does, for a library with connections of its own. Of several hosts it is
 * the one that answers now.
 */
export async function findClientConfig(options: CopyClientOptions): Promise<ClientConfig> {
  const { client, config } = await connectInTime(options)
  await client.close()
  return config
}

interface Connected {
  readonly client: CopyClient
  readonly config: ClientConfig
}

async function connectInTime(options: CopyClientOptions): Promise<Connected> {
  const address = parseDatabaseUrl(options.url)
  const deadline = performance.now() + options.connectTimeoutMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await connect(address, options, attempt, deadline - performance.now())
    } catch (error) {
      if (!isPassing(error) || performance.now() + RETRY_MS > deadline) throw error
      await sleep(RETRY_MS)
    }
  }
}

async function connect(
  address: DatabaseAddress,
  options: CopyClientOptions,
  attempt: number,
  timeoutMs: number,
): Promise<Connected> {
  const open = async (ssl: ClientConfig["ssl"]) => {
    const config = { ...toConfig(address, options, attempt, timeoutMs), ssl }
    return { client: await openClient(config, options.role), config }
  }
  if (address.ssl !== "prefer") return open(address.ssl)
  try {
    return await open({ rejectUnauthorized: false })
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes("does not support SSL")) throw error
    return open(false)
  }
}

function toConfig(
  address: DatabaseAddress,
  { role, applicationName }: CopyClientOptions,
  attempt: number,
  timeoutMs: number,
): ClientConfig {
  const endpoint = address.endpoints[attempt % address.endpoints.length]
  if (endpoint === undefined) throw new Error("The database URL names no host.")
  const { options: more = "", ...parameters } = address.parameters
  const settings = Object.entries({ ...parameters, TimeZone: "UTC", role })
  const given = settings.map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, "\\$&")}`).join(" ")
  // The folder and the port, which the driver puts together again.
  const [, folder, socketPort] = "path" in endpoint ? (/^(.*)\/\.s\.PGSQL\.(\d+)$/.exec(endpoint.path) ?? []) : []
  return {
    host: "path" in endpoint ? (folder ?? endpoint.path) : endpoint.host,
    port: "path" in endpoint ? Number(socketPort) : endpoint.port,
    ...(address.login.user !== undefined && { user: address.login.user }),
    ...(address.login.pass !== undefined && { password: address.login.pass }),
    ...(address.login.database !== undefined && { database: address.login.database }),
    application_name: applicationName,
    options: `${more} ${given}`.trim(),
    connectionTimeoutMillis: Math.max(1, timeoutMs),
    keepAlive: true,
  }
}

async function openClient(config: ClientConfig, role: string): Promise<CopyClient> {
  const client = new Client(config)
  let isLost = false
  const lose = () => {
    isLost = true
  }
  client.on("error", lose).on("end", lose)
  await client.connect()
  try {
    const { rows } = await client.query<{ role: string }>("select current_user as role")
    // A pooler may have kept the role to itself, and as the owner nothing would stop us at the tenant's border.
    if (rows[0]?.role !== role) throw new Error(`The database made us ${rows[0]?.role} where ${role} was asked for.`)
  } catch (error) {
    await client.end()
    throw error
  }
  const pool = { connect: async () => ({ query, release() {} }), end: async () => {}, options: {} }
  // Declared after its use, as Kysely's pool wants the signatures of a function.
  function query(text: unknown, parameters?: readonly unknown[]): never {
    return client.query(String(text), [...(parameters ?? [])]) as never
  }
  return {
    kysely: new Kysely<DB>({ dialect: new PostgresDialect({ pool }) }),
    copy(statements, data) {
      const submission = createSubmission(statements, data)
      client.query(submission)
      return submission.done
    },
    isLost: () => isLost,
    async close() {
      if (!isLost) await client.end()
    },
  }
}

/** What `pg` calls while a query of ours is its turn. */
function createSubmission(statements: string, data: readonly (readonly Uint8Array[])[]) {
  const tags: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>()
  return {
    done: promise,
    submit(connection: Connection) {
      const { stream } = connection
      stream.cork()
      connection.query(statements)
      // The server reads on only when it is ready for it, and skips what is left of the data after an error.
      for (const part of data) {
        const length = part.reduce((sum, bytes) => sum + bytes.length, 0)
        const message = [copyDataHead(length), ...part, COPY_DONE]
        if (length < JOINED_BYTES_MAX) stream.write(Buffer.concat(message))
        else for (const bytes of message) stream.write(bytes)
      }
      stream.uncork()
    },
    handleCopyInResponse() {},
    handleRowDescription() {},
    handleDataRow() {},
    handleEmptyQuery() {},
    handleCommandComplete(message: { text: string }) {
      tags.push(message.text)
    },
    handleReadyForQuery() {
      resolve(tags)
    },
    handleError(error: Error) {
      reject(error)
    },
  }
}

/** Less than this is copied together, as writes cost more than bytes. */
const JOINED_BYTES_MAX = 64 * 1024

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4])

/** @see https://www.postgresql.org/docs/18/protocol-message-formats.html CopyData: its length counts itself. */
function copyDataHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(5)
  head[0] = 0x64
  head.writeInt32BE(length + 4, 1)
  return head
}
