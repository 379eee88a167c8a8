/** Readers over what an agent tool hands to its hooks: JSON that other people's programs wrote, of any version. */

export type Payload = Readonly<Record<string, unknown>>

const NOTHING: Payload = {}

/** The payload; null when the text is not JSON of an object. */
export function parsePayload(text: string): Payload | null {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : null
  } catch {
    return null
  }
}

/** Text that is not empty. */
export function textOf(payload: Payload, key: string): string | undefined {
  const value = payload[key]
  return typeof value === "string" && value !== "" ? value : undefined
}

/** A finite number of zero or more. */
export function numberOf(payload: Payload, key: string): number | undefined {
  const value = payload[key]
  return typeof value === "number" && value >= 0 && value < Infinity ? value : undefined
}

/** An object's fields; none when there is no object. JSON text of one counts: some tools wrap their input in it. */
export function fieldsOf(payload: Payload, key: string): Payload {
  const value = payload[key]
  if (typeof value === "string") return value.startsWith("{") ? (parsePayload(value) ?? NOTHING) : NOTHING
  return isFields(value) ? value : NOTHING
}

/** The objects of a list. */
export function listOf(payload: Payload, key: string): readonly Payload[] {
  const value: unknown = payload[key]
  return Array.isArray(value) ? value.filter(isFields) : []
}

function isFields(value: unknown): value is Payload {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
