import { expect, test } from "vitest"
import {
  type Cause,
  CAUSES,
  CHECKS,
  FAULT_NOTES,
  type FaultNote,
  INCIDENT_EVENTS,
  type IncidentEvent,
  REASONS,
  WATCHED,
  type Watched,
} from "#server/detect/contract.ts"
import type { ShownCheck } from "#server/detect/queries.ts"
import {
  describeCheck,
  describeClosing,
  describeDistance,
  describeEvent,
  describeFigures,
  describeIncident,
  describeLevel,
  describePlace,
  formatRatio,
  type Measured,
  oftener,
  REASON_LABELS,
  type Told,
  whatToTry,
} from "./incident-words.ts"

const STARTED = new Date("2026-05-12T07:00:00Z")
const WHEN = { now: new Date("2026-05-15T12:00:00Z"), timeZone: "Europe/Berlin" }
const HOUR_MS = 3_600_000

function evidence(watched: Watched, ratio: number): Measured {
  const figures = { observed: 100 * ratio, expected: 100, low: ratio * 0.8, high: ratio * 1.2, logEvidence: 20 }
  const rest = { restRatio: 1, isRestWithheld: false }
  return { disclosure: "shown", watched, ratio, ...figures, units: 340, since: STARTED.getTime(), ...rest }
}

function told(fields: Partial<Told> = {}): Told {
  return {
    kind: "breakage",
    rung: "agent",
    alsoRungs: [],
    state: "open",
    startedAt: STARTED,
    closedAt: null,
    teamId: "t1",
    team: "Payments",
    developerId: null,
    client: null,
    model: null,
    language: null,
    mode: null,
    cause: "permission",
    causes: [
      { cause: "permission", share: 0.92, reasons: [] },
      { cause: "latency", share: 0.08, reasons: [] },
    ],
    evidence: [],
    checks: [],
    changes: [],
    people: 11,
    peopleAffected: 9,
    note: null,
    leading: evidence("prompts", 3.6),
    leadingSignal: "prompts",
    ...fields,
  }
}

const ORGANIZATION = { teamId: null, team: null }
const say = (fields: Partial<Told> = {}) => describeIncident(told(fields), WHEN)

test("one sentence says who, what, by how much, since when, for how many, after what, and why", () => {
  const change = { kind: "policy", subject: "version 14", at: STARTED.getTime() - HOUR_MS, fits: true }
  expect(say({ changes: [change] })).toBe(
    "Agent tasks of Payments have asked 3.6 times as often since Tue 12 May, 09:00; 9 of 11 people, after the policy change the hour before. Probably: permission prompts (92 % sure).",
  )
})

test("what is not known is not said", () => {
  const unsure = { peopleAffected: null, causes: [], leading: null }
  expect(say(unsure)).toBe(
    "Agent tasks of Payments have lost trust since Tue 12 May, 09:00. Probably: permission prompts.",
  )
  expect(say({ ...unsure, cause: "unknown" })).toMatch(/09:00\. Why is not known\.$/)
  // The only cause that was found is not certain for being the only one.
  expect(say({ causes: [{ cause: "permission", share: 1, reasons: [] }] })).toMatch(/Probably: permission prompts\.$/)
  const late = { kind: "policy", subject: "version 15", at: STARTED.getTime() + HOUR_MS, fits: true }
  const foreign = { kind: "agent_version", subject: "codex@1", at: STARTED.getTime() - HOUR_MS, fits: false }
  expect(say({ changes: [late, foreign] })).toBe(say())
})

test("every signal has its words, in the present and once it is over", () => {
  const sentences = WATCHED.map((watched) => {
    const leading = evidence(watched, 0.62)
    const end = { state: "recovered" as const, closedAt: new Date("2026-05-14T13:00:00Z") }
    const short = { peopleAffected: null, causes: [], leading }
    const trim = (sentence: string) => sentence.replace(/^Agent tasks of Payments (.*) (since|from) Tue.*$/, "$1 $2")
    return [trim(say(short)), trim(say({ ...short, ...end }))]
  })
  expect(sentences).toEqual([
    ["have been accepted 38 % less often since", "were accepted 38 % less often from"],
    ["have ended in work that was kept 38 % less often since", "ended in work that was kept 38 % less often from"],
    ["have been slow 38 % less often since", "were slow 38 % less often from"],
    [
      "have edited files outside their task 38 % less often since",
      "edited files outside their task 38 % less often from",
    ],
    ["have asked 38 % less often since", "asked 38 % less often from"],
    ["have run into errors 38 % less often since", "ran into errors 38 % less often from"],
    ["have been given 38 % less context since", "were given 38 % less context from"],
    ["have fallen by 38 % since", "fell by 38 % from"],
  ])
  expect(say({ state: "recovered", closedAt: new Date("2026-05-14T13:00:00Z") })).toContain(
    "from Tue 12 May, 09:00 until Thu 14 May, 15:00;",
  )
})

