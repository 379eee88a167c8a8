import type { Rung } from "#sdk/ladder.ts"
import type {
  Cause,
  Change,
  Check,
  FaultNote,
  IncidentKind,
  IncidentState,
  Reason,
  Watched,
} from "#server/detect/contract.ts"
import type { IncidentHistory, Shared, ShownCheck, ShownEvidence, ShownIncident } from "#server/detect/queries.ts"
import { formatCount, formatRate, formatShare, plural } from "../../lib/format.ts"
import { OPERATION_WORDS, RUNG_LABELS } from "../ladder/rungs.ts"

/** Incidents in words that need no explanation. What is null is left unsaid. */

export const STATE_LABELS: Record<IncidentState, string> = {
  open: "Open",
  recovering: "Recovering",
  recovered: "Recovered",
  new_normal: "New normal",
}

export const KIND_LABELS: Record<IncidentKind, string> = {
  breakage: "Trust lost",
  over_trust: "Trusted too much",
  data_quality: "Data quality",
}

export const CAUSE_LABELS: Record<Cause, string> = {
  latency: "slow answers",
  quality: "worse results",
  wrong_path: "edits outside the task",
  permission: "permission prompts",
  context_loss: "lost context",
  errors: "errors",
  unknown: "not known",
}

export const SIGNAL_LABELS: Record<Watched, string> = {
  acceptance: "Results accepted",
  outcome: "Work that was kept",
  slow: "Slow answers",
  wrong_path: "Edits outside the task",
  prompts: "Questions asked",
  errors: "Errors",
  context: "Files given as context",
  use: "Use",
}

export const REASON_LABELS: Record<Reason, string> = {
  began_before_loss: "it began before people turned away",
  exposed_left_more: "who went through more of it left more often",
  change_nearby: "a change that fits came just before",
}

const SHARED_LABELS: Record<Shared, string> = {
  team: "same team",
  client: "same tool",
  model: "same model",
  policy: "both after a change of policy",
}

export function describeShared(shared: readonly Shared[]): string {
  return capitalize(["same rung and cause", ...shared.map((of) => SHARED_LABELS[of])].join(", "))
}

/** A signal with its figures: what is withheld has none. */
export type Measured = Extract<ShownEvidence, { disclosure: "shown" }>

type Place = Pick<ShownIncident, "teamId" | "team" | "developerId" | "client" | "model" | "language" | "mode">

/** What of an incident is told of. */
export type Told = Place &
  Pick<
    ShownIncident,
    | "kind"
    | "rung"
    | "alsoRungs"
    | "state"
    | "startedAt"
    | "closedAt"
    | "cause"
    | "causes"
    | "evidence"
    | "checks"
    | "changes"
    | "people"
    | "peopleAffected"
    | "note"
  > & {
    /** What it stands on; null when nothing was measured, or too few people are behind it. */
    readonly leading: Measured | null
    readonly leadingSignal: Watched | null
  }

export interface When {
  readonly now: Date
  readonly timeZone: string
}

/** What happened to whom since when, how many show it, and most likely why. */
export function describeIncident(incident: Told, when: When): string {
  if (incident.kind === "data_quality") return describeFault(incident, when)
  const period = describePeriod(incident, when)
  const parts = [`${subjectOf(incident)} ${effectOf(incident)} ${period}`]
  const people = incident.developerId === null ? describePeople(incident) : null
  const change = describeNearestChange(incident)
  const rest = [people, change].filter((part) => part !== null).join(", ")
  if (rest !== "") parts.push(rest)
  return [`${parts.join("; ")}.`, incident.kind === "breakage" ? describeCause(incident) : null, describeTurn(incident)]
    .filter((sentence) => sentence !== null)
    .join(" ")
}

/** Where it is, as a label. */
export function describePlace(place: Place): string {
  if (place.developerId !== null) return ["You", ...conditionsOf(place)].join(", ")
  const parts = [teamOf(place), place.language, nameOfClient(place.client), place.model, modeOf(place.mode)]
  const named = parts.filter((part) => part !== null)
  return named.length === 0 ? "Whole organization" : named.join(" · ")
}

