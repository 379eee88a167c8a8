import type { RuleKind } from "#server/alert/rules.ts"

/** Rules other than latency, in words: when each fires, and its figures by the names that settings have. */
export const RULE_WORDS: Record<
  RuleKind,
  { readonly name: string; readonly when: string; readonly fields: Readonly<Record<string, string>> }
> = {
  incident: {
    name: "Breakage",
    when: "An incident of lost trust is open that so many people are in.",
    fields: { peopleMin: "People, at least" },
  },
  budget: {
    name: "Budget",
    when: "A budget of a team or of everyone is used up to one of these percentages.",
    fields: { thresholds: "Used, % of the budget" },
  },
  budget_forecast: {
    name: "Budget forecast",
    when: "A budget of a team or of everyone will be used up to this by the end of its period, going by the weeks before.",
    fields: { share: "Forecast, % of the budget" },
  },
  silence: {
    name: "Silent tool",
    when: "A tool sent nothing for whole hours in which it did in three of the last four weeks.",
    fields: { hours: "Hours without a signal", signalsMin: "Signals usual in these hours, at least" },
  },
  telemetry_coverage: {
    name: "Telemetry coverage",
    when: "Agents of fewer people than usual send anything, in seven days beside the four weeks before.",
    fields: { share: "People, % of the usual, below" },
  },
  ingest_errors: {
    name: "Ingest errors",
    when: "More than a share of the requests with telemetry is refused.",
    fields: { minutes: "Looked at, minutes", share: "Refused, %", requestsMin: "Requests, at least" },
  },
  canary: {
    name: "Policy not enforced",
    when: "Clients let an action through that every policy denies.",
    fields: { clientsMin: "Clients, at least" },
  },
  coverage: {
    name: "Policy coverage",
    when: "An hour after a policy was published, fewer clients than this go by it.",
    fields: { share: "Clients that should, %", clientsMin: "Clients heard of within a day, at least" },
  },
  denials: {
    name: "Denials",
    when: "Policies deny many times as much as at the same time of the seven days before.",
    fields: { times: "Times as much", denialsMin: "Denials in two hours, at least" },
  },
  reviewability: {
    name: "Review falls behind",
    when: "Of the changes with orchestrated work that were merged in four weeks, more than a share was before any review.",
    fields: { share: "Merged before review, %", changesMin: "Merged changes, at least" },
  },
  sign_in_failures: {
    name: "Failed sign-ins",
    when: "Sign-ins fail many times as often as in the seven days before.",
    fields: { minutes: "Looked at, minutes", times: "Times as often", failuresMin: "Failures, at least" },
  },
}

/** Settings that are shares 0..1 and that people see as percentages. */
const PERCENT = new Set(["share", "thresholds"])

export function settingToText(name: string, value: number | readonly number[]): string {
  const shown = (one: number) => String(PERCENT.has(name) ? Number((one * 100).toFixed(4)) : one)
  return typeof value === "number" ? shown(value) : value.map(shown).join(", ")
}

/** What was typed as a setting; text that is no number gives NaN, which no rule takes. */
export function textToSetting(name: string, text: string): number | number[] {
  const read = (part: string) => (part.trim() === "" ? Number.NaN : Number(part) / (PERCENT.has(name) ? 100 : 1))
  return name === "thresholds" ? text.split(",").map(read) : read(text)
}
