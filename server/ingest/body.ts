import type { IncomingMessage } from "node:http"
import type { Holding } from "./budget.ts"

export type ReceivedBody =
  | { ok: true; body: Uint8Array }
  | { ok: false; reason: "too_large" | "aborted" | Exclude<ReturnType<Holding["hold"]>, "ok"> }

/**
 * Reads a request's body, at most `maxBytes` of it. A body whose length was announced is put together as it comes in,
 * so that it is in memory once.
 *
 * `hold` is told of every byte before it is kept and answers whether there is room for it. On a refusal the stream is
 * left as it is, for the caller to answer and drain.
 */
export function receiveBody(request: IncomingMessage, maxBytes: number, hold: Holding["hold"]): Promise<ReceivedBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const announced = Number(request.headers["content-length"] ?? Number.NaN)
    const whole = announced <= maxBytes ? Buffer.allocUnsafeSlow(announced) : null
    let size = 0
    const settle = (result: ReceivedBody) => {
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose)
      // A socket that dies while the body is drained has nobody left to tell.
      request.on("error", () => {})
      resolve(result)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) return settle({ ok: false, reason: "too_large" })
      const held = hold(chunk.length)
      if (held !== "ok") return settle({ ok: false, reason: held })
      if (whole === null) chunks.push(chunk)
      else chunk.copy(whole, size - chunk.length)
    }
    const onEnd = () => settle({ ok: true, body: whole ?? Buffer.concat(chunks, size) })
    const onClose = () => settle({ ok: false, reason: "aborted" })
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose)
  })
}
