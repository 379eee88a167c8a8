import { trace } from "@opentelemetry/api"
import { NodeSDK } from "@opentelemetry/sdk-node"
import { startBelay } from "../index.ts"

/**
 * A host that has OpenTelemetry already. Its tracing is left as it is: tasks, model and tool calls are spans in it, below
 * the host's own, while signals go to Belay and nowhere else. In a program of yours the import is from "@belay/sdk".
 *
 *     OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4319 BELAY_ENDPOINT=http://127.0.0.1:4318 node existing-otel-host.ts
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "" } = process.env

// The host's own, as it was before: where it exports to is none of Belay's business.
const sdk = new NodeSDK({ serviceName: "shop-assistant" })
sdk.start()

const belay = startBelay({
  endpoint: BELAY_ENDPOINT,
  ingestKey: BELAY_INGEST_KEY,
  agent: { name: "shop-assistant" },
  user: "ada@example.com",
  surface: "chat-app",
  spool: false,
  // "host" would make signals log records of the host's OpenTelemetry, `false` here would leave out the spans.
  logs: "own",
  spans: true,
})

await trace.getTracer("shop-assistant").startActiveSpan("POST /assist", async (span) => {
  const task = belay.agent.task({ mode: "support" })
  task.model({
    model: "claude-sonnet-4-5",
    provider: "anthropic",
    inputTokens: 3000,
    outputTokens: 200,
    durationMs: 900,
  })
  task.tool("orders/refund", { durationMs: 40 })
  await Promise.resolve()
  task.finish({ outcome: "accepted" })
  span.end()
})

await belay.shutdown()
await sdk.shutdown()
