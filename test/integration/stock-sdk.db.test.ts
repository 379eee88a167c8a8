import { execFile } from "node:child_process"
import path from "node:path"
import { promisify } from "node:util"
import { sql } from "kysely"
import { expect } from "vitest"
import { INGEST_KEY, startTestBelay } from "../belay.ts"
import { test } from "../db.ts"

const run = promisify(execFile)

test.for(["http/protobuf", "http/json", "grpc"])(
  "a stock OpenTelemetry app delivers over %s without a package of ours",
  async (protocol, { database }) => {
    const belay = await startTestBelay(database, { now: new Date() })
    await run(process.execPath, [path.join(import.meta.dirname, "stock-agent.ts")], {
      env: {
        ...process.env,
        OTEL_SERVICE_NAME: "helper-bot",
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_METRICS_EXPORTER: "none",
        OTEL_LOGS_EXPORTER: "none",
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT: (protocol === "grpc" && belay.grpcUrl) || belay.otlpUrl,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${INGEST_KEY}`,
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
        OTEL_RESOURCE_ATTRIBUTES: "enduser.id=ada@example.com",
      },
    })
    await belay.close()
    const result = await sql`
    select kind, rung, agent_tool, model, session_id, input_tokens, output_tokens, action from signal_readable order by kind`.execute(
      database.owner,
    )
    const common = { agent_tool: "helper-bot", session_id: "conversation-1", rung: "agent" }
    const nothing = { model: null, input_tokens: null, output_tokens: null, action: null }
    expect(result.rows).toEqual([
      { ...nothing, ...common, kind: "turn" },
      { ...nothing, ...common, kind: "model_call", model: "gpt-5", input_tokens: 1200, output_tokens: 80 },
      { ...nothing, ...common, kind: "tool_call", action: "search" },
    ])
    const developers = await database.owner
      .selectFrom("developer_identity as i")
      .select("i.kind")
      .where("i.developer_id", "in", (query) => query.selectFrom("signal").select("developer_id"))
      .execute()
    expect(developers).toEqual([{ kind: "email" }])
  },
)