/** "9 of 11 people"; null when they are too few to count. */
export function describePeople(incident: Pick<Told, "people" | "peopleAffected">): string | null {
  if (incident.peopleAffected === null) return null
  return `${formatCount(incident.peopleAffected)} of ${plural(incident.people, "person", "people")}`
}

/** Day and hour in the zone, with the year when it is another one: "Tue 12 May, 09:00". */
export function formatHour(date: Date, { now, timeZone }: When): string {
  const format = (options: Intl.DateTimeFormatOptions, of = date) =>
    new Intl.DateTimeFormat("en-GB", { ...options, timeZone }).format(of)
  const year = format({ year: "numeric" })
  const day = [format({ weekday: "short" }), format({ day: "numeric" }), format({ month: "short" })]
  if (year !== format({ year: "numeric" }, now)) day.push(year)
  return `${day.join(" ")}, ${format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" })}`
}

const SUBJECTS: Record<Rung, string> = {
  autocomplete: "suggestions",
  chat: "chat answers",
  agent: "agent tasks",
  orchestration: "orchestration runs",
}

function subjectOf(incident: Told): string {
  const what = [incident.rung, ...incident.alsoRungs].map((rung) => SUBJECTS[rung])
  const last = what.pop() ?? ""
  const things = what.length === 0 ? last : `${what.join(", ")} and ${last}`
  const conditions = conditionsOf(incident)
  const team = teamOf(incident)
  const words = incident.developerId === null ? [things] : ["your", things]
  if (team !== null && incident.developerId === null) words.push(`of ${team}`)
  if (team === null && incident.developerId === null && conditions.length === 0) words.push("of the whole organization")
  return capitalize([...words, ...conditions].join(" "))
}

function conditionsOf({ client, model, language, mode }: Place): string[] {
  return [
    language === null ? null : `in ${language}`,
    client === null ? null : `with ${nameOfClient(client)}`,
    model === null ? null : `on ${model}`,
    mode === null ? null : `in ${modeOf(mode)}`,
  ].filter((part) => part !== null)
}

function teamOf({ teamId, team }: Place): string | null {
  return teamId === null ? null : (team ?? "a team that is gone")
}

/** `claude-code@2.1.0` as people say it. */
function nameOfClient(client: string | null): string | null {
  return client === null ? null : client.replace("@", " ")
}

function modeOf(mode: string | null): string | null {
  return mode === null ? null : `${mode} mode`
}

interface Effect {
  readonly perfect: string
  readonly past: string
  readonly measure: (ratio: number) => string
}

const EFFECTS: Record<Exclude<Watched, "use">, Effect> = {
  acceptance: { perfect: "have been accepted", past: "were accepted", measure: oftener },
  outcome: { perfect: "have ended in work that was kept", past: "ended in work that was kept", measure: oftener },
  slow: { perfect: "have been slow", past: "were slow", measure: oftener },
  wrong_path: {
    perfect: "have edited files outside their task",
    past: "edited files outside their task",
    measure: oftener,
  },
  prompts: { perfect: "have asked", past: "asked", measure: oftener },
  errors: { perfect: "have run into errors", past: "ran into errors", measure: oftener },
  context: { perfect: "have been given", past: "were given", measure: (ratio) => `${moreOf(ratio)} context` },
}

function effectOf(incident: Told): string {
  const { leading } = incident
  const isOver = incident.state === "recovered"
  if (incident.kind === "over_trust") {
    const told = overTrustOf(incident.evidence)
    const verb = isOver ? "were trusted" : "have been trusted"
    return `${verb} more than their results bear out${told === "" ? "" : ` (${told})`}`
  }
  if (leading === null) return isOver ? "lost trust" : "have lost trust"
  if (leading.watched === "use") return useOf(leading.ratio, isOver)
  const effect = EFFECTS[leading.watched]
  return `${isOver ? effect.past : effect.perfect} ${effect.measure(leading.ratio)}`
}

function useOf(ratio: number, isOver: boolean): string {
  if (ratio < 1) return `${isOver ? "fell" : "have fallen"} by ${percentOff(ratio)}`
  const verb = isOver ? "rose" : "have risen"
  return ratio < MULTIPLE ? `${verb} by ${percentOff(ratio)}` : `${verb} to ${formatRate(ratio)} times`
}

