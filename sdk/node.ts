import { ProxyTracerProvider, trace } from "@opentelemetry/api"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto"
import { resourceFromAttributes } from "@opentelemetry/resources"
import { NodeSDK } from "@opentelemetry/sdk-node"
import { type Belay, type BelayOptions, startBelay } from "./belay.ts"
import { attempt } from "./safety.ts"
import { SCOPE_NAME } from "./semconv.ts"
import { toResourceAttributes } from "./signal.ts"

/**
 * `startBelay`, and an OpenTelemetry SDK whose spans go to Belay too: for a host that has none. Libraries that trace by
 * the GenAI conventions are seen without a call of ours then. In a host that has an OpenTelemetry SDK already, nothing
 * but `startBelay` is done: no second provider is made, and nothing is exported twice. Never throws.
 */
export function startBelayWithOpenTelemetry(options: BelayOptions): Belay {
  const sdk = attempt(
    () => (hasTracerProvider() ? null : startSdk(options)),
    () => null,
  )
  const belay = startBelay(options)
  if (sdk === null) return belay
  return {
    ...belay,
    async shutdown(deadline) {
      const result = await belay.shutdown(deadline)
      await sdk.shutdown().catch(() => {})
      return result
    },
  }
}

function hasTracerProvider(): boolean {
  const provider = trace.getTracerProvider()
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(SCOPE_NAME) !== undefined
}

function startSdk({ endpoint, ingestKey, agent, user }: BelayOptions): NodeSDK {
  const sdk = new NodeSDK({
    // What would be detected of the process are its paths and arguments.
    autoDetectResources: false,
    resource: resourceFromAttributes(
      toResourceAttributes({ serviceName: agent.name, serviceVersion: agent.version, enduserId: user }),
    ),
    traceExporter: new OTLPTraceExporter({
      url: new URL("v1/traces", `${endpoint.replace(/\/$/, "")}/`).href,
      headers: { authorization: `Bearer ${ingestKey}` },
    }),
    logRecordProcessors: [],
    metricReaders: [],
  })
  sdk.start()
  return sdk
}
