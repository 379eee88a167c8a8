import { z } from "zod"
import { type ResourceName, ROWS } from "#server/api/rows.ts"
import { toCsvLine } from "../../lib/csv.ts"
import type { Answer } from "./rows.server.ts"

export const FORMATS = { json: "application/json", ndjson: "application/x-ndjson", csv: "text/csv" } as const
export type Format = keyof typeof FORMATS

const PREFERRED: readonly Format[] = ["json", "ndjson", "csv"]

/** The format that an `Accept` header likes best; JSON when it says nothing, null when it takes none of them. */
export function chooseFormat(accept: string | null): Format | null {
  if (accept === null || accept.trim() === "") return "json"
  const ranges = accept.split(",").map((part) => {
    const [type = "", ...parameters] = part.split(";").map((word) => word.trim().toLowerCase())
    const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2)
    return { type, quality: quality === undefined ? 1 : Number(quality) }
  })
  // The most exact range that names a format says how much it is liked.
  const qualityOf = (format: Format) => {
    const type = FORMATS[format]
    const wanted = [type, `${type.split("/")[0]}/*`, "*/*"]
    return wanted.map((name) => ranges.find((range) => range.type === name)?.quality).find((q) => q !== undefined) ?? 0
  }
  const [best] = PREFERRED.toSorted((a, b) => qualityOf(b) - qualityOf(a))
  return best !== undefined && qualityOf(best) > 0 ? best : null
}

/** Rows are written one after the other, as whoever reads takes them. */
export function toStream(name: ResourceName, format: Format, answer: Answer): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const pieces = format === "csv" ? csvOf(name, answer) : format === "ndjson" ? ndjsonOf(answer) : jsonOf(answer)
  return new ReadableStream({
    pull(controller) {
      const { done, value } = pieces.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
  })
}

function* jsonOf({ rows, ...head }: Answer): Generator<string, undefined> {
  yield `${JSON.stringify(head).slice(0, -1)},"rows":[`
  for (const [index, row] of rows.entries()) yield (index === 0 ? "\n" : ",\n") + JSON.stringify(row)
  yield "\n]}\n"
}

function* ndjsonOf({ rows }: Answer): Generator<string, undefined> {
  for (const row of rows) yield `${JSON.stringify(row)}\n`
}

function* csvOf(name: ResourceName, { rows }: Answer): Generator<string, undefined> {
  const columns = columnsOf(name)
  yield toCsvLine(columns)
  for (const row of rows) yield toCsvLine(columns.map((column) => fieldOf(row, column)))
}

/** Every field of the resource's rows; one within another as `weeks.shown`. */
function columnsOf(name: ResourceName): string[] {
  const namesOf = (schema: z.ZodType): string[] => {
    const inner = schema instanceof z.ZodNullable ? schema.unwrap() : schema
    if (!(inner instanceof z.ZodObject)) return [""]
    return Object.entries(inner.shape).flatMap(([key, field]) =>
      namesOf(field).map((rest) => (rest === "" ? key : `${key}.${rest}`)),
    )
  }
  return [...new Set(ROWS[name].options.flatMap((option) => namesOf(option)))]
}

function fieldOf(row: object, column: string): string | number | null {
  const value = column.split(".").reduce<unknown>((part, key) => (isRecord(part) ? part[key] : undefined), row)
  return typeof value === "string" || typeof value === "number" ? value : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null
}
