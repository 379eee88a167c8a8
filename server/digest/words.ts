import type { Rung } from "#sdk/ladder.ts"
import type { VisibleIncident } from "../detect/queries.ts"
import type { RungChanges } from "../outcomes/review-queries.ts"
import type { ClassMoves } from "../rungs/move-queries.ts"
import type { MoveClass } from "../rungs/moves.ts"
import type { Ladder } from "../rungs/queries.ts"
import type { ModelSpend } from "../usage/queries.ts"

/** A sentence, and the page that says more; a path within Belay. */
export interface DigestLine {
  readonly text: string
  readonly path: string | null
}

export interface Digest {
  readonly organization: string
  /** The Monday of the week that it tells of, and the Monday after it; `YYYY-MM-DD` in the organization's zone. */
  readonly week: string
  readonly until: string
  readonly sections: readonly { readonly title: string; readonly lines: readonly DigestLine[] }[]
}

interface Place {
  readonly name: string
  /** Of the week and the team. */
  readonly search: string
}

const OPERATIONS: Record<Rung, string> = {
  autocomplete: "suggestions",
  chat: "turns",
  agent: "tasks",
  orchestration: "runs",
}

/** From so many points on a change of acceptance is told. Whether it is chance, the ladder says with its intervals. */
const POINTS_TOLD = 5

/** The highest rung of which enough may be told, with what was accepted there. Nothing where nothing may be told. */
export function tellStanding(
  { name, search }: Place,
  { rungs, previous }: Pick<Ladder, "rungs" | "previous">,
): DigestLine[] {
  const used = rungs.filter(({ volumeState, operations }) => volumeState === "shown" && (operations ?? 0) > 0)
  const top = used.at(-1)
  if (top === undefined) return []
  const { rung, operations, developers, acceptance } = top
  const before = previous.find((row) => row.rung === rung)?.acceptance ?? null
  const accepted =
    acceptance === null
      ? "how much of it was accepted is not known"
      : `${percent(acceptance)} was accepted${than(acceptance, before)}`
  const people = developers === null ? "" : ` by ${plural(developers, "person", "people")}`
  return [
    {
      text: `${name} works up to ${rung}: ${count(operations ?? 0)} ${OPERATIONS[rung]}${people}; ${accepted}.`,
      path: `/${search}`,
    },
  ]
}

function than(now: number, before: number | null): string {
  if (before === null) return ""
  const points = Math.round((now - before) * 100)
  if (Math.abs(points) < POINTS_TOLD) return ", as the week before"
  return `, ${points > 0 ? "up" : "down"} ${Math.abs(points)} points`
}

export function tellWithheld(places: number): DigestLine[] {
  if (places === 0) return []
  const text = `Of ${plural(places, "team")} some figures are not told: they rest on too few people.`
  return [{ text, path: null }]
}

const MOVED: Record<MoveClass, string> = {
  climb: "climbed to a higher rung",
  voluntary_fall_back: "fell back to a lower one of their own accord",
  forced: "had to move down",
  disengagement: "stopped, or nearly",
  recovery: "came back to the rung that they had left",
}

export function tellMoves({ name, search }: Place, classes: readonly ClassMoves[]): DigestLine[] {
  const parts = classes.flatMap(({ class: kind, state, people }) =>
    state === "shown" && people !== null && people > 0 ? [`${plural(people, "person", "people")} ${MOVED[kind]}`] : [],
  )
  return parts.length === 0 ? [] : [{ text: `${name}: ${parts.join("; ")}.`, path: `/${search}` }]
}

export function tellSpend(models: readonly ModelSpend[], search: string): DigestLine[] {
  const shown = models.flatMap(({ name, usd }) => (name === null || usd === null ? [] : [{ name, usd }]))
  const total = shown.reduce((sum, { usd }) => sum + usd, 0)
  const dearest = shown.toSorted((a, b) => b.usd - a.usd)[0]
  if (dearest === undefined || total === 0) return []
  const rest = models.some(({ state }) => state === "withheld") ? " Models that too few people use are not in it." : ""
  return [
    {
      text: `${dollars(total)} for models, ${percent(dearest.usd / total)} of it for ${dearest.name}.${rest}`,
      path: `/usage${search}`,
    },
  ]
}

export function tellChanges({ name, search }: Place, rungs: readonly RungChanges[]): DigestLine[] {
  return rungs.flatMap(({ rung, merged, mergedUnreviewed, reverted }) => {
    if (merged === null || merged === 0) return []
    const parts = [
      ...(reverted === null ? [] : [`${reverted === 0 ? "none" : count(reverted)} taken back since`]),
      ...(mergedUnreviewed === null
        ? []
        : [`${mergedUnreviewed === 0 ? "none" : count(mergedUnreviewed)} without a review`]),
    ]
    const beside = parts.length === 0 ? "" : `, ${parts.join(", ")}`
    return [{ text: `${name}, ${rung}: ${plural(merged, "change")} merged${beside}.`, path: `/outcomes${search}` }]
  })
}

export function tellIncidents(incidents: readonly VisibleIncident[], hasMore: boolean): DigestLine[] {
  const lines = incidents.map((incident) => {
    const path = `/incidents/${incident.id}`
    if (incident.disclosure === "withheld") {
      return { text: `An open incident at ${incident.rung}, among too few people to say more.`, path }
    }
    const where = incident.team === null ? "" : ` in ${incident.team}`
    const cause =
      incident.cause === "unknown" ? "the cause is not known" : `likely ${incident.cause.replaceAll("_", " ")}`
    const kind = KINDS[incident.kind]
    return {
      text: `${kind} at ${incident.rung}${where}, since ${incident.startedAt.toISOString().slice(0, 10)}: ${cause}.`,
      path,
    }
  })
  return hasMore ? [...lines, { text: "There are more.", path: "/incidents" }] : lines
}

const KINDS = { breakage: "Trust broke", over_trust: "More is trusted than holds up", data_quality: "Data are wrong" }

export function subjectOf({ organization, week, until }: Pick<Digest, "organization" | "week" | "until">): string {
  return `${organization}: the week from ${week} to before ${until}`
}

/** As a mail says it. `url` is where people open Belay. */
export function toMailText(digest: Digest, url: string): string {
  const sections = digest.sections.map(({ title, lines }) =>
    [title, ...lines.map(({ text, path }) => (path === null ? `- ${text}` : `- ${text}\n  ${url}${path}`))].join("\n"),
  )
  return [...sections, `You asked for this every Monday. To end it: ${url}/digest`, ""].join("\n\n")
}

/** @see https://docs.slack.dev/block-kit */
export function toSlackBody(digest: Digest, url: string): string {
  const lineOf = ({ text, path }: DigestLine) => `• ${escapeSlack(text)}${path === null ? "" : ` <${url}${path}|Look>`}`
  const section = (text: string) => ({ type: "section", text: { type: "mrkdwn", text } })
  return JSON.stringify({
    text: subjectOf(digest),
    blocks: [
      section(`*${escapeSlack(subjectOf(digest))}*`),
      ...digest.sections.map(({ title, lines }) =>
        section(`*${title}*\n${lines.map(lineOf).join("\n")}`.slice(0, 3000)),
      ),
    ],
  })
}

/** @see https://docs.slack.dev/messaging/formatting-message-text: the three that mean something. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
}

const COUNT = new Intl.NumberFormat("en-US")
const DOLLARS = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" })

function count(value: number): string {
  return COUNT.format(value)
}

function dollars(value: number): string {
  return DOLLARS.format(value)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}
