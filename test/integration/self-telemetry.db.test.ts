import { once } from "node:events"
import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, vi } from "vitest"
import { startTestBelay } from "../belay.ts"
import { test } from "../db.ts"

const TOKEN = "a token for whoever scrapes"

/** The samples of a text exposition, by name with labels. */
function parseSamples(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue
    const [, name = "", value = ""] = /^([a-z0-9_:]+(?:\{.*\})?) (\S+)$/.exec(line) ?? []
    samples.set(name, Number(value))
  }
  return samples
}

test("/metrics counts what was taken, refused, sent again and late, as Prometheus reads it", async ({ database }) => {
  const belay = await startTestBelay(database)
  await belay.postFixture("captured/claude-16.logs.pb")
  await belay.postFixture("captured/claude-16.logs.pb")
  await belay.post("logs", "not protobuf")
  await belay.post("logs", "", { authorization: "Bearer blk_unknown_0123456789abcdefghijk" })
  belay.advance(2 * 60 * 60 * 1000)
  await belay.postFixture("captured/claude-15.traces.pb")
  belay.advance(40 * 86_400_000)
  await belay.postFixture("captured/claude-15.traces.pb")

  const response = await fetch(`${belay.url}/metrics`)
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/)
  const text = await response.text()
  const samples = parseSamples(text)
  // No line that is not a sample or a comment.
  expect(samples.has("")).toBe(false)
  const signals = samples.get("belay_ingest_signals_total") ?? 0
  expect(signals).toBeGreaterThan(10)
  expect(samples.get("belay_ingest_requests_total")).toBe(4)
  expect(samples.get('belay_ingest_requests_total{error_type="malformed"}')).toBe(1)
  expect(samples.get('belay_ingest_requests_total{error_type="unauthenticated"}')).toBe(1)
  expect(samples.get('belay_ingest_items_rejected_total{error_type="time_out_of_range"}')).toBeGreaterThan(0)
  const duplicates = samples.get("belay_ingest_signals_duplicate_total") ?? 0
  expect([duplicates > 0, duplicates < signals]).toEqual([true, true])
  expect(samples.get("belay_ingest_signals_late_total")).toBeGreaterThan(0)
  expect(samples.get("belay_ingest_memory_limit")).toBeGreaterThan(0)
  expect(samples.get("belay_ingest_commit_duration_count")).toBeGreaterThan(1)
  expect(samples.get("process_memory_usage")).toBeGreaterThan(1e6)
  expect(samples.get('process_cpu_time_total{cpu_mode="user"}')).toBeGreaterThan(0)
  // Nobody has said yet how far the rollups are behind, and that is no zero.
  expect([...samples.keys()].some((name) => name.startsWith("belay_rollup_lag"))).toBe(false)
  belay.meter.watch({ rollupLagSeconds: () => 12 })
  expect(parseSamples(await (await fetch(`${belay.url}/metrics`)).text()).get("belay_rollup_lag")).toBe(12)
  await belay.close()
})

test("/metrics is for this machine, not for what comes through a proxy, unless a token is set and sent", async ({
  database,
}) => {
  const statusOf = async (url: string, headers: Record<string, string> = {}) => {
    const request = httpRequest(`${url}/metrics`, { headers })
    request.end()
    const [response] = await once(request, "response")
    response.resume()
    return response.statusCode as number
  }
  const open = await startTestBelay(database)
  expect(await statusOf(open.url)).toBe(200)
  expect(await statusOf(open.url, { "x-forwarded-for": "203.0.113.7" })).toBe(403)
  await open.close()

  const proxied = await startTestBelay(database, { publicUrl: "https://belay.example.com" })
  expect(await statusOf(proxied.boundUrl)).toBe(403)
  await proxied.close()

  const guarded = await startTestBelay(database, { publicUrl: "https://belay.example.com", metricsToken: TOKEN })
  expect(await statusOf(guarded.boundUrl)).toBe(403)
  expect(await statusOf(guarded.boundUrl, { authorization: "Bearer something else, longer" })).toBe(403)
  expect(await statusOf(guarded.boundUrl, { authorization: `Bearer ${TOKEN}` })).toBe(200)
  await guarded.close()
})

test("Belay's own metrics are sent as OTLP with the headers, and an endpoint that refuses them is told of", async ({
  database,
}) => {
  const received: { url: string; key: string; bytes: number }[] = []
  let status = 200
  const endpoint = createServer((request, response) => {
    let bytes = 0
    request.on("data", (chunk: Buffer) => (bytes += chunk.length))
    request.on("end", () => {
      received.push({ url: request.url ?? "", key: String(request.headers["x-key"]), bytes })
      response.writeHead(status).end()
    })
  })
  await once(endpoint.listen(0, "127.0.0.1"), "listening")
  const { port } = endpoint.address() as AddressInfo
  const told = vi.fn<(line: string) => void>()
  const selfOtlp = { endpoint: `http://127.0.0.1:${port}`, headers: { "x-key": "secret" } }

  // What was measured last is sent when Belay ends.
  const belay = await startTestBelay(database, { selfOtlp, tell: told })
  await belay.postFixture("captured/claude-16.logs.pb")
  await belay.close()
  expect(received).toEqual([{ url: "/v1/metrics", key: "secret", bytes: expect.any(Number) }])
  expect(received[0]?.bytes).toBeGreaterThan(500)
  expect(told).not.toHaveBeenCalled()

  status = 400
  const refused = await startTestBelay(database, { selfOtlp, tell: told })
  await refused.close()
  expect(told.mock.calls).toEqual([[expect.stringContaining(`cannot be sent to 127.0.0.1:${port}`)]])
  endpoint.close()
})
