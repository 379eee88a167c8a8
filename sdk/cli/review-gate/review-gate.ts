import { parseArgs } from "node:util"
import type { InForce } from "../../policy/keeper.ts"
import { type Effect, type Layer, REVIEW_LINES } from "../../policy/vocabulary.ts"
import { type Host, readSettings } from "../home.ts"
import { explainChange, openStoredPolicy } from "../hook/decide.ts"
import { print } from "../print.ts"
import { pullPolicy } from "../refresh-policy.ts"
import { type ChangedFile, readChangedFiles } from "./changed-files.ts"
import { type ReviewLimit, type Share, splitChange } from "./split.ts"

/** What lets a change pass that the policy says to ask about: somebody put it there. */
export const LABEL = "belay:large-change"

/** One layer's limit on how large a change may be before a person has reviewed it, and what it says of this one. */
export interface LimitVerdict {
  readonly layer: Layer
  readonly limit: ReviewLimit
  readonly effect: Effect | "warn"
  /** `lifted`: larger than that, and an exception holds. */
  readonly standing: "within" | "over" | "lifted"
  readonly reason: string | null
  readonly owner: string | null
}

export interface GateVerdict {
  readonly result: "pass" | "warn" | "needs_label" | "refused"
  /** Of the policy that was asked; null where none is published for whoever runs this. */
  readonly version: number | null
  readonly lines: number
  readonly files: number
  /** Files that nobody reviews, which are not counted. */
  readonly generated: number
  readonly limits: readonly LimitVerdict[]
  /** How it could be split; empty where it need not be. */
  readonly parts: readonly Share[]
}

/**
 * `belay review-gate`: whether a change is within what a person can review in one sitting, as the policy's `review` says.
 * Resolves to 0 when it may be merged, to 1 when not, and rejects when that cannot be said.
 */
export async function runReviewGate(args: readonly string[], host: Host): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      base: { type: "string" },
      head: { type: "string", default: "HEAD" },
      labels: { type: "string", default: host.env["CI_MERGE_REQUEST_LABELS"] ?? "" },
      json: { type: "boolean", default: false },
    },
  })
  const base = values.base ?? baseOf(host)
  if (base === null) throw new Error("what is it a change of? --base origin/main")
  const inForce = await readPolicy(host)
  const files = readChangedFiles(host.cwd, base, values.head)
  const labels = values.labels.split(",").map((label) => label.trim())
  const verdict = judgeChange({ files, inForce, labels, host })
  print(values.json ? [JSON.stringify(verdict)] : verdictLines(verdict))
  return verdict.result === "pass" || verdict.result === "warn" ? 0 : 1
}

/** What the branch is to be merged into, as CI systems say it. */
function baseOf({ env }: Host): string | null {
  const target = env["GITHUB_BASE_REF"] || env["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"]
  return target ? `origin/${target}` : null
}

/** Null when nothing is published. Rejects when it cannot be known what is: a limit is never passed by not asking. */
async function readPolicy(host: Host): Promise<InForce | null> {
  const pulled = await pullPolicy(host)
  if (pulled === null) throw new Error("whose policy? Set BELAY_ENDPOINT and BELAY_INGEST_KEY, a key with policy:read")
  const { fetched } = pulled
  const inForce = openStoredPolicy(host, readSettings(host))?.inForce() ?? null
  if (inForce !== null || fetched.result === "no_policy") return inForce
  const why = fetched.result === "refused" ? fetched.reason : fetched.result === "unanswered" ? fetched.why : "not kept"
  throw new Error(`the policy could not be read (${why}), so nothing can be said of this change`)
}

export function judgeChange({
  files,
  inForce,
  labels,
  host,
}: {
  readonly files: readonly ChangedFile[]
  readonly inForce: InForce | null
  readonly labels: readonly string[]
  readonly host: Host
}): GateVerdict {
  const reviewed = files.filter(({ isGenerated }) => !isGenerated)
  const change = { lines: reviewed.reduce((sum, { lines }) => sum + lines, 0), files: reviewed.length }
  const limits = inForce === null ? [] : limitsOf(inForce, change, host)
  const over = limits.filter(({ standing }) => standing === "over")
  const result = resultOf(over, labels)
  return {
    result,
    version: inForce?.signed.bundle.version ?? null,
    ...change,
    generated: files.length - reviewed.length,
    limits,
    parts: over.length === 0 ? [] : splitChange(reviewed, narrowest(over)),
  }
}

