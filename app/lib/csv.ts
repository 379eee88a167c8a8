/** What a spreadsheet takes for a formula, also after white space of its own. */
const FORMULA = /^[\s]*[=+\-@\t\r]/

/**
 * A file of comma-separated values (RFC 4180). Null is an empty field. A text that a spreadsheet would run as a formula
 * begins with an apostrophe, which it shows as text; numbers are left as they are.
 */
export function toCsv(columns: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  return [columns, ...rows].map(toCsvLine).join("")
}

/** One line of such a file. */
export function toCsvLine(row: readonly (string | number | null)[]): string {
  return `${row.map(toField).join(",")}\r\n`
}

function toField(value: string | number | null): string {
  if (value === null) return ""
  if (typeof value === "number") return String(value)
  const text = FORMULA.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
