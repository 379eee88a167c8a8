import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, vi } from "vitest"
import { recordAudit } from "#server/audit/commands.ts"
import { openDatabase } from "#server/db/client.ts"
import { asTenant } from "#server/db/tenant.ts"
import { decodeJson } from "#server/ingest/otlp/json.ts"
import { test } from "../process.ts"
import type { Ready } from "../spawn.ts"

/** Something that somebody did, as a request would record it. */
async function record(ready: Ready, action: string): Promise<void> {
  const database = openDatabase({ url: ready.databaseUrl, max: 1, applicationName: "test" })
  const org = await database.kysely.selectFrom("org").select("id").executeTakeFirstOrThrow()
  await asTenant(database.kysely, org.id, (tx) =>
    recordAudit(tx, { orgId: org.id, occurredAt: new Date("2026-11-20T12:00:00Z"), action, targetKind: "test" }),
  )
  await database.close()
}

test("a Belay with an endpoint sends its audit log on, and goes on after a restart where it was", async ({ start }) => {
  const received: string[] = []
  const siem = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const body = decodeJson("logs", Buffer.concat(chunks))
      const names =
        body.signal === "logs" ? body.groups.flatMap(({ items }) => items.map((item) => item.eventName)) : []
      received.push(...names.map((name) => `${request.url} ${String(request.headers["x-token"])} ${name}`))
      response.end("{}")
    })
  }).listen(0, "127.0.0.1")
  await once(siem, "listening")
  const env = {
    BELAY_AUDIT_OTLP_ENDPOINT: `http://127.0.0.1:${(siem.address() as AddressInfo).port}`,
    BELAY_AUDIT_OTLP_HEADERS: "x-token=a%20b",
  }
  try {
    const first = await start(env)
    await record(first.ready, "test.first")
    await vi.waitFor(() => expect(received).toEqual(["/v1/logs a b test.first"]), { timeout: 10_000 })
    await first.end("SIGTERM")
    const second = await start(env)
    await record(second.ready, "test.second")
    await vi.waitFor(() => expect(received.at(-1)).toBe("/v1/logs a b test.second"), { timeout: 10_000 })
    expect(received).toHaveLength(2)
  } finally {
    siem.closeAllConnections()
    siem.close()
  }
}, 60_000)
