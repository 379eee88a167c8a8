import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js"
import { sql } from "kysely"
import { expect } from "vitest"
import { INGEST_KEY, readFixture, startTestBelay, type TestBelay, test } from "../belay.ts"

const SERVICES = { traces: "trace.v1.TraceService", logs: "logs.v1.LogsService", metrics: "metrics.v1.MetricsService" }

/** One `Export` call with these bytes as its message. */
async function exportOver(belay: TestBelay, signal: keyof typeof SERVICES, body: Buffer, key: string = INGEST_KEY) {
  const client = new Client(new URL(belay.grpcUrl ?? "").host, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set("authorization", `Bearer ${key}`)
  const asBytes = (bytes: Buffer) => bytes
  try {
    return await new Promise<{ response?: Buffer | undefined; error: ServiceError | null }>((resolve) => {
      const path = `/opentelemetry.proto.collector.${SERVICES[signal]}/Export`
      client.makeUnaryRequest(path, asBytes, asBytes, body, metadata, {}, (error, response) =>
        resolve({ error, response }),
      )
    })
  } finally {
    client.close()
  }
}

test("what comes over gRPC is stored as over HTTP, once", async ({ belay, database }) => {
  const logs = await readFixture("captured/claude-16.logs.pb")
  expect((await exportOver(belay, "logs", logs)).response).toHaveLength(0)
  const count = async () => (await sql`select from signal`.execute(database.owner)).rows.length
  const stored = await count()
  expect(stored).toBeGreaterThan(4)
  await belay.postFixture("captured/claude-16.logs.pb")
  expect(await count()).toBe(stored)
  expect((await exportOver(belay, "traces", await readFixture("captured/claude-15.traces.pb"))).error).toBeNull()
  expect((await exportOver(belay, "metrics", await readFixture("captured/claude-17.metrics.pb"))).error).toBeNull()
})

test("a wrong key and a wrong message are told apart and change nothing", async ({ belay, database }) => {
  const logs = await readFixture("captured/claude-16.logs.pb")
  expect((await exportOver(belay, "logs", logs, "blk_nobody")).error).toMatchObject({ code: status.UNAUTHENTICATED })
  expect((await exportOver(belay, "logs", logs.subarray(0, 700))).error).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining("truncated"),
  })
  expect((await sql`select from signal`.execute(database.owner)).rows).toEqual([])
})

test("without a database the sender is told when to come back", async ({ database }) => {
  const errors: string[] = []
  const belay = await startTestBelay(database, { onError: (message) => errors.push(message) })
  await sql`revoke all on signal, signal_20261120 from belay_ingest`.execute(database.owner)
  const { error } = await exportOver(belay, "logs", await readFixture("captured/claude-16.logs.pb"))
  await belay.close()
  expect(error).toMatchObject({ code: status.UNAVAILABLE })
  const details = error?.metadata.get("grpc-status-details-bin")[0]
  expect(details?.toString()).toContain("google.rpc.RetryInfo")
  expect(errors).toEqual(["ingest failed"])
})
