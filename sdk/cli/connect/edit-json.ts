import { applyEdits, modify, parse, type ParseError, printParseErrorCode } from "jsonc-parser"

/** A change of a file's text. Throws, in words for the person, for a text that it cannot read. */
export type Edit = (text: string) => string

/** A place in a JSON file and what shall stand there. At -1 of a list it is added to it. */
export interface Setting {
  readonly path: readonly (string | -1)[]
  readonly value: unknown
}

/**
 * Sets what `settings` say of the file as it is. Comments, order and whatever else is there stay; a text that is right
 * already comes back as it is.
 */
export function editJson(settings: (current: unknown) => readonly Setting[]): Edit {
  return (text) => {
    const current = parseJson(text)
    let edited = text.trim() === "" ? "{}\n" : text
    const formattingOptions = formatOf(text)
    for (const { path, value } of settings(current)) {
      if (JSON.stringify(valueAt(current, path)) === JSON.stringify(value)) continue
      edited = applyEdits(edited, modify(edited, [...path], value, { formattingOptions }))
    }
    return edited
  }
}

/** What a JSON text says, comments and trailing commas allowed; an empty text says `{}`. */
export function parseJson(text: string): unknown {
  if (text.trim() === "") return {}
  const errors: ParseError[] = []
  const value: unknown = parse(text, errors, { allowTrailingComma: true, disallowComments: false })
  const [error] = errors
  if (error !== undefined) {
    const line = text.slice(0, error.offset).split("\n").length
    throw new Error(`line ${line} is not JSON (${printParseErrorCode(error.error)})`)
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it holds no JSON object")
  return value
}

export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at: unknown = value
  for (const key of path) {
    if (typeof at !== "object" || at === null) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

function formatOf(text: string) {
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? "  "
  return {
    insertSpaces: !indent.startsWith("\t"),
    tabSize: indent.startsWith("\t") ? 1 : indent.length,
    eol: text.includes("\r\n") ? "\r\n" : "\n",
  }
}
