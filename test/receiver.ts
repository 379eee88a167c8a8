import { createHmac } from "node:crypto"
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Receiver {
  readonly url: string
  readonly requests: readonly Received[]
  /** The next requests are answered with these statuses, those after them with the last. */
  answerWith(...statuses: number[]): void
  /** Resolves once there are so many requests. */
  until(count: number): Promise<readonly Received[]>
  /** The first request with this in its body, once there is one: what is sent at least once may come twice. */
  untilTold(text: string): Promise<Received>
  close(): Promise<void>
}

/** What alerts are sent to: it keeps what came, and fails on purpose. `onRequest` is called before it answers. */
export async function startReceiver(onRequest: (request: Received) => void = () => {}): Promise<Receiver> {
  const requests: Received[] = []
  let statuses: readonly number[] = [200]
  const waiting: { readonly count: number; readonly resolve: (requests: readonly Received[]) => void }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const received = {
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      }
      requests.push(received)
      onRequest(received)
      const [status = 200, ...rest] = statuses
      if (rest.length > 0) statuses = rest
      response.writeHead(status).end(status === 200 ? "ok" : "not now")
      for (const one of waiting) if (requests.length >= one.count) one.resolve(requests)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const until = (count: number) =>
    new Promise<readonly Received[]>((resolve) => {
      if (requests.length >= count) resolve(requests)
      else waiting.push({ count, resolve })
    })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    requests,
    answerWith(...given) {
      statuses = given
    },
    until,
    async untilTold(text) {
      for (let count = 1; ; count++) {
        const found = (await until(count)).find(({ body }) => body.includes(text))
        if (found !== undefined) return found
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** What Slack posts when somebody presses a button, signed as it does. */
export function pressInSlack(args: {
  readonly url: string
  readonly value: string
  readonly signingSecret: string
  readonly at: Date
}): Promise<Response> {
  const payload = {
    type: "block_actions",
    user: { id: "U1", username: "ada" },
    actions: [{ type: "button", action_id: "belay_acknowledge", value: args.value }],
  }
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString()
  const timestamp = String(Math.floor(args.at.getTime() / 1000))
  const signature = createHmac("sha256", args.signingSecret).update(`v0:${timestamp}:${body}`).digest("hex")
  return fetch(args.url, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": timestamp,
      "x-slack-signature": `v0=${signature}`,
    },
    body,
  })
}
