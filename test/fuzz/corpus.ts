import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { type Folder, listFixtures, readFixture, SENT_AT } from "#server/ingest/dialects/fixtures.ts"
import { normalize } from "#server/ingest/normalize.ts"
import { logsPayload, metricsPayload, tracePayload } from "#server/ingest/otlp/arbitraries.ts"
import type { OtlpEncoding } from "#server/ingest/otlp/response.ts"
import type { OtlpRequest, OtlpSignal } from "#server/ingest/otlp/types.ts"
import type { Body } from "./check.ts"
import { createEncoder, type EncodeRequest } from "./encode.ts"

export interface Seed {
  readonly request: OtlpRequest
  readonly now: Date
}

export interface Corpus {
  readonly encode: EncodeRequest
  /** Small requests of every dialect, as they are read. */
  readonly seeds: readonly [Seed, ...Seed[]]
  /** Bodies by encoding: the seeds in both, and what OpenTelemetry's own serializers make of random telemetry. */
  readonly bodies: Readonly<Record<OtlpEncoding, readonly [Body, ...Body[]]>>
  /** The fixtures as they were sent, with all the fields that nobody reads. */
  readonly originals: readonly [Body, ...Body[]]
}

const ITEMS_MAX = 2
const GENERATED = 100
const CHANCE_SEED = 20261125

/** Everything that is mutated; the same in every run. */
export function readCorpus(): Corpus {
  const encode = createEncoder()
  const seeds = (["captured", "written"] as const).flatMap((folder) =>
    listFixtures(folder).flatMap((file) =>
      cut(readFixture(folder, file)).map((request) => ({ request, now: SENT_AT[folder] })),
    ),
  )
  const generated = generate()
  const bodiesIn = (encoding: OtlpEncoding) => [
    ...seeds.map(({ request, now }) => ({
      signal: request.signal,
      encoding,
      bytes: encode(request, encoding),
      now,
    })),
    ...generated.filter((body) => body.encoding === encoding),
  ]
  return {
    encode,
    // Most telemetry gives no signal; what does can store something wrong.
    seeds: filled([...seeds, ...Array.from({ length: 6 }, () => seeds.filter(givesSignals)).flat()]),
    bodies: { protobuf: filled(bodiesIn("protobuf")), json: filled(bodiesIn("json")) },
    originals: filled((["captured", "written"] as const).flatMap(readOriginals)),
  }
}

function givesSignals({ request, now }: Seed): boolean {
  return normalize(request, now).signals.length > 0
}

/** Requests of a few items each, as a whole fixture takes a hundred times as long to read. */
function cut(request: OtlpRequest): OtlpRequest[] {
  if (request.signal === "traces") {
    return request.groups.flatMap((group) =>
      chunks(group.items).map((items) => ({ signal: "traces" as const, groups: [{ ...group, items }] })),
    )
  }
  if (request.signal === "logs") {
    return request.groups.flatMap((group) =>
      chunks(group.items).map((items) => ({ signal: "logs" as const, groups: [{ ...group, items }] })),
    )
  }
  return request.groups.flatMap((group) =>
    chunks(group.items).map((items) => ({ signal: "metrics" as const, groups: [{ ...group, items }] })),
  )
}

function chunks<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / ITEMS_MAX) }, (_, index) =>
    items.slice(index * ITEMS_MAX, (index + 1) * ITEMS_MAX),
  )
}

function readOriginals(folder: Folder): Body[] {
  return listFixtures(folder).map((file) => ({
    signal: (/\.(traces|logs|metrics)\./.exec(file)?.[1] ?? "logs") as OtlpSignal,
    encoding: file.endsWith(".pb") ? "protobuf" : "json",
    bytes: readFileSync(new URL(`../fixtures/otlp/${folder}/${file}`, import.meta.url)),
    now: SENT_AT[folder],
  }))
}

function generate(): Body[] {
  const options = { seed: CHANCE_SEED, numRuns: GENERATED }
  const now = SENT_AT.captured
  const bodies = (signal: OtlpSignal, json: Uint8Array | undefined, protobuf: Uint8Array | undefined): Body[] => [
    { signal, encoding: "json", bytes: json ?? new Uint8Array(), now },
    { signal, encoding: "protobuf", bytes: protobuf ?? new Uint8Array(), now },
  ]
  return [
    ...fc
      .sample(tracePayload, options)
      .flatMap(({ sdk }) =>
        bodies("traces", JsonTraceSerializer.serializeRequest(sdk), ProtobufTraceSerializer.serializeRequest(sdk)),
      ),
    ...fc
      .sample(logsPayload, options)
      .flatMap(({ sdk }) =>
        bodies("logs", JsonLogsSerializer.serializeRequest(sdk), ProtobufLogsSerializer.serializeRequest(sdk)),
      ),
    ...fc
      .sample(metricsPayload, options)
      .flatMap(({ sdk }) =>
        bodies("metrics", JsonMetricsSerializer.serializeRequest(sdk), ProtobufMetricsSerializer.serializeRequest(sdk)),
      ),
  ]
}

function filled<T>(items: readonly T[]): [T, ...T[]] {
  const [first, ...rest] = items
  if (first === undefined) throw new Error("there are no fixtures to mutate")
  return [first, ...rest]
}