/** What went up and what went down with it. */
function overTrustOf(evidence: readonly ShownEvidence[]): string {
  const isUp = (watched: Watched) => watched === "use" || watched === "acceptance"
  return evidence
    .filter((of) => of.disclosure === "shown")
    .filter(({ watched, ratio }) => (isUp(watched) ? ratio > 1 : watched === "outcome" ? ratio < 1 : ratio > 1))
    .filter(({ watched }) => watched !== "context" && watched !== "slow")
    .toSorted((a, b) => Number(isUp(b.watched)) - Number(isUp(a.watched)))
    .map((of) => `${SIGNAL_LABELS[of.watched].toLowerCase()} ${oftener(of.ratio)}`)
    .join(", ")
}

/** From here on a factor is easier to grasp than a percentage. */
const MULTIPLE = 1.5

function percentOff(ratio: number): string {
  const share = Math.abs(1 - ratio)
  return share > 0.994 && ratio < 1 ? "over 99 %" : formatShare(share)
}

function isAsBefore(ratio: number): boolean {
  return Math.round(Math.abs(1 - ratio) * 100) === 0
}

/** observed / expected of how often something happens: "3.6 times as often", "38 % less often". */
export function oftener(ratio: number): string {
  if (isAsBefore(ratio)) return "as often as expected"
  if (ratio >= MULTIPLE) return `${formatRate(ratio)} times as often`
  return `${percentOff(ratio)} ${ratio < 1 ? "less" : "more"} often`
}

function moreOf(ratio: number): string {
  if (isAsBefore(ratio)) return "as much"
  if (ratio >= MULTIPLE) return `${formatRate(ratio)} times as much`
  return `${percentOff(ratio)} ${ratio < 1 ? "less" : "more"}`
}

function describePeriod(incident: Told, when: When): string {
  const from = formatHour(incident.startedAt, when)
  if (incident.state !== "recovered" || incident.closedAt === null) return `since ${from}`
  return `from ${from} until ${formatHour(incident.closedAt, when)}`
}

function describeTurn({ state }: Told): string | null {
  if (state === "recovering") return "It is getting better."
  if (state === "new_normal") return "This is taken for the new normal."
  return null
}

function describeCause(incident: Told): string {
  if (incident.cause === "unknown") return "Why is not known."
  const label = CAUSE_LABELS[incident.cause]
  const share = incident.causes.find(({ cause }) => cause === incident.cause)?.share ?? null
  // When nothing else was found there is nothing to be surer of it than.
  if (share === null || incident.causes.length < 2) return `Probably: ${label}.`
  return `${share >= 0.5 ? "Probably" : "Perhaps"}: ${label} (${formatSure(share)} sure).`
}

/** A probability, which is never all. */
export function formatSure(share: number): string {
  if (share > 0.99) return "over 99 %"
  if (share < 0.01) return "under 1 %"
  return formatShare(share)
}

/** A change as a thing: "the policy change", "the first use of claude-code 2.1.0". */
export function describeChange({ kind, subject }: Pick<Change, "kind" | "subject">): string {
  const name = subject.replace("@", " ").replaceAll("+", ", ")
  if (kind === "policy") return "the policy change"
  if (kind === "agent_version" || kind === "client") return `the first use of ${name}`
  if (kind === "model") return `the change to ${name}`
  return `${kind.replaceAll("_", " ")} ${name}`
}

const HOUR_MS = 3_600_000

/** The last change before the start that fits; its time against the start. */
function describeNearestChange({ changes, startedAt }: Told): string | null {
  const before = changes
    .filter(({ fits, at }) => fits && at <= startedAt.getTime())
    .toSorted((a, b) => b.at - a.at)
    .at(0)
  if (before === undefined) return null
  return `after ${describeChange(before)} ${formatBefore(startedAt.getTime() - before.at)} before`
}

function formatBefore(ms: number): string {
  const hours = Math.round(ms / HOUR_MS)
  if (hours < 1) return "shortly"
  if (hours === 1) return "the hour"
  return hours < 36 ? `${hours} hours` : plural(Math.round(hours / 24), "day")
}

