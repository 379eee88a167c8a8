import { randomUUID, timingSafeEqual } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { isIP } from "node:net"
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks"
import type { Attributes, Meter } from "@opentelemetry/api"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto"
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus"
import { resourceFromAttributes } from "@opentelemetry/resources"
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ViewOptions,
} from "@opentelemetry/sdk-metrics"
import type { IngestMeter } from "./ingest/meter.ts"

export interface SelfTelemetryOptions {
  readonly meter: IngestMeter
  /** Lets any machine read `/metrics` that sends it as a bearer token; null lets only this machine. */
  readonly token: string | null
  /** Then a request from this machine may be anybody's. */
  readonly isBehindProxy: boolean
  /** Where metrics are sent as OTLP over HTTP; null when they are not. */
  readonly otlp: { readonly endpoint: string; readonly headers: Readonly<Record<string, string>> } | null
  readonly version: string
  /** What the operator should know: when sending fails for the first time, and when it works again. */
  readonly tell: (line: string) => void
}

/** What Belay says about itself: one set of instruments, for Prometheus to fetch and to be sent on as OTLP. */
export interface SelfTelemetry {
  answer(request: IncomingMessage, response: ServerResponse): void
  /** Sends what was measured last. */
  close(): Promise<void>
}

const OTLP_EVERY_MS = 60_000
const OTLP_TIMEOUT_MS = 10_000

export function startSelfTelemetry(options: SelfTelemetryOptions): SelfTelemetry {
  const prometheus = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true })
  const readers = options.otlp === null ? [] : [pushTo(options.otlp, options.tell)]
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      "service.name": "belay",
      "service.version": options.version,
      "service.instance.id": randomUUID(),
    }),
    views: VIEWS,
    readers: [prometheus, ...readers],
  })
  const meter = provider.getMeter("belay")
  instrumentIngest(meter, options.meter)
  const stopMeasuring = instrumentProcess(meter)

  return {
    answer(request, response) {
      if (!mayRead(request, options)) {
        response.writeHead(403, { "content-type": "text/plain" })
        response.end(
          "Metrics are for this machine, or for whoever sends BELAY_METRICS_TOKEN as 'Authorization: Bearer <token>'.\n",
        )
      } else prometheus.getMetricsRequestHandler(request, response)
    },
    async close() {
      stopMeasuring()
      await provider.shutdown({ timeoutMillis: OTLP_TIMEOUT_MS }).catch(() => {})
    },
  }
}

function mayRead(request: IncomingMessage, options: Pick<SelfTelemetryOptions, "token" | "isBehindProxy">): boolean {
  if (options.token !== null) {
    const sent = Buffer.from(request.headers.authorization ?? "")
    const wanted = Buffer.from(`Bearer ${options.token}`)
    return sent.length === wanted.length && timingSafeEqual(sent, wanted)
  }
  // A proxy on this machine that nobody told us of still says for whom it asks.
  const isForwarded = request.headers["x-forwarded-for"] !== undefined || request.headers.forwarded !== undefined
  return !options.isBehindProxy && !isForwarded && isLoopback(request.socket.remoteAddress ?? "")
}

function isLoopback(address: string): boolean {
  const plain = address.startsWith("::ffff:") ? address.slice(7) : address
  return plain === "::1" || (isIP(plain) === 4 && plain.startsWith("127."))
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const ROWS = [1, 8, 64, 256, 512, 1024, 2048, 4096, 8192, 16_384]

const buckets = (instrumentName: string, boundaries: number[]): ViewOptions => ({
  instrumentName,
  aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries } },
})

const VIEWS = [
  buckets("belay.ingest.queue.duration", SECONDS),
  buckets("belay.ingest.commit.duration", SECONDS),
  buckets("belay.ingest.commit.signals", ROWS),
]

