type Parser = (text: string) => unknown

/**
 * Corrects how the driver reads nulls inside arrays, for all array types in `parsers` (by type id, changed in place).
 *
 * On its own it reads them as if their text were a value: `NaN` among numbers, `"NULL"` among texts, `false` among
 * booleans. To be called once a connection has learned its array types.
 */
export function readNullsInArrays(parsers: Record<number, Parser>): void {
  for (const [typeId, parser] of Object.entries(parsers)) {
    if (!("array" in parser)) continue
    // Few arrays have nulls, and the driver is fast on all others.
    const corrected: Parser = (text) => (text.includes("NULL") ? parseArray(text, parser) : parser(text))
    parsers[Number(typeId)] = Object.assign(corrected, { array: true })
  }
}

/** `text` is what Postgres prints, less the first brace, which the driver has taken off. */
function parseArray(text: string, parser: Parser): unknown {
  const result: unknown[] = []
  const open = [result]
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]|[^{},"]+/gs)) {
    if (token === "{") {
      const inner: unknown[] = []
      open.at(-1)?.push(inner)
      open.push(inner)
    } else if (token === "}") open.pop()
    // A text that reads NULL is quoted, so this one is none.
    else open.at(-1)?.push(token === "NULL" ? null : parseOne(token, parser))
  }
  return result
}

function parseOne(token: string, parser: Parser): unknown {
  const parsed = parser(`${token}}`)
  return Array.isArray(parsed) ? parsed[0] : parsed
}
