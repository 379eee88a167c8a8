import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { parseDocument } from "yaml"
import { z } from "zod"
import { ATTR_ENDUSER_ID } from "#sdk/semconv.ts"

const FOLDER = new URL("../docs/collector/", import.meta.url)
const files = readdirSync(FOLDER).filter((file) => file.endsWith(".yaml"))

const components = z.record(z.string(), z.looseObject({}))
const exporterSchema = z.looseObject({
  endpoint: z.string(),
  headers: z.object({ authorization: z.string() }),
  retry_on_failure: z.looseObject({ enabled: z.literal(true), max_elapsed_time: z.literal("0s") }),
  sending_queue: z.looseObject({ enabled: z.literal(true), storage: z.string() }),
})
const configSchema = z.strictObject({
  receivers: components,
  processors: components,
  exporters: z.record(z.string(), exporterSchema),
  extensions: components,
  service: z.strictObject({
    extensions: z.array(z.string()),
    pipelines: z.record(
      z.enum(["traces", "logs", "metrics"]),
      z.strictObject({
        receivers: z.array(z.string()),
        processors: z.array(z.string()),
        exporters: z.array(z.string()),
      }),
    ),
  }),
})

function read(file: string) {
  const text = readFileSync(new URL(file, FOLDER), "utf8")
  const document = parseDocument(text, { uniqueKeys: true })
  expect([document.errors, document.warnings]).toEqual([[], []])
  return { text, config: configSchema.parse(document.toJS()) }
}

test("there is a Collector for a gateway and one for a developer's machine", () => {
  expect(files.toSorted()).toEqual(["agent.yaml", "gateway.yaml"])
})

test.each(files)("%s: every component of a pipeline is defined, and every one that is defined has a use", (file) => {
  const { config } = read(file)
  const pipelines = Object.values(config.service.pipelines)
  for (const kind of ["receivers", "processors", "exporters"] as const) {
    const used = new Set(pipelines.flatMap((pipeline) => pipeline[kind]))
    expect([kind, [...used].toSorted()]).toEqual([kind, Object.keys(config[kind]).toSorted()])
  }
  expect(config.service.extensions.toSorted()).toEqual(Object.keys(config.extensions).toSorted())
  expect(Object.keys(config.service.pipelines).toSorted()).toEqual(["logs", "metrics", "traces"])
})

test.each(files)("%s: what Belay does not take yet waits on disk without end, behind a limit of memory", (file) => {
  const { config } = read(file)
  for (const { sending_queue: queue } of Object.values(config.exporters)) {
    expect(queue.storage).toMatch(/^file_storage\//)
    expect(config.service.extensions).toContain(queue.storage)
  }
  for (const { processors } of Object.values(config.service.pipelines)) {
    expect([processors[0], processors.at(-1)]).toEqual(["memory_limiter", "batch"])
  }
})

test.each(files)("%s: the key and the address come from the environment, each that is read is explained", (file) => {
  const { config, text } = read(file)
  for (const exporter of Object.values(config.exporters)) {
    expect(exporter.endpoint).toBe("${env:BELAY_ENDPOINT}")
    expect(exporter.headers.authorization).toBe("Bearer ${env:BELAY_INGEST_KEY}")
  }
  const named = [...text.matchAll(/\$\{env:(BELAY_\w+)\}/g)].map(([, name]) => name)
  const explained = [...text.matchAll(/^# {3}(BELAY_\w+) /gm)].map(([, name]) => name)
  expect(new Set(named)).toEqual(new Set(explained))
})

test("a developer's machine says whose telemetry it is, by the name that Belay puts first", () => {
  const { config } = read("agent.yaml")
  expect(config.processors["resource/person"]).toMatchObject({ attributes: [{ key: ATTR_ENDUSER_ID }] })
})
