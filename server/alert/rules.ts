import { z } from "zod"
import type { Severity } from "../slo/burn.ts"
import type { AlertKind } from "./finding.ts"

/**
 * The rules other than those of latency objectives: one of each kind. Each says when it fires in a few figures; an
 * organization that changed none has all of them as they are here.
 */
const settingsSchemas = {
  /** The detector opened an incident. */
  incident: z.object({ peopleMin: z.number().int().min(1).max(100_000) }),
  /** A budget is used up to one of these shares. */
  budget: z.object({ thresholds: z.array(z.number().positive().max(2)).min(1).max(8) }),
  /** A budget will be used up to this share by the end of its period, if it goes on as in the weeks before. */
  budget_forecast: z.object({ share: z.number().min(0.5).max(5) }),
  /** A tool sent nothing for so many whole hours, in which it sent at least so much in the weeks before. */
  silence: z.object({ hours: z.number().int().min(1).max(48), signalsMin: z.number().int().min(1).max(1_000_000) }),
  /** Of the people whose agents send something in an ordinary week, fewer than this share did in the last one. */
  telemetry_coverage: z.object({ share: z.number().positive().max(1) }),
  /** Of the requests of the last minutes more than a share was refused. */
  ingest_errors: z.object({
    minutes: z.number().int().min(5).max(120),
    share: z.number().positive().max(1),
    requestsMin: z.number().int().min(1).max(1_000_000),
  }),
  /** A client let through what every policy denies. */
  canary: z.object({ clientsMin: z.number().int().min(1).max(1000) }),
  /** Too few clients go by the newest policy. */
  coverage: z.object({ share: z.number().positive().max(1), clientsMin: z.number().int().min(1).max(100_000) }),
  /** Policies denied many times as much as usual. */
  denials: z.object({ times: z.number().min(1.5).max(100), denialsMin: z.number().int().min(1).max(1_000_000) }),
  /** Of the changes with orchestrated work that were merged in four weeks, more than a share was so before any review. */
  reviewability: z.object({ share: z.number().positive().max(1), changesMin: z.number().int().min(1).max(100_000) }),
  /** Sign-ins failed many times as often as usual. */
  sign_in_failures: z.object({
    minutes: z.number().int().min(5).max(60),
    times: z.number().min(1.5).max(100),
    failuresMin: z.number().int().min(1).max(100_000),
  }),
} satisfies Record<Exclude<AlertKind, "latency">, z.ZodType>

export type RuleKind = keyof typeof settingsSchemas
export const RULE_KINDS = Object.keys(settingsSchemas) as readonly RuleKind[]

export type RuleSettings = { readonly [Kind in RuleKind]: z.infer<(typeof settingsSchemas)[Kind]> }

export type Rule = {
  readonly [Kind in RuleKind]: {
    readonly kind: Kind
    readonly settings: RuleSettings[Kind]
    readonly severity: Severity
    readonly isEnabled: boolean
  }
}[RuleKind]

/** Every organization's, until it changes one. */
export const DEFAULT_RULES: { readonly [Kind in RuleKind]: Extract<Rule, { kind: Kind }> } = {
  incident: { kind: "incident", settings: { peopleMin: 5 }, severity: "ticket", isEnabled: true },
  budget: { kind: "budget", settings: { thresholds: [0.5, 0.75, 0.9, 1] }, severity: "ticket", isEnabled: true },
  budget_forecast: { kind: "budget_forecast", settings: { share: 1 }, severity: "ticket", isEnabled: true },
  silence: { kind: "silence", settings: { hours: 2, signalsMin: 20 }, severity: "ticket", isEnabled: true },
  telemetry_coverage: { kind: "telemetry_coverage", settings: { share: 0.6 }, severity: "ticket", isEnabled: true },
  ingest_errors: {
    kind: "ingest_errors",
    settings: { minutes: 15, share: 0.05, requestsMin: 100 },
    severity: "ticket",
    isEnabled: true,
  },
  canary: { kind: "canary", settings: { clientsMin: 1 }, severity: "page", isEnabled: true },
  coverage: { kind: "coverage", settings: { share: 0.9, clientsMin: 10 }, severity: "ticket", isEnabled: true },
  denials: { kind: "denials", settings: { times: 4, denialsMin: 50 }, severity: "ticket", isEnabled: true },
  reviewability: {
    kind: "reviewability",
    settings: { share: 0.3, changesMin: 10 },
    severity: "ticket",
    isEnabled: true,
  },
  sign_in_failures: {
    kind: "sign_in_failures",
    settings: { minutes: 15, times: 4, failuresMin: 20 },
    severity: "ticket",
    isEnabled: true,
  },
}

/** What was kept or typed as a rule of a kind; null when it is none. */
export function parseRule(rule: {
  readonly kind: string
  readonly settings: unknown
  readonly severity: string
  readonly isEnabled: boolean
}): Rule | null {
  const kind = RULE_KINDS.find((one) => one === rule.kind)
  if (kind === undefined || (rule.severity !== "page" && rule.severity !== "ticket")) return null
  const parsed = settingsSchemas[kind].safeParse(rule.settings)
  return parsed.success
    ? ({ kind, settings: parsed.data, severity: rule.severity, isEnabled: rule.isEnabled } as Rule)
    : null
}