/** How far a change was from the start: "3 hours before", "at the same time". */
export function describeDistance(at: number, startedAt: Date): string {
  const ms = at - startedAt.getTime()
  const hours = Math.round(Math.abs(ms) / HOUR_MS)
  if (hours === 0) return "at the same time"
  return `${hours < 36 ? plural(hours, "hour") : plural(Math.round(hours / 24), "day")} ${ms < 0 ? "before" : "after"}`
}

function describeFault(incident: Told, when: When): string {
  const at = formatHour(incident.startedAt, when)
  const figure = incident.checks.find(({ result }) => result === "found")?.figure ?? null
  switch (incident.note) {
    case "telemetry_stopped": {
      const missing = figure === null ? "" : `, where about ${formatCount(figure)} were expected`
      return `No signals arrived any more${missing}: seen ${at}. People may well have gone on working.`
    }
    case "rung_stopped": {
      const missing = figure === null ? "" : `, where about ${formatCount(figure)} were expected`
      return `${capitalize(SUBJECTS[incident.rung])} stopped arriving while other signals went on${missing}: seen ${at}. An exporter may have stopped; people may well have gone on.`
    }
    case "telemetry_late":
      return `${figure === null ? "Many" : formatShare(figure)} ${figure === null ? "signals" : "of the signals"} arrived more than two hours late: seen ${at}. Recent figures are incomplete.`
    case "duplicates":
      return `${figure === null ? "Many" : formatShare(figure)} ${figure === null ? "signals" : "of the signals"} had been stored before: seen ${at}. They are counted once.`
    case null:
      return `Something was wrong with the telemetry: seen ${at}.`
  }
}

/** Observed against expected in numbers: "612 questions in 340 tasks, 170 expected"; null when they are withheld. */
export function describeFigures(evidence: Measured, rung: Rung): string | null {
  const { watched, observed, expected, units } = evidence
  if (observed === null || expected === null || units === null) return null
  const word = OPERATION_WORDS[rung]
  const [seen, usual] = [formatAmount(observed), formatAmount(expected)]
  const all = plural(Math.round(units), word)
  if (watched === "use") return `${seen} ${word}s, ${usual} expected`
  if (watched === "prompts") return `${seen} questions in ${all}, ${usual} expected`
  if (watched === "errors") return `${seen} errors in ${all}, ${usual} expected`
  if (watched === "context") return `${seen} files in ${all}, ${usual} expected`
  return `${seen} of ${all}, ${usual} expected`
}

export function formatAmount(amount: number): string {
  return amount < 10 ? formatRate(amount) : formatCount(amount)
}

/** observed / expected as a figure. */
export function formatRatio(ratio: number): string {
  if (isAsBefore(ratio)) return "±0 %"
  // What is over 99 % less has 99 % in a column of figures.
  if (ratio > 0 && ratio < 0.01) return "−99 %"
  return ratio < 1
    ? `−${formatShare(1 - ratio)}`
    : ratio < MULTIPLE
      ? `+${percentOff(ratio)}`
      : `${formatRate(ratio)} times`
}

/** A level against what is expected: "3.6 times what is expected", "38 % less than expected". */
export function describeLevel(ratio: number): string {
  if (isAsBefore(ratio)) return "what is expected"
  if (ratio >= MULTIPLE) return `${formatRate(ratio)} times what is expected`
  return `${percentOff(ratio)} ${ratio < 1 ? "less" : "more"} than expected`
}

/** What was looked for, what was found, and the number that says so. */
export function describeCheck({ check, result, figure }: ShownCheck): string {
  const isFound = result === "found"
  if (result === "withheld") return `${CHECK_LABELS[check]}: rests on too few people to tell.`
  if (figure === null || result === "not_checked") return `${CHECK_LABELS[check]}: could not be checked.`
  switch (check) {
    case "telemetry_stopped":
      return isFound ? "Signals stopped arriving for a time." : "Signals arrived without a gap."
    case "telemetry_late":
      return `${isFound ? "Many signals came late" : "Signals came in time"}: ${formatSmall(figure)} were more than two hours late.`
    case "duplicates":
      return `${isFound ? "Many signals came twice" : "Signals came once"}: ${formatSmall(figure)} were duplicates.`
    case "work_mix":
      return isAsBefore(figure)
        ? "The mix of work is as before: by itself it changes nothing."
        : `The mix of work ${isFound ? "changed" : "is much as before"}: by itself it makes ${percentOff(figure)} ${figure < 1 ? "less" : "more"} of it.`
    case "slow_week":
      return `${isFound ? "People worked less at the other rungs too" : "People worked as usual at the other rungs"}: ${formatShare(figure)} of what was expected.`
    case "new_people":
      return figure === 0
        ? "Nobody in it is new."
        : `${plural(figure, "person is", "people are")} new and not counted yet.`
    case "climbing":
      return `${isFound ? "Work moved up the ladder" : "Work did not move up the ladder"}: ${formatShare(figure)} of what was expected above.`
    case "larger_tasks":
      return `${isFound ? "Tasks became larger" : "Tasks are much as large as before"}: ${callsOf(figure)}.`
  }
}

