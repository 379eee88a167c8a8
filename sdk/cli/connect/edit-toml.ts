import { isDeepStrictEqual } from "node:util"
import { parse, patch } from "@decimalturn/toml-patch"
import type { Edit } from "./edit-json.ts"

/** Sets keys of one table of a TOML file; comments, order and whatever else is there stay. */
export function editToml(table: string, settings: Readonly<Record<string, unknown>>): Edit {
  return (text) => {
    const current = parseToml(text)
    const before = current[table] ?? {}
    if (typeof before !== "object" || Array.isArray(before)) throw new Error(`its ${table} is no table`)
    const wanted = { ...current, [table]: { ...before, ...settings } }
    if (isDeepStrictEqual(plain(current), plain(wanted))) return text
    const edited = patch(text, wanted)
    // Rather no change than one that says something else.
    if (!isDeepStrictEqual(plain(parseToml(edited)), plain(wanted))) throw new Error("it cannot be changed safely")
    return edited
  }
}

function parseToml(text: string): Record<string, unknown> {
  try {
    return parse(text) as Record<string, unknown>
  } catch (error) {
    throw new Error(`it is not TOML (${(error instanceof Error ? error.message : String(error)).split("\n", 1)[0]})`, {
      cause: error,
    })
  }
}

/** Without prototypes and classes of the parser's own. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