function limitsOf(inForce: InForce, change: { lines: number; files: number }, host: Host): readonly LimitVerdict[] {
  const bounds = explainChange(host, inForce, change)
  return inForce.signed.bundle.layers.flatMap(({ layer, document }) => {
    const { review } = document
    if (review === undefined) return []
    const limit = { lines: review.changedLines ?? REVIEW_LINES, files: review.files ?? Infinity }
    const isLifted = bounds.some(
      (bound) => bound.ruleId === "review" && bound.layer === layer && bound.standing === "lifted",
    )
    const isOver = change.lines > limit.lines || change.files > limit.files
    const standing = isLifted ? "lifted" : isOver ? "over" : "within"
    return [
      { layer, limit, effect: review.effect, standing, reason: review.reason ?? null, owner: review.owner ?? null },
    ]
  })
}

function resultOf(over: readonly LimitVerdict[], labels: readonly string[]): GateVerdict["result"] {
  if (over.some(({ effect }) => effect === "deny")) return "refused"
  if (over.some(({ effect }) => effect === "ask") && !labels.includes(LABEL)) return "needs_label"
  return over.length === 0 ? "pass" : "warn"
}

function narrowest(limits: readonly LimitVerdict[]): ReviewLimit {
  return {
    lines: Math.min(...limits.map(({ limit }) => limit.lines)),
    files: Math.min(...limits.map(({ limit }) => limit.files)),
  }
}

const PARTS_SHOWN = 12

function verdictLines(verdict: GateVerdict): readonly string[] {
  const { result, version, lines, files, generated, limits, parts } = verdict
  const size = `${count(lines, "changed line")} in ${count(files, "file")}${generated === 0 ? "" : `, without ${count(generated, "generated file")}`}`
  if (limits.length === 0) {
    return [`${size}. ${version === null ? "No policy is published" : `Policy version ${version} has no limit`}.`]
  }
  return [
    `${HEADLINES[result]}: ${size}.`,
    ...limits.map((one) => `  ${limitLine(one)}`),
    ...(result === "needs_label"
      ? [`Whoever takes it on as it is puts the label ${LABEL} on it (--labels), or split it.`]
      : []),
    ...(result === "refused"
      ? ["Split it, or ask for an exception from rule review on Belay's page of policies."]
      : []),
    ...(parts.length > 1 ? [`It could be ${parts.length} changes:`] : []),
    ...(parts.length > 1 ? parts.slice(0, PARTS_SHOWN).map((part, index) => `  ${index + 1}. ${partLine(part)}`) : []),
    ...(parts.length > PARTS_SHOWN ? [`  and ${parts.length - PARTS_SHOWN} more`] : []),
    ...(parts.length === 1 ? ["It is one file: split it by what is done to it."] : []),
  ]
}

const HEADLINES: Record<GateVerdict["result"], string> = {
  pass: "Reviewable in one sitting",
  warn: "Larger than one sitting",
  needs_label: "Larger than one sitting, and nobody took that on",
  refused: "Too large to be merged",
}

function limitLine({ layer, limit, effect, standing, reason, owner }: LimitVerdict): string {
  const most = `${count(limit.lines, "line")}${limit.files === Infinity ? "" : ` in ${count(limit.files, "file")}`}`
  const words = { within: "within", over: "over", lifted: "over, and an exception holds:" }[standing]
  const why = reason === null ? "" : `: ${reason}`
  return `${words} the ${layer}'s limit of ${most}, else ${effect}${why}${owner === null ? "" : ` (${owner})`}`
}

function partLine({ folder, files, lines }: Share): string {
  const [first] = files
  const where = files.length === 1 && first !== undefined ? first.path : folder || "what is left"
  return `${where}: ${count(lines, "line")} in ${count(files.length, "file")}`
}

function count(number: number, one: string): string {
  return `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`
}