test("every place has its words", () => {
  const start = (fields: Partial<Told>) => say(fields).replace(/ have asked.*$/, "")
  expect(start(ORGANIZATION)).toBe("Agent tasks of the whole organization")
  expect(start({ team: null })).toBe("Agent tasks of a team that is gone")
  expect(start({ ...ORGANIZATION, client: "claude-code@2.1.0" })).toBe("Agent tasks with claude-code 2.1.0")
  expect(start({ ...ORGANIZATION, model: "gpt-6", rung: "chat" })).toBe("Chat answers on gpt-6")
  expect(start({ language: "rust", rung: "autocomplete" })).toBe("Suggestions of Payments in rust")
  expect(start({ ...ORGANIZATION, mode: "plan" })).toBe("Agent tasks in plan mode")
  expect(start({ alsoRungs: ["chat", "orchestration"] })).toBe(
    "Agent tasks, chat answers and orchestration runs of Payments",
  )
  const own = { ...ORGANIZATION, developerId: "d1", people: 1, peopleAffected: 1 }
  expect(say({ ...own, model: "gpt-6" })).toBe(
    "Your agent tasks on gpt-6 have asked 3.6 times as often since Tue 12 May, 09:00. Probably: permission prompts (92 % sure).",
  )
  expect(describePlace(told({ client: "codex@1.0", language: "go" }))).toBe("Payments · go · codex 1.0")
  expect(describePlace(told(ORGANIZATION))).toBe("Whole organization")
  expect(describePlace(told({ ...own, mode: "plan" }))).toBe("You, in plan mode")
})

test("states that are not the first say so", () => {
  expect(say({ state: "recovering" })).toMatch(/sure\)\. It is getting better\.$/)
  expect(say({ state: "new_normal", closedAt: WHEN.now })).toMatch(
    /since Tue 12 May.*This is taken for the new normal\.$/,
  )
  expect(describeIncident(told(), { ...WHEN, now: new Date("2027-01-02T00:00:00Z") })).toContain(
    "Tue 12 May 2026, 09:00",
  )
})

test("trust beyond what the results bear out is told with both sides", () => {
  const both = [evidence("outcome", 0.7), evidence("use", 1.6), evidence("errors", 1)]
  expect(say({ kind: "over_trust", evidence: both })).toBe(
    "Agent tasks of Payments have been trusted more than their results bear out (use 1.6 times as often, work that was kept 30 % less often) since Tue 12 May, 09:00; 9 of 11 people.",
  )
})

test("what is wrong with the data is never told as distrust", () => {
  const fault = (note: FaultNote | null, figure: number | null) =>
    say({
      kind: "data_quality",
      ...ORGANIZATION,
      note,
      checks: figure === null ? [] : [{ check: "telemetry_stopped", result: "found", figure }],
    })
  expect(fault("telemetry_stopped", 41)).toBe(
    "No signals arrived any more, where about 41 were expected: seen Tue 12 May, 09:00. People may well have gone on working.",
  )
  expect(fault("rung_stopped", null)).toMatch(/^Agent tasks stopped arriving while other signals went on: seen/)
  expect(fault("telemetry_late", 0.31)).toMatch(/^31 % of the signals arrived more than two hours late/)
  expect(fault("duplicates", null)).toMatch(/^Many signals had been stored before/)
  expect(fault(null, null)).toMatch(/^Something was wrong with the telemetry/)
})

test("ratios are percentages up to one and a half, and factors from there", () => {
  expect([0, 0.62, 0.998, 1.2, 1.5, 3.62, 14.2].map(oftener)).toEqual([
    "over 99 % less often",
    "38 % less often",
    "as often as expected",
    "20 % more often",
    "1.5 times as often",
    "3.6 times as often",
    "14 times as often",
  ])
  expect([0.62, 1, 1.2, 3.6].map(formatRatio)).toEqual(["−38 %", "±0 %", "+20 %", "3.6 times"])
})

