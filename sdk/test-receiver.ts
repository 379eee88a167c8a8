import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

/** A receiver of OTLP/JSON for tests: a real server, whose answers a test decides. */
export interface TestReceiver {
  readonly endpoint: string
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly text: string }[]
  /** Attributes of every record that was answered with 200, with its event and time. */
  readonly records: Record<string, string | number>[]
  /** What requests get from now on. */
  answer: (response: ServerResponse) => void
  close(): Promise<void>
}

interface LogsRequest {
  resourceLogs: {
    scopeLogs: {
      logRecords: {
        eventName: string
        timeUnixNano: string
        attributes: { key: string; value: { stringValue?: string; intValue?: string; doubleValue?: number } }[]
      }[]
    }[]
  }[]
}

export const takeAll = (response: ServerResponse) => response.writeHead(200).end("{}")

export async function startReceiver(port = 0): Promise<TestReceiver> {
  const requests: TestReceiver["requests"] = []
  const records: TestReceiver["records"] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const body = Buffer.concat(chunks)
      const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString()
      requests.push({ path: request.url ?? "", headers: request.headers, text })
      response.on("finish", () => {
        if (response.statusCode === 200 && request.url === "/v1/logs") records.push(...recordsOf(text))
      })
      receiver.answer(response)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve)
  })
  const receiver: TestReceiver = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    records,
    answer: takeAll,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return receiver
}

function recordsOf(text: string): Record<string, string | number>[] {
  const { resourceLogs } = JSON.parse(text) as LogsRequest
  return resourceLogs.flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map(({ eventName, timeUnixNano, attributes }) => ({
        event: eventName,
        time: timeUnixNano,
        ...Object.fromEntries(
          attributes.map(({ key, value }) => [key, value.stringValue ?? value.doubleValue ?? Number(value.intValue)]),
        ),
      })),
    ),
  )
}
