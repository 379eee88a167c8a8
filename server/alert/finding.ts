import type { Rung } from "#sdk/ladder.ts"
import type { Severity } from "../slo/burn.ts"

/** What is known of what an alert is about: figures of groups and names of tools, no content and nobody. */
export type Facts =
  | {
      readonly kind: "latency"
      readonly rung: Rung
      readonly agentTool: string | null
      readonly model: string | null
      readonly teamId: string | null
      /** As it was called then. */
      readonly teamName: string | null
      readonly thresholdMs: number
      readonly target: number
      /** Of the burn-rate rule that fired, in words: `1 h`. */
      readonly long: string
      readonly short: string
      readonly factor: number
      readonly longRate: number
      readonly shortRate: number
      /** In the long window. */
      readonly requests: number
    }
  | {
      readonly kind: "incident"
      readonly incidentId: string
      readonly incidentKind: string
      readonly rung: Rung
      readonly cause: string
      readonly people: number
    }
  | {
      readonly kind: "budget"
      readonly budgetId: string
      readonly layer: string
      /** Share of the limit, 1 being all of it. */
      readonly threshold: number
      readonly spent: number
      readonly unit: "usd" | "tokens"
      readonly endsAt: string
    }
  | {
      readonly kind: "budget_forecast"
      readonly budgetId: string
      readonly layer: string
      /** Of the period, in the unit: what is expected, and between what it will be with 80 %. */
      readonly expected: number
      readonly low: number
      readonly high: number
      readonly limit: number
      readonly unit: "usd" | "tokens"
      readonly endsAt: string
    }
  | {
      readonly kind: "silence"
      readonly agentTool: string
      readonly hours: number
      /** Signals in the same hours of a week before, in the middle. */
      readonly usual: number
    }
  | {
      readonly kind: "telemetry_coverage"
      /** People whose agents sent something in the last seven days; null when there are too few to say. */
      readonly people: number | null
      /** The same of the four weeks before, in the middle. */
      readonly usual: number
    }
  | {
      readonly kind: "ingest_errors"
      readonly minutes: number
      readonly requests: number
      readonly refused: number
    }
  | { readonly kind: "canary"; readonly clients: number; readonly agentTools: readonly string[] }
  | { readonly kind: "coverage"; readonly clients: number; readonly current: number; readonly version: number }
  | { readonly kind: "denials"; readonly denials: number; readonly usual: number }
  | {
      readonly kind: "reviewability"
      /** Changes with orchestrated work that were merged in so many days, and how many of them before any review. */
      readonly days: number
      readonly merged: number
      readonly unreviewed: number
    }
  | { readonly kind: "sign_in_failures"; readonly minutes: number; readonly failures: number; readonly usual: number }

export type AlertKind = Facts["kind"]

/** What a rule says of one subject now. `unknown`: there is nothing that it could say it from, which is not calm. */
export type Finding = {
  readonly kind: AlertKind
  /** What of the kind it is about; the same at every look. */
  readonly subject: string
  readonly teamId: string | null
  readonly rung: Rung | null
} & (
  | { readonly verdict: "firing"; readonly severity: Severity; readonly facts: Facts }
  | { readonly verdict: "calm" | "unknown" }
)

/** Names a subject among those of all kinds. */
export function findingKey({ kind, subject }: { readonly kind: string; readonly subject: string }): string {
  return `${kind}\n${subject}`
}