function callsOf(ratio: number): string {
  if (isAsBefore(ratio)) return "as many tool calls"
  if (ratio >= MULTIPLE) return `${formatRate(ratio)} times the tool calls`
  return `${percentOff(ratio)} ${ratio < 1 ? "fewer" : "more"} tool calls`
}

const CHECK_LABELS: Record<Check["check"], string> = {
  telemetry_stopped: "A gap in the telemetry",
  telemetry_late: "Late telemetry",
  duplicates: "Duplicates",
  work_mix: "Another mix of work",
  slow_week: "A slow week",
  new_people: "New people",
  climbing: "Work that moved up the ladder",
  larger_tasks: "Larger tasks",
}

function formatSmall(share: number): string {
  return share > 0 && share < 0.01 ? "under 1 %" : formatShare(share)
}

/** What to try, the most likely to help first. */
export function whatToTry(
  incident: Pick<ShownIncident, "kind" | "cause" | "note" | "client" | "model" | "action">,
): readonly string[] {
  if (incident.kind === "data_quality") return incident.note === null ? [] : FAULT_STEPS[incident.note]
  if (incident.kind === "over_trust") {
    return [
      "Review a sample of what was merged unseen since then.",
      "Ask for a human decision again where results got worse, by a rule of the policy.",
    ]
  }
  const steps = [...CAUSE_STEPS[incident.cause]]
  const versioned = incident.client?.includes("@") === true ? nameOfClient(incident.client) : incident.model
  if (versioned !== null)
    steps.unshift(`Try for a day without ${versioned}: go back to the version or model of before.`)
  if (incident.action !== null) steps.unshift(`Look at ${incident.action} first: it is behind most of it.`)
  return steps
}

const CAUSE_STEPS: Record<Cause, readonly string[]> = {
  latency: [
    "Look at the provider's status page, and at the gateway or proxy in between, for the hours around the start.",
    "Give small tasks a faster model until it is over.",
  ],
  quality: [
    "Read five results that were turned down since the start and note what they have in common.",
    "Check that instructions and rule files still fit the code they are about.",
  ],
  wrong_path: [
    "Say in the project's instructions which folders a task may touch, and deny the others by policy.",
    "Read one of the edits outside its task: the wrong working directory is the most common reason.",
  ],
  permission: [
    "See which questions are asked most, and allow the harmless ones by a rule.",
    "Undo the last change of policy or settings, if the questions began with it.",
  ],
  context_loss: [
    "Check that the index and the context servers answer.",
    "Split long tasks: what a session forgot is not asked for again.",
  ],
  errors: [
    "Read the message of the error that comes most.",
    "Check keys, quotas and network access of the tool that fails.",
  ],
  unknown: [
    "Ask two of the people what is different since then: no signal says it.",
    "Look through the changes around the start, the ones that do not fit too.",
  ],
}

const FAULT_STEPS: Record<FaultNote, readonly string[]> = {
  telemetry_stopped: [
    "Check that Belay is reachable from where the agents run, and that the ingest key works.",
    "Look at the collector in between, if there is one; what it kept is counted when it comes.",
  ],
  rung_stopped: ["Check the exporter settings of the tools of this rung: an update may have switched them off."],
  telemetry_late: ["Look at the queue of the collector in between, and at clocks that are wrong."],
  duplicates: ["Look for a collector that sends to Belay twice, or an exporter that repeats what was answered."],
}

