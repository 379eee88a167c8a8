import { spawn } from "node:child_process"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"
import { judge, type Report } from "./judge.ts"
import { type Item, readItems } from "./read-items.ts"

export interface ConformanceOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** The author's program and its arguments; none to wait for `stop`. */
  readonly program: readonly string[]
  /** Resolves when no more is to be waited for. */
  readonly stop: Promise<unknown>
  readonly tell: (line: string) => void
  /** What the program is started with, besides where to send. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly now: () => number
}

/** A batch of an exporter is a hundredth of it. */
const BYTES_MAX = 64 * 1024 * 1024

/**
 * Receives OTLP over HTTP, protobuf and JSON, on this machine alone, until the program ends or `stop` does, and judges
 * what came. Nothing is stored and nothing sent on. Rejects when the port is taken or the program cannot be started.
 */
export async function runConformance(options: ConformanceOptions): Promise<Report> {
  const items: Item[] = []
  const server = createServer((request, response) => {
    void receive(request)
      .catch(() => ({ status: 400, body: "", received: [] }))
      .then(({ status, body, received }) => {
        items.push(...received)
        const type = request.headers["content-type"] ?? "application/json"
        return response.writeHead(status, { "content-type": type }).end(type.startsWith("application/json") ? body : "")
      })
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(options.port, "127.0.0.1", resolve)
  })
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    options.tell(`Receiving OTLP over HTTP (protobuf and JSON) at ${url}`)
    await (options.program.length === 0 ? options.stop : runProgram(options, url))
  } finally {
    server.close()
    server.closeAllConnections()
  }
  return judge(items, options.now())
}

function runProgram({ program, env }: ConformanceOptions, url: string): Promise<void> {
  const [file = "", ...args] = program
  const child = spawn(file, args, {
    // The report is what goes to stdout.
    stdio: ["inherit", process.stderr, "inherit"],
    env: {
      // A framework's types want NODE_ENV in every environment.
      ...(env as NodeJS.ProcessEnv),
      BELAY_ENDPOINT: url,
      BELAY_INGEST_KEY: "blk_conformance_0123456789abcdef",
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    },
  })
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", () => resolve())
  })
}

async function receive(request: IncomingMessage): Promise<{ status: number; body: string; received: readonly Item[] }> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > BYTES_MAX) return { status: 413, body: "", received: [] }
    chunks.push(chunk)
  }
  const signal = /^\/v1\/(logs|traces|metrics)$/.exec(request.url ?? "")?.[1]
  if (signal === undefined) return { status: 404, body: "", received: [] }
  // Belay counts events; metrics are taken and say nothing.
  if (signal === "metrics") return { status: 200, body: "{}", received: [] }
  const whole = Buffer.concat(chunks)
  const bytes =
    request.headers["content-encoding"] === "gzip" ? gunzipSync(whole, { maxOutputLength: BYTES_MAX }) : whole
  const received = readItems(signal === "logs" ? "logs" : "traces", bytes, request.headers["content-type"] ?? "")
  return { status: 200, body: "{}", received }
}
