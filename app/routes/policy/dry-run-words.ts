import type { Change, ChangeTotal, DryRun, JudgedKind } from "#server/policy/dry-run.ts"
import { formatCount, plural } from "../../lib/format.ts"

/** A heading for each change that there may have been, the strictest first. */
export const CHANGE_TITLES: Record<JudgedKind, Partial<Record<Change, string>>> = {
  calls: {
    denied: "Calls that it would have stopped",
    asked: "Calls that it would have asked about first",
    allowed: "Calls that it would have let through",
    cannot_tell: "Calls of which it cannot be told",
  },
  prompts: {
    refused: "Questions that it would have answered with no",
    spared: "Questions that people would have been spared",
    cannot_tell: "Questions of which it cannot be told",
  },
}

/** In one sentence, what would have been different. */
export function describeDryRun({ totals }: Pick<DryRun, "totals">, days: number): string {
  const when = days === 7 ? "in the last 7 days" : `in the last ${days} days`
  if (totals.length === 0) return `Nothing was recorded ${when} that it could be tried on.`
  const parts = [
    part(totals, "calls", "denied", (of) => `stopped ${of("call")}`),
    part(totals, "calls", "asked", (of) => `asked before ${of("call")}`),
    part(totals, "calls", "allowed", (of) => `let ${of("more call")} through`),
    part(totals, "prompts", "refused", (of) => `answered ${of("prompt")} with no`),
    part(totals, "prompts", "spared", (of) => `removed ${of("prompt")}`),
  ].filter((text) => text !== null)
  if (parts.length === 0) {
    return totals.some(({ change }) => change === "cannot_tell")
      ? `Nothing that can be told would have been different ${when}.`
      : `Nothing would have been different ${when}.`
  }
  return `It would have ${listed(parts)} ${when}.`
}

function part(
  totals: readonly ChangeTotal[],
  judged: JudgedKind,
  change: Change,
  say: (of: (noun: string) => string) => string,
): string | null {
  const found = totals.find((total) => total.judged === judged && total.change === change)
  if (found === undefined) return null
  if (found.count === null || found.people === null) {
    const what = {
      denied: "stopped",
      asked: "asked before",
      allowed: "let through",
      refused: "refused",
      spared: "removed",
    }
    return `${what[change as keyof typeof what]} some ${judged} of too few people to say how many`
  }
  const { count, people } = found
  const whose = `${judged === "calls" ? "by" : "of"} ${formatCount(people)} ${people === 1 ? "person" : "people"}`
  return say((noun) => `${plural(count, noun)} ${whose}`)
}

function listed(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join("")
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`
}
