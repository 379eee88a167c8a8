import type { Severity } from "../slo/burn.ts"

/** Where alerts go. */
export interface Route {
  readonly channelId: string
  /** Null takes alerts of every team and of none. */
  readonly teamId: string | null
  /** Null takes both. */
  readonly severity: Severity | null
  /** Minutes after midnight; null without quiet hours. From may be after to: then they last over midnight. */
  readonly quiet: { readonly from: number; readonly to: number } | null
}

/** An alert, as far as it decides on where it goes. */
export interface Routed {
  readonly kind: string
  readonly subject: string
  readonly teamId: string | null
  readonly severity: Severity
}

export interface Silence {
  readonly kind: string | null
  readonly subject: string | null
  readonly teamId: string | null
  /** Inclusive. */
  readonly startsAt: Date
  /** Exclusive. */
  readonly endsAt: Date
}

export function isSilenced(alert: Routed, silences: readonly Silence[], at: Date): boolean {
  return silences.some(
    (silence) =>
      silence.startsAt <= at &&
      at < silence.endsAt &&
      (silence.kind === null || silence.kind === alert.kind) &&
      (silence.subject === null || silence.subject === alert.subject) &&
      (silence.teamId === null || silence.teamId === alert.teamId),
  )
}

/**
 * The channels that an alert goes to, each once, with the time before which it is not sent there. A page goes at once;
 * anything else waits for the end of quiet hours. Of several routes to one channel the earliest counts. `parents` has the
 * top-level team of a sub-team: its routes take the alerts of its parts.
 */
export function planRoutes(
  alert: Routed,
  routes: readonly Route[],
  {
    at,
    timeZone,
    parents,
  }: { readonly at: Date; readonly timeZone: string; readonly parents: ReadonlyMap<string, string> },
): ReadonlyMap<string, Date> {
  const planned = new Map<string, Date>()
  const teams = alert.teamId === null ? [] : [alert.teamId, parents.get(alert.teamId)]
  for (const { channelId, teamId, severity, quiet } of routes) {
    if (teamId !== null && !teams.includes(teamId)) continue
    if (severity !== null && severity !== alert.severity) continue
    const notBefore = alert.severity === "page" || quiet === null ? at : endOfQuiet(at, quiet, timeZone)
    const known = planned.get(channelId)
    if (known === undefined || notBefore < known) planned.set(channelId, notBefore)
  }
  return planned
}

const DAY_MINUTES = 1440

function endOfQuiet(at: Date, { from, to }: { from: number; to: number }, timeZone: string): Date {
  const now = minuteOfDay(at, timeZone)
  const isQuiet = from <= to ? now >= from && now < to : now >= from || now < to
  if (!isQuiet) return at
  const waitMinutes = (to - now + DAY_MINUTES) % DAY_MINUTES
  const minuteStart = Math.floor(at.getTime() / 60_000) * 60_000
  return new Date(minuteStart + waitMinutes * 60_000)
}

/** Whoever changes clocks in quiet hours waits an hour more or less. */
function minuteOfDay(at: Date, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en", { timeZone, hour: "numeric", minute: "numeric", hourCycle: "h23" })
    .formatToParts(at)
    .map(({ type, value }) => [type, Number(value)] as const)
  const { hour = 0, minute = 0 } = Object.fromEntries(parts)
  return hour * 60 + minute
}
