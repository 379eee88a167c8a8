import type { ServerResponse } from "node:http"
import { expect, test as base } from "vitest"
import { createBackoff, send } from "./send.ts"
import { startReceiver } from "./test-receiver.ts"

const test = base.extend("receiver", async ({}, { onCleanup }) => {
  const receiver = await startReceiver()
  onCleanup(() => receiver.close())
  return receiver
})

const NOW = Date.UTC(2026, 10, 20, 12)
const EMPTY = '{"resourceLogs":[]}'
const request = { body: Buffer.from(EMPTY), contentType: "application/json" }
const targetOf = (endpoint: string, timeoutMs = 5000) => ({
  url: `${endpoint}/v1/logs`,
  headers: { "x-key": "k" },
  timeoutMs,
})
const answering =
  (status: number, headers: Record<string, string> = {}, text = "") =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end(text)

test.for([
  [200, {}, "{}", { result: "sent", rejected: 0 }],
  [200, {}, "", { result: "sent", rejected: 0 }],
  [200, {}, "not JSON", { result: "sent", rejected: 0 }],
  [200, {}, '{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"x"}}', { result: "sent", rejected: 3 }],
  [200, {}, '{"partialSuccess":{"rejectedLogRecords":-3}}', { result: "sent", rejected: 0 }],
  [429, { "retry-after": "7" }, "", { result: "retry", retryAfterMs: 7000, reason: "HTTP 429" }],
  [
    503,
    { "retry-after": new Date(NOW + 9000).toUTCString() },
    "",
    { result: "retry", retryAfterMs: 9000, reason: "HTTP 503" },
  ],
  [503, { "retry-after": "99999999" }, "", { result: "retry", retryAfterMs: 3_600_000, reason: "HTTP 503" }],
  [503, { "retry-after": "soon" }, "", { result: "retry", retryAfterMs: null, reason: "HTTP 503" }],
  [502, {}, "", { result: "retry", retryAfterMs: null, reason: "HTTP 502" }],
  [504, {}, "", { result: "retry", retryAfterMs: null, reason: "HTTP 504" }],
  [401, {}, "", { result: "retry", retryAfterMs: 300_000, reason: "HTTP 401" }],
  [400, {}, "", { result: "refused", reason: "HTTP 400" }],
  [413, {}, "", { result: "refused", reason: "HTTP 413" }],
  [500, {}, "", { result: "refused", reason: "HTTP 500" }],
  [302, { location: "http://example.invalid/" }, "", { result: "retry", retryAfterMs: null, reason: "TypeError" }],
] as const)("HTTP %i with %j and the text %j", async ([status, headers, text, result], { receiver }) => {
  receiver.answer = answering(status, headers, text)
  expect(await send(targetOf(receiver.endpoint), request, () => NOW)).toEqual(result)
})

test("what is worth it is compressed, what is compressed stays as it is", async ({ receiver }) => {
  const body = Buffer.from(`{"resourceLogs":[]${" ".repeat(2000)}}`)
  await send(targetOf(receiver.endpoint), { ...request, body }, () => NOW)
  await send(targetOf(receiver.endpoint), request, () => NOW)
  expect(receiver.requests.map(({ headers, text }) => [headers["content-encoding"], headers["x-key"], text])).toEqual([
    ["gzip", "k", body.toString()],
    [undefined, "k", EMPTY],
  ])
})

test("a dead endpoint, one that hangs up and one that never answers are tried again later", async ({ receiver }) => {
  receiver.answer = (response) => response.destroy()
  expect(await send(targetOf(receiver.endpoint), request, () => NOW)).toMatchObject({
    result: "retry",
    retryAfterMs: null,
  })
  receiver.answer = () => {}
  expect(await send(targetOf(receiver.endpoint, 50), request, () => NOW)).toMatchObject({ reason: "TimeoutError" })
  receiver.answer = (response) => response.writeHead(200).write("{")
  expect(await send(targetOf(receiver.endpoint, 50), request, () => NOW)).toMatchObject({ reason: "TimeoutError" })
  const signal = AbortSignal.abort()
  expect(await send(targetOf(receiver.endpoint), request, () => NOW, signal)).toMatchObject({ reason: "AbortError" })
  await receiver.close()
  expect(await send(targetOf(receiver.endpoint), request, () => NOW)).toMatchObject({ result: "retry" })
})

test("waits twice as long each time up to a bound, and at least as long as it is asked to", () => {
  const waits = (random: number) => {
    const backoff = createBackoff(() => random)
    return Array.from({ length: 12 }, () => backoff.next(null))
  }
  expect(waits(0)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 150_000, 150_000, 150_000])
  expect(waits(0.999).slice(0, 2)).toEqual([1000, 1999])
  const backoff = createBackoff(() => 0.5)
  expect([backoff.next(7000), backoff.next(0)]).toEqual([7500, 0])
  backoff.next(null)
  backoff.reset()
  expect(backoff.next(null)).toBe(750)
})