/** What has to happen for it to be over. */
export function describeClosing(
  incident: Pick<Told, "kind" | "state" | "leadingSignal">,
  closing: { readonly ratio: number; readonly isLeast: boolean } | null,
): string {
  if (incident.kind === "data_quality") return "A note of one moment: nothing has to happen."
  if (incident.state === "recovered") return "It is over. If it comes back within days it is this incident again."
  if (incident.state === "new_normal") return "It is closed. Reopen it if this should not stay so."
  if (incident.leadingSignal === null || closing === null) return "It closes by itself once things are as before."
  const signal = `“${SIGNAL_LABELS[incident.leadingSignal].toLowerCase()}”`
  const bound = closing.isLeast
    ? `at least ${formatShare(closing.ratio)} of`
    : `at most ${formatRate(closing.ratio)} times`
  return `It closes by itself once ${signal} over three days comes to ${bound} what is expected, for long enough to outweigh what spoke for it.`
}

type HistoryEvent = IncidentHistory["events"][number]

/** Rungs that it is about; of some faults of the telemetry it is all of them. */
export function describeRungs({
  kind,
  note,
  rung,
  alsoRungs,
}: Pick<Told, "kind" | "note" | "rung" | "alsoRungs">): string {
  if (kind === "data_quality" && note !== "rung_stopped") return "All rungs"
  return [rung, ...alsoRungs].map((of) => RUNG_LABELS[of]).join(", ")
}

/** What became of it, without who and when. `teams` are those that may be named. */
export function describeEvent(
  { kind, details }: Pick<HistoryEvent, "kind" | "details">,
  teams: readonly { readonly id: string; readonly name: string }[],
): string {
  const [from, to] = [details["from"], details["to"]]
  const move = (words: string) => {
    const [before, after] = [describeScope(from, teams), describeScope(to, teams)]
    return before === null || after === null ? `${words}.` : `${words}: from ${before} to ${after}.`
  }
  switch (kind) {
    case "opened":
      return isCause(details["cause"]) ? `Found; cause: ${CAUSE_LABELS[details["cause"]]}.` : "Found."
    case "widened":
      return move("Found to reach further")
    case "narrowed":
      return move("Found to be narrower")
    case "moved":
      return move("Found to be elsewhere")
    case "cause_changed":
      return isCause(from) && isCause(to)
        ? `Another cause fits better: ${CAUSE_LABELS[to]} instead of ${CAUSE_LABELS[from]}.`
        : "Another cause fits better."
    case "recovering":
      return "Getting better."
    case "recovered":
      return "Recovered."
    case "reopened":
      return "Opened again."
    case "new_normal_proposed":
      return typeof details["ratio"] === "number"
        ? `Stays at ${describeLevel(details["ratio"])}: proposed as the new normal.`
        : "Stays as it is: proposed as the new normal."
    case "new_normal_accepted":
      return "Accepted as the new normal."
    case "new_normal_declined":
      return "Not the new normal: the proposal was declined."
    case "acknowledged":
      return "Acknowledged."
    case "labelled":
      return `Labelled ${details["isReal"] === true ? "real" : "not real"}${isCause(details["cause"]) ? `, cause: ${CAUSE_LABELS[details["cause"]]}` : ""}.`
    case "note":
      return typeof details["text"] === "string" ? details["text"] : "A note."
  }
}

function isCause(value: unknown): value is Cause {
  return typeof value === "string" && value in CAUSE_LABELS
}

function describeScope(
  scope: unknown,
  teams: readonly { readonly id: string; readonly name: string }[],
): string | null {
  if (typeof scope !== "object" || scope === null) return null
  const fields = new Map<string, unknown>(Object.entries(scope))
  const text = (name: string) => {
    const value = fields.get(name)
    return typeof value === "string" ? value : null
  }
  const teamId = text("team")
  const place = describePlace({
    teamId,
    team: teams.find(({ id }) => id === teamId)?.name ?? "another team",
    developerId: text("developer"),
    client: text("client"),
    model: text("model"),
    language: text("language"),
    mode: text("mode"),
  })
  return place === "Whole organization" ? "the whole organization" : place === "You" ? "you" : place
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
