/** Whole days, today among them. */
export const DRY_RUN_DAYS = [7, 30] as const

/** Over how many days, and which version: null is the draft. */
export function readDryRunSearch(search: URLSearchParams): {
  readonly days: (typeof DRY_RUN_DAYS)[number]
  readonly version: number | null
} {
  const version = Number(search.get("version") ?? "")
  return {
    days: DRY_RUN_DAYS.find((days) => String(days) === search.get("days")) ?? DRY_RUN_DAYS[0],
    version: Number.isSafeInteger(version) && version > 0 ? version : null,
  }
}
