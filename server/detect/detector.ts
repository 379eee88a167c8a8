import type { Arrivals, DetectedIncident, Roster } from "./contract.ts"

export type DetectorState = { hours: number }

export function startDetector(): DetectorState {
  return { hours: 0 }
}

/** Takes what arrived in the hour that ends at `arrivals.until`; changes the state. */
export function observe(
  state: DetectorState,
  _arrivals: Arrivals,
  _roster: Roster,
  _orgId: string,
): readonly DetectedIncident[] {
  state.hours++
  return []
}