/** Counters are read when somebody asks; only a commit, which many requests share, is measured as it happens. */
function instrumentIngest(meter: Meter, ingest: IngestMeter): void {
  const { totals } = ingest
  const count = (name: string, unit: string, description: string, read: () => number) => {
    meter.createObservableCounter(name, { unit, description }).addCallback((result) => result.observe(read()))
  }
  const countEach = (
    name: string,
    unit: string,
    description: string,
    read: () => Iterable<readonly [string, number]>,
    toAttributes: (key: string) => Attributes,
  ) => {
    meter.createObservableCounter(name, { unit, description }).addCallback((result) => {
      for (const [key, value] of read()) result.observe(value, toAttributes(key))
    })
  }
  const gauge = (name: string, unit: string, description: string, read: () => number | null) => {
    meter.createObservableGauge(name, { unit, description }).addCallback((result) => {
      const value = read()
      if (value !== null) result.observe(value)
    })
  }

  countEach(
    "belay.ingest.requests",
    "{request}",
    "OTLP requests by what became of them; error.type is absent on those that were taken",
    () => totals.requests,
    (outcome) => (outcome === "stored" ? {} : { "error.type": outcome }),
  )
  count("belay.ingest.signals", "{signal}", "Signals acknowledged after their commit", () => totals.signals)
  count(
    "belay.ingest.signals.duplicate",
    "{signal}",
    "Acknowledged signals that were there already",
    () => totals.duplicates,
  )
  count("belay.ingest.signals.late", "{signal}", "Signals older than an hour when they came in", () => totals.late)
  countEach(
    "belay.ingest.items.rejected",
    "{item}",
    "Spans, records and points refused within requests that were taken",
    () => totals.rejected,
    (reason) => ({ "error.type": reason }),
  )
  countEach(
    "belay.ingest.items.unrecognized",
    "{item}",
    "Spans, records and points whose name their dialect does not know",
    () => totals.unrecognized,
    (dialect) => ({ "belay.dialect": dialect }),
  )
  countEach(
    "belay.ingest.signals.folded",
    "{signal}",
    "Signals that carry (other) in place of one name too many",
    () => totals.folded,
    (kind) => ({ "belay.dimension": kind }),
  )
  gauge("belay.ingest.memory.usage", "By", "Held by requests that are not stored yet", () => ingest.gauges.heldBytes())
  gauge("belay.ingest.memory.limit", "By", "Past it senders are asked to come back", () => ingest.gauges.heldBytesMax())
  gauge("belay.rollup.lag", "s", "How far the rollups are behind the signals", () => ingest.gauges.rollupLagSeconds())

  const queue = meter.createHistogram("belay.ingest.queue.duration", {
    unit: "s",
    description: "From a request's reading to the begin of its commit",
  })
  const commit = meter.createHistogram("belay.ingest.commit.duration", {
    unit: "s",
    description: "A transaction that stores the signals of several requests",
  })
  const rows = meter.createHistogram("belay.ingest.commit.signals", {
    unit: "{signal}",
    description: "Signals that share a commit",
  })
  ingest.onCommitted((committed) => {
    commit.record(committed.commitMs / 1000)
    rows.record(committed.rows)
    for (const ms of committed.queueMs) queue.record(ms / 1000)
  })
}

/** As the semantic conventions for processes and Node.js name them. */
function instrumentProcess(meter: Meter): () => void {
  meter
    .createObservableCounter("process.cpu.time", { unit: "s", description: "CPU seconds of this process" })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage()
      result.observe(user / 1e6, { "cpu.mode": "user" })
      result.observe(system / 1e6, { "cpu.mode": "system" })
    })
  meter
    .createObservableGauge("process.memory.usage", { unit: "By", description: "Resident memory" })
    .addCallback((result) => result.observe(process.memoryUsage.rss()))
  meter
    .createObservableGauge("process.uptime", { unit: "s", description: "Since this process started" })
    .addCallback((result) => result.observe(process.uptime()))

  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const delays = [
    ["mean", () => delay.mean],
    ["p50", () => delay.percentile(50)],
    ["p99", () => delay.percentile(99)],
    ["max", () => delay.max],
  ] as const
  for (const [name, read] of delays) {
    meter
      .createObservableGauge(`nodejs.eventloop.delay.${name}`, { unit: "s", description: "Since this process started" })
      .addCallback((result) => {
        const nanos = read()
        if (Number.isFinite(nanos)) result.observe(nanos / 1e9)
      })
  }
  let before: EventLoopUtilization = performance.eventLoopUtilization()
  meter
    .createObservableGauge("nodejs.eventloop.utilization", {
      unit: "1",
      description: "Share of the time in which the event loop was busy, since it was last asked",
    })
    .addCallback((result) => {
      const current = performance.eventLoopUtilization()
      result.observe(performance.eventLoopUtilization(current, before).utilization)
      before = current
    })
  return () => delay.disable()
}

function pushTo(
  otlp: NonNullable<SelfTelemetryOptions["otlp"]>,
  tell: (line: string) => void,
): PeriodicExportingMetricReader {
  const url = toMetricsUrl(otlp.endpoint)
  const inner = new OTLPMetricExporter({ url, headers: { ...otlp.headers }, timeoutMillis: OTLP_TIMEOUT_MS })
  let isFailing = false
  const exporter: PushMetricExporter = {
    export(metrics, done) {
      inner.export(metrics, (result) => {
        const hasFailed = result.error !== undefined
        if (hasFailed && !isFailing) {
          tell(
            `Belay's own metrics cannot be sent to ${new URL(url).host}: ${result.error?.message ?? "no reason given"}`,
          )
        } else if (!hasFailed && isFailing) tell("Belay's own metrics are being sent again.")
        isFailing = hasFailed
        done(result)
      })
    },
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  }
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: OTLP_EVERY_MS,
    exportTimeoutMillis: OTLP_TIMEOUT_MS,
  })
}

/** An endpoint without a path gets OTLP's own; one with a path is taken as it is. */
function toMetricsUrl(endpoint: string): string {
  const url = new URL(endpoint)
  if (url.pathname === "/") url.pathname = "/v1/metrics"
  return url.href
}
