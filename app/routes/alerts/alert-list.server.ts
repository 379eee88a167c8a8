import { type ListedAlert, STATE_FILTERS, type StateFilter } from "#server/alert/queries.ts"
import { describeFacts, KIND_NAMES } from "#server/alert/words.ts"

/** An alert in words. */
export function describeAlert(alert: ListedAlert) {
  const { facts, ...rest } = alert
  return { ...rest, kindName: KIND_NAMES[alert.kind], ...describeFacts(facts) }
}

/** The states that a list is narrowed to. */
export function stateOf(search: URLSearchParams): StateFilter {
  return STATE_FILTERS.find((one) => one === search.get("state")) ?? "current"
}