test("figures, checks, distances and what closes it are in their own units", () => {
  expect(describeFigures(evidence("prompts", 3.6), "agent")).toBe("360 questions in 340 tasks, 100 expected")
  expect(describeFigures(evidence("slow", 2), "autocomplete")).toBe("200 of 340 suggestions, 100 expected")
  expect(describeFigures(evidence("use", 0.5), "chat")).toBe("50 turns, 100 expected")
  const check = (name: ShownCheck["check"], result: ShownCheck["result"], figure: number | null) =>
    describeCheck({ check: name, result, figure })
  expect(check("telemetry_late", "excluded", 0.004)).toBe(
    "Signals came in time: under 1 % were more than two hours late.",
  )
  expect(check("climbing", "found", 1.5)).toBe("Work moved up the ladder: 150 % of what was expected above.")
  expect(check("work_mix", "excluded", null)).toBe("Another mix of work: could not be checked.")
  expect(describeDistance(STARTED.getTime() - 3 * HOUR_MS, STARTED)).toBe("3 hours before")
  expect(describeDistance(STARTED.getTime() + 48 * HOUR_MS, STARTED)).toBe("2 days after")
  expect(describeClosing(told(), { ratio: 1.42, isLeast: false })).toContain(
    "comes to at most 1.4 times what is expected",
  )
  expect(describeClosing(told({ leadingSignal: "use" }), { ratio: 0.82, isLeast: true })).toContain(
    "“use” over three days comes to at least 82 % of what is expected",
  )
})

test("every cause has something to try, the version and the action first", () => {
  for (const cause of CAUSES) expect(whatToTry({ ...told({ cause }), action: null }).length).toBeGreaterThan(1)
  const [first, second] = whatToTry({ ...told({ client: "codex@1.0" }), action: "shell.run" })
  expect([first, second]).toEqual([
    "Look at shell.run first: it is behind most of it.",
    "Try for a day without codex 1.0: go back to the version or model of before.",
  ])
})

test("history names teams that may be named, and nothing that is withheld", () => {
  const teams = [{ id: "t1", name: "Payments" }]
  const event = (kind: IncidentEvent, details: { readonly [name: string]: unknown }) =>
    describeEvent({ kind, details }, teams)
  expect(event("opened", { cause: "latency" satisfies Cause, scope: {} })).toBe("Found; cause: slow answers.")
  expect(event("widened", { from: { team: "t1" }, to: {} })).toBe(
    "Found to reach further: from Payments to the whole organization.",
  )
  expect(event("moved", { from: { team: "t2" }, to: { team: "t1" } })).toBe(
    "Found to be elsewhere: from another team to Payments.",
  )
  expect(event("narrowed", {})).toBe("Found to be narrower.")
  expect(event("labelled", { isReal: false, cause: null })).toBe("Labelled not real.")
})

test("every key that is stored has words of its own", () => {
  const isSaid = (words: readonly string[]) => {
    expect(new Set(words).size).toBe(words.length)
    for (const text of words) expect(text).not.toMatch(/_|undefined|^$/)
  }
  isSaid(REASONS.map((reason) => REASON_LABELS[reason]))
  const fault = { ...told({ kind: "data_quality" }), action: null }
  isSaid(FAULT_NOTES.map((note) => say({ kind: "data_quality", note })))
  isSaid(FAULT_NOTES.map((note) => whatToTry({ ...fault, note }).join(" ")))
  for (const result of ["excluded", "found", "not_checked", "withheld"] as const) {
    isSaid(CHECKS.map((check) => describeCheck({ check, result, figure: 2 })))
  }
  isSaid(INCIDENT_EVENTS.map((kind) => describeEvent({ kind, details: {} }, [])))
})

test("what is withheld is left out of the sentence, the figures and the checks", () => {
  expect(say({ leading: null, leadingSignal: "prompts" })).toMatch(/^Agent tasks of Payments have lost trust since/)
  const counts = { observed: null, expected: null, units: null }
  expect(describeFigures({ ...evidence("prompts", 3.6), ...counts }, "agent")).toBeNull()
  expect(describeCheck({ check: "slow_week", result: "withheld", figure: null })).toBe(
    "A slow week: rests on too few people to tell.",
  )
  expect(say({ kind: "over_trust", evidence: [{ disclosure: "withheld", watched: "use" }] })).toMatch(
    /have been trusted more than their results bear out since/,
  )
})

test("a proposal names its level", () => {
  expect([0.62, 1.2, 3.6].map(describeLevel)).toEqual([
    "38 % less than expected",
    "20 % more than expected",
    "3.6 times what is expected",
  ])
})
