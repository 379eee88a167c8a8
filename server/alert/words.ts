import type { AlertKind, Facts } from "./finding.ts"

/** What an alert says to people, in every channel and on its page. Sentence case, without a full stop in the title. */
export interface AlertWords {
  readonly title: string
  /** What was seen, with its figures. */
  readonly summary: string
  readonly todo: string
}

export const KIND_NAMES: Record<AlertKind, string> = {
  latency: "Latency",
  incident: "Breakage",
  budget: "Budget",
  budget_forecast: "Budget forecast",
  silence: "Silent tool",
  telemetry_coverage: "Telemetry coverage",
  ingest_errors: "Ingest errors",
  canary: "Policy not enforced",
  coverage: "Policy coverage",
  denials: "Denials",
  reviewability: "Review falls behind",
  sign_in_failures: "Failed sign-ins",
}

export function describeFacts(facts: Facts): AlertWords {
  switch (facts.kind) {
    case "latency": {
      const place = [facts.rung, facts.agentTool, facts.model, facts.teamName]
        .filter((part) => part !== null)
        .join(" · ")
      const slowShare = percent(facts.longRate * (1 - facts.target))
      return {
        title: `Latency at ${place}: the error budget burns ${rate(facts.longRate)} times as fast as it may`,
        summary: `${slowShare} of ${count(facts.requests)} requests in ${facts.long} took longer than ${duration(facts.thresholdMs)}; ${percent(1 - facts.target)} may. In the last ${facts.short} it burnt ${rate(facts.shortRate)} times as fast.`,
        todo: "Look at what changed: a model, a tool version, a provider. People stop using what makes them wait.",
      }
    }
    case "incident":
      return {
        title: `Trust broke at ${facts.rung}: ${facts.cause.replaceAll("_", " ")}`,
        summary: `Breakage was detected among ${count(facts.people)} people; the likeliest cause is ${facts.cause.replaceAll("_", " ")}.`,
        todo: "Open the incident for the evidence and the ranked causes.",
      }
    case "budget":
      return {
        title:
          facts.threshold >= 1
            ? `Budget ${facts.budgetId} is used up`
            : `Budget ${facts.budgetId} is ${percent(facts.threshold)} used`,
        summary: `${amount(facts.spent, facts.unit)} used in the period that ends ${facts.endsAt.slice(0, 10)}, of a budget of the ${facts.layer} policy.`,
        todo: "See who uses what on the page of budgets, and raise the limit or let it hold.",
      }
    case "budget_forecast":
      return {
        title: `Budget ${facts.budgetId} will not last: ${percent(facts.expected / facts.limit)} of it by ${facts.endsAt.slice(0, 10)}`,
        summary: `As in the weeks before it comes to ${amount(facts.expected, facts.unit)} of ${amount(facts.limit, facts.unit)}, between ${amount(facts.low, facts.unit)} and ${amount(facts.high, facts.unit)} in four of five cases. It is a budget of the ${facts.layer} policy.`,
        todo: "See on the page of usage which models and rungs it goes to, before the limit decides.",
      }
    case "silence":
      return {
        title: `${facts.agentTool} went silent`,
        summary: `No signal of ${facts.agentTool} came in the last ${hours(facts.hours)}; in the same hours of the weeks before it was about ${count(facts.usual)}.`,
        todo: "Look whether the tool's exporter still runs and its key still works. Figures since then are missing, and not zero.",
      }
    case "telemetry_coverage":
      return {
        title:
          facts.people === null
            ? "Only few of the usual people are heard from"
            : `Only ${percent(facts.people / facts.usual)} of the usual people are heard from`,
        summary: `Agents of ${facts.people === null ? "only few" : count(facts.people)} people sent something in the last seven days; usual is ${count(facts.usual)}.`,
        todo: "Look whether an exporter, a key or an update stopped, or whether people stopped: the ladder and its moves tell that apart.",
      }
    case "ingest_errors":
      return {
        title: `${percent(facts.refused / facts.requests)} of telemetry is refused`,
        summary: `Of ${count(facts.requests)} requests in ${facts.minutes} minutes ${count(facts.refused)} were refused.`,
        todo: "The ingest status page says why, by reason.",
      }
    case "canary":
      return {
        title: `A policy is not enforced on ${count(facts.clients)} ${facts.clients === 1 ? "client" : "clients"}`,
        summary: `An action that every policy denies was let through${facts.agentTools.length === 0 ? "" : ` by ${facts.agentTools.join(", ")}`}.`,
        todo: "See on the page of clients which they are, and update or reconnect them.",
      }
    case "coverage":
      return {
        title: `Only ${percent(facts.current / facts.clients)} of clients go by policy version ${facts.version}`,
        summary: `${count(facts.current)} of ${count(facts.clients)} clients that were heard of within a day go by it, an hour after it was published.`,
        todo: "See on the page of clients which are behind and why.",
      }
    case "denials":
      return {
        title: "Policies deny far more than usual",
        summary: `${count(facts.denials)} actions were denied in the last two hours; usual at this time is ${count(Math.round(facts.usual))}.`,
        todo: "See on the page of decisions which rule denies; a rule that is too wide makes people turn agents off.",
      }
    case "reviewability":
      return {
        title: `Orchestration outruns review: ${percent(facts.unreviewed / facts.merged)} of its changes are merged without one`,
        summary: `Of ${count(facts.merged)} changes with orchestrated work that were merged in ${facts.days} days, ${count(facts.unreviewed)} were before anybody reviewed them.`,
        todo: "The page of outcomes says in which teams, and how large the changes are. Smaller tasks are reviewed sooner; belay review-gate holds the limit in CI.",
      }
    case "sign_in_failures":
      return {
        title: "Sign-ins fail far more often than usual",
        summary: `${count(facts.failures)} sign-ins failed in ${facts.minutes} minutes; usual is ${facts.usual.toFixed(1)}.`,
        todo: "The audit log names the addresses. Somebody may be guessing passwords, or single sign-on is away.",
      }
  }
}

const percent = (share: number) => `${Number((share * 100).toFixed(share < 0.1 ? 1 : 0))} %`
const amount = (value: number, unit: "usd" | "tokens") =>
  unit === "usd" ? `$${value.toFixed(2)}` : `${count(Math.round(value))} tokens`
const count = (value: number) => value.toLocaleString("en")
const rate = (value: number) => value.toFixed(1)
const hours = (value: number) => (value === 1 ? "hour" : `${value} hours`)

function duration(ms: number): string {
  if (ms < 1000) return `${Number(ms.toFixed(0))} ms`
  if (ms < 120_000) return `${Number((ms / 1000).toFixed(1))} s`
  return `${Number((ms / 60_000).toFixed(1))} min`
}
