import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { Client } from "pg"
import { from as copyFrom } from "pg-copy-streams"
import { z } from "zod"
import { type Encoding, makePayload, type Payload, type PayloadSignal } from "./payload.ts"

/** What one process sends: requests of telemetry over a few connections, or the same rows by bare COPY. */

export interface LoadJob {
  readonly kind: "load"
  readonly url: string
  readonly ingestKey: string
  readonly signal: PayloadSignal
  readonly encoding: Encoding
  readonly items: number
  readonly people: number
  readonly connections: number
  readonly durationMs: number
  /** No two loads may have the same. */
  readonly firstCounter: number
}

export interface LoadResult {
  readonly acknowledged: number
  readonly requests: number
  readonly refused: number
  readonly seconds: number
  readonly latenciesMs: readonly number[]
  readonly nextCounter: number
}

export interface CopyJob {
  readonly kind: "copy"
  readonly databaseUrl: string
  /** Rows as binary COPY gives them, in base64. */
  readonly rows: string
  readonly columns: string
  readonly connections: number
  readonly durationMs: number
}

export interface CopyResult {
  readonly rows: number
  readonly seconds: number
}

const jobSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("load"),
    url: z.string(),
    ingestKey: z.string(),
    signal: z.enum(["traces", "logs"]),
    encoding: z.enum(["protobuf", "json"]),
    items: z.number(),
    people: z.number(),
    connections: z.number(),
    durationMs: z.number(),
    firstCounter: z.number(),
  }),
  z.object({
    kind: z.literal("copy"),
    databaseUrl: z.string(),
    rows: z.string(),
    columns: z.string(),
    connections: z.number(),
    durationMs: z.number(),
  }),
])

async function load(job: LoadJob): Promise<LoadResult> {
  const { hostname, port } = new URL(job.url)
  // Each connection has bodies of its own, as one that is on its way must not change.
  const bodies = Math.max(job.people, job.connections)
  const payloads = Array.from({ length: bodies }, (_, index) => makePayload({ ...job, person: index % job.people }))
  const contentType = job.encoding === "json" ? "application/json" : "application/x-protobuf"
  const headOf = (payload: Payload) =>
    Buffer.from(
      `POST /v1/${job.signal} HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${job.ingestKey}\r\n` +
        `content-type: ${contentType}\r\ncontent-length: ${payload.body.length}\r\n\r\n`,
    )
  const latenciesMs: number[] = []
  let [acknowledged, requests, refused, counter] = [0, 0, 0, job.firstCounter]
  const started = performance.now()
  const deadline = started + job.durationMs

  await Promise.all(
    Array.from({ length: job.connections }, async (_, connection) => {
      const exchange = await openExchange(hostname, Number(port))
      const own = payloads.filter((_payload, index) => index % job.connections === connection)
      for (let turn = 0; performance.now() < deadline; turn++) {
        const payload = own[turn % own.length]
        if (payload === undefined) break
        payload.renew(counter++, BigInt(Date.now()) * 1_000_000n)
        const sentAt = performance.now()
        const { status, retryAfterSeconds } = await exchange.send(headOf(payload), payload.body)
        requests++
        if (status === 200) {
          latenciesMs.push(performance.now() - sentAt)
          acknowledged += payload.items
        } else {
          refused++
          // As an exporter does.
          await sleep(Math.max(0, Math.min(retryAfterSeconds * 1000, deadline - performance.now())))
        }
      }
      exchange.close()
    }),
  )
  const seconds = (performance.now() - started) / 1000
  return { acknowledged, requests, refused, seconds, latenciesMs, nextCounter: counter }
}

interface Answer {
  readonly status: number
  readonly retryAfterSeconds: number
}

/** A connection of HTTP/1.1 that is kept open; costs the sender as little as can be. */
async function openExchange(host: string, port: number) {
  const socket: Socket = connect(port, host).setNoDelay(true)
  await once(socket, "connect")
  let answered: PromiseWithResolvers<Answer> | undefined
  let received = ""
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1")
    const headEnd = received.indexOf("\r\n\r\n")
    if (headEnd === -1) return
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
    if (received.length < headEnd + 4 + length) return
    const answer = {
      status: Number(received.slice(9, 12)),
      retryAfterSeconds: Number(/retry-after: (\d+)/i.exec(received)?.[1] ?? 0),
    }
    received = ""
    answered?.resolve(answer)
  })
  socket.on("error", (error) => answered?.reject(error))
  socket.on("close", () => answered?.reject(new Error("the server closed the connection")))
  return {
    send(head: Buffer, body: Buffer): Promise<Answer> {
      answered = Promise.withResolvers<Answer>()
      socket.cork()
      socket.write(head)
      socket.write(body)
      socket.uncork()
      return answered.promise
    },
    close() {
      answered = undefined
      socket.destroy()
    },
  }
}

async function copy(job: CopyJob): Promise<CopyResult> {
  const template = Buffer.from(job.rows, "base64")
  const names = job.columns.split(",")
  let [rows, batch] = [0, 0]
  const clients = await Promise.all(
    Array.from({ length: job.connections }, async () => {
      const client = new Client({ connectionString: job.databaseUrl })
      await client.connect()
      return client
    }),
  )
  const started = performance.now()
  const deadline = started + job.durationMs
  await Promise.all(
    clients.map(async (client) => {
      const own = Buffer.from(template)
      const places = placesInRows(own, names.indexOf("observed_at"), names.indexOf("signal_id"))
      while (performance.now() < deadline) {
        batch++
        for (const { time, id } of places) {
          own.writeBigInt64BE(own.readBigInt64BE(time) + 100_000n, time)
          own.writeUInt32BE(batch, id)
        }
        const stream = client.query(copyFrom(`copy signal (${job.columns}) from stdin (format binary)`))
        stream.end(own)
        await once(stream, "finish")
        rows += places.length
      }
    }),
  )
  const seconds = (performance.now() - started) / 1000
  await Promise.all(clients.map((client) => client.end()))
  return { rows, seconds }
}

/** Where the values of two columns are in rows of binary COPY. */
function placesInRows(rows: Buffer, timeColumn: number, idColumn: number): { time: number; id: number }[] {
  const places: { time: number; id: number }[] = []
  let at = 19
  for (;;) {
    const columns = rows.readInt16BE(at)
    at += 2
    if (columns === -1) return places
    const starts: number[] = []
    for (let column = 0; column < columns; column++) {
      starts.push(at + 4)
      at += 4 + Math.max(0, rows.readInt32BE(at))
    }
    places.push({ time: starts[timeColumn] ?? 0, id: starts[idColumn] ?? 0 })
  }
}

process.on("message", (message) => {
  const job = jobSchema.parse(message)
  const work: Promise<LoadResult | CopyResult> = job.kind === "load" ? load(job) : copy(job)
  work.then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on("disconnect", () => process.exit(0))
