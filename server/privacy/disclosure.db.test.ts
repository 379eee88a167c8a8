import fc from "fast-check"
import { expect } from "vitest"
import type { Rung } from "#sdk/ladder.ts"
import { findLeaks, type Leak, type Total } from "../../test/attack.ts"
import { type TestDatabase, test } from "../../test/db.ts"
import { joinTeam, makeOrganization, makeSignal, makeTeam, NOW, storeAndCount } from "../../test/factories.ts"
import { asTenant } from "../db/tenant.ts"
import { getLadder, type Ladder, type LadderFigures } from "../rungs/queries.ts"
import type { Family } from "./disclosure.ts"

const DAY_MS = 86_400_000
/** Monday of the first of three weeks; NOW is the Friday of the last. */
const START = new Date("2026-11-02T00:00:00Z")
const DAYS = 19
const WEEKS = [0, 1, 2] as const
const RUNGS = ["chat", "agent"] as const satisfies readonly Rung[]
const FAMILIES = ["volume", "acceptance", "latency"] as const satisfies readonly Family[]
const dayOf = (day: number) => new Date(START.getTime() + day * DAY_MS)
const isoDay = (day: number) => dayOf(day).toISOString().slice(0, 10)

interface Operation {
  readonly day: number
  readonly rung: (typeof RUNGS)[number]
  readonly outcome: "accepted" | "rejected" | null
  readonly isTimed: boolean
}

interface Person {
  /** From each day on; an index into the teams, or in none. */
  readonly stays: readonly { readonly from: number; readonly team: number | null }[]
  readonly operations: readonly Operation[]
}

interface Scenario {
  readonly k: number
  /** The parent of each team, an index, or null for a top-level team. */
  readonly parents: readonly (number | null)[]
  readonly people: readonly Person[]
}

const operation: fc.Arbitrary<Operation> = fc.record({
  day: fc.integer({ min: 0, max: DAYS - 1 }),
  rung: fc.constantFrom(...RUNGS),
  outcome: fc.constantFrom("accepted", "accepted", "rejected", null),
  isTimed: fc.boolean(),
})

/** The first person of every scenario is the one whom no source names. */
const UNATTRIBUTED = 0

/** Groups about as large as k, so that most of them are near an edge. */
const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    k: fc.constantFrom(3, 4, 5),
    parents: fc.array(fc.option(fc.nat({ max: 2 }), { freq: 1 }), { maxLength: 7, size: "max" }),
    /** Days on which everyone is there. */
    meetings: fc.array(operation, { maxLength: 5, size: "max" }),
    people: fc.array(
      fc.record({
        home: fc.option(fc.nat({ max: 6 }), { freq: 8 }),
        moves: fc.array(
          fc.record({ from: fc.integer({ min: 1, max: DAYS - 1 }), team: fc.option(fc.nat({ max: 6 })) }),
          { maxLength: 2, size: "xsmall" },
        ),
        operations: fc.array(operation, { minLength: 1, maxLength: 12, size: "max" }),
        isAtMeetings: fc.boolean(),
      }),
      { minLength: 2, maxLength: 25, size: "max" },
    ),
  })
  .map(({ k, parents: wanted, meetings, people }) => {
    const isTop = (team: number) => wanted[team] === null || wanted[team] === undefined || wanted[team] >= team
    const parents = wanted.map((parent, team) => (parent === null || parent >= team || !isTop(parent) ? null : parent))
    const toTeam = (team: number | null) => (team === null || team >= parents.length ? null : team)
    return {
      k,
      parents,
      people: people.map(({ home, moves, operations, isAtMeetings }, index) => ({
        stays: [
          { from: 0, team: index === UNATTRIBUTED ? null : toTeam(home) },
          ...[...new Map(moves.map((move) => [move.from, move])).values()]
            .toSorted((a, b) => a.from - b.from)
            .map(({ from, team }) => ({ from, team: index === UNATTRIBUTED ? null : toTeam(team) })),
        ],
        operations: isAtMeetings ? [...operations, ...meetings] : operations,
      })),
    }
  })

/**
 * Team 0 is all of team 1, and is withheld to hide the one person of team 3: shown alone, team 1 would give them away.
 */
const WHOLE_IN_ITS_PART: Scenario = {
  k: 3,
  parents: [null, 0, null, null],
  people: [null, 1, 1, 1, 2, 2, 2, 2, 3].map((team, index) => ({
    stays: [{ from: 0, team }],
    operations: index === UNATTRIBUTED ? [] : [{ day: 15, rung: "chat", outcome: "accepted", isTimed: true }],
  })),
}

/** One person's operations of one rung on one day: what the totals are sums of. */
interface Contribution {
  readonly person: string
  readonly week: number
  readonly day: number
  readonly rung: Rung
  /** The team of the day and its parent. */
  readonly nodes: readonly number[]
  readonly operations: number
  readonly presented: number
  readonly accepted: number
  readonly timed: number
}

function contributionsOf({ people, parents }: Scenario): Contribution[] {
  return people.flatMap(({ stays, operations }, index) =>
    RUNGS.flatMap((rung) =>
      [...new Set(operations.filter((done) => done.rung === rung).map((done) => done.day))].map((day) => {
        const done = operations.filter((candidate) => candidate.rung === rung && candidate.day === day)
        const team = stays.findLast((stay) => stay.from <= day)?.team ?? null
        const parent = team === null ? null : (parents[team] ?? null)
        return {
          person: personName(index),
          week: Math.floor(day / 7),
          day,
          rung,
          nodes: [team, parent].filter((node) => node !== null),
          operations: done.length,
          presented: done.filter(({ outcome }) => outcome !== null).length,
          accepted: done.filter(({ outcome }) => outcome === "accepted").length,
          timed: done.filter(({ isTimed }) => isTimed).length,
        }
      }),
    ),
  )
}

const personName = (index: number) => `person${index}`

const COUNTED: Record<Family, (contribution: Contribution) => number> = {
  volume: ({ operations }) => operations,
  acceptance: ({ presented }) => presented,
  latency: ({ timed }) => timed,
}

async function makeScenario(database: TestDatabase, { k, parents, people }: Scenario) {
  const orgId = await makeOrganization(database)
  await database.owner.updateTable("org").set({ min_group_size: k }).where("id", "=", orgId).execute()
  const teams: string[] = []
  for (const [index, parent] of parents.entries()) {
    const parentId = parent === null ? null : (teams[parent] ?? null)
    teams.push(await makeTeam(database, orgId, `Team ${index}`, parentId))
  }
  for (const [index, { stays }] of people.entries()) {
    if (index === UNATTRIBUTED) continue
    for (const [place, { from, team }] of stays.entries()) {
      const teamId = team === null ? undefined : teams[team]
      const next = stays[place + 1]
      if (teamId === undefined) continue
      await joinTeam(database, {
        orgId,
        person: personName(index),
        teamId,
        from: isoDay(from),
        ...(next !== undefined && { to: isoDay(next.from) }),
      })
    }
  }
  const signals = people.flatMap(({ operations }, index) =>
    operations.map(({ day, rung, outcome, isTimed }) =>
      makeSignal({
        ...(index === UNATTRIBUTED ? { identity: null } : { person: personName(index) }),
        at: new Date(dayOf(day).getTime() + 10 * 3_600_000),
        rung,
        kind: rung === "chat" ? "turn" : "task",
        outcome,
        origin: outcome === null ? null : "human",
        latencyMs: isTimed ? 100 : null,
        durationMs: isTimed ? 100 : null,
      }),
    ),
  )
  await storeAndCount(database, orgId, signals)
  return { orgId, teams }
}

/** What a node may show: `node week rung family`. */
type Shown = Set<string>
const ORGANIZATION = -1
const keyOf = (node: number, week: number, rung: Rung, family: Family) => `${node} ${week} ${rung} ${family}`

/** A total on the page: which contributions it should sum, and what it says. */
interface Figure {
  readonly label: string
  readonly kind: Total["kind"]
  readonly rung: Rung
  readonly family: Family
  readonly sums: (contribution: Contribution) => boolean
  readonly said: readonly (number | null)[]
}

function figuresOf(figures: LadderFigures, of: Pick<Figure, "label" | "kind" | "sums">): Figure[] {
  const { rung } = figures
  return [
    { ...of, rung, family: "volume", said: [figures.operations] },
    { ...of, rung, family: "acceptance", said: [figures.presented, figures.accepted] },
    { ...of, rung, family: "latency", said: [figures.latencyCount] },
  ]
}

const SUMMED: Record<Family, (keyof Contribution & ("operations" | "presented" | "accepted" | "timed"))[]> = {
  volume: ["operations"],
  acceptance: ["presented", "accepted"],
  latency: ["timed"],
}

/** Asks for everything that a page can ask for, and gives every total that is shown. */
async function readEverything(db: TestDatabase["app"], orgId: string, teams: readonly string[]) {
  const ask = (first: number, last: number, node: number, bucket: "day" | "week") =>
    asTenant(db, orgId, (tx) =>
      getLadder(tx, {
        from: dayOf(first * 7),
        to: dayOf(last * 7 + 7),
        now: NOW,
        teamId: teams[node] ?? null,
        ownDeveloperIds: null,
        bucket,
        timeZone: "UTC",
      }),
    )
  const nodes = [ORGANIZATION, ...teams.keys()]
  const shown: Shown = new Set()
  const withheld: Shown = new Set()
  for (const node of nodes) {
    for (const bucket of (await ask(0, 2, node, "week")).buckets) {
      const week = Math.round((bucket.bucketStart.getTime() - START.getTime()) / DAY_MS / 7)
      for (const family of FAMILIES) {
        const { shown: isShown, total } = bucket.weeks[family]
        if (total > 0) (isShown > 0 ? shown : withheld).add(keyOf(node, week, bucket.rung, family))
      }
    }
  }

  const figures: Figure[] = []
  const addPeriod = (rows: readonly LadderFigures[], node: number, first: number, last: number) => {
    for (const row of rows) {
      for (const family of FAMILIES) {
        figures.push(
          ...figuresOf(row, {
            label: `${node === ORGANIZATION ? "everyone" : `team ${node}`}, weeks ${first} to ${last}`,
            kind: node === ORGANIZATION ? "weeks" : "team",
            sums: ({ week, rung, nodes: of }) =>
              week >= first &&
              week <= last &&
              (node === ORGANIZATION || of.includes(node)) &&
              shown.has(keyOf(node, week, rung, family)),
          }).filter((figure) => figure.family === family),
        )
      }
    }
  }
  const addLadder = (ladder: Ladder, node: number, first: number, last: number) => {
    const [previousFirst, previousLast] = [first - (last - first) - 1, first - 1]
    addPeriod(ladder.rungs, node, first, last)
    addPeriod(ladder.previous, node, previousFirst, previousLast)
    for (const [index, teamId] of teams.entries()) {
      const ofTeam = (row: { teamId: string }) => row.teamId === teamId
      addPeriod(ladder.teams.filter(ofTeam), index, first, last)
      addPeriod(ladder.previousTeams.filter(ofTeam), index, previousFirst, previousLast)
    }
    for (const row of ladder.buckets) {
      const day = Math.round((row.bucketStart.getTime() - START.getTime()) / DAY_MS)
      if (ladder.bucket === "week") addPeriod([row], node, day / 7, day / 7)
      else figures.push(...figuresOf(row, { label: `day ${day}`, kind: "day", sums: (done) => done.day === day }))
    }
  }
  for (const node of nodes) {
    for (const [first, last] of [
      [0, 0],
      [1, 1],
      [2, 2],
      [0, 1],
      [1, 2],
      [0, 2],
    ] as const) {
      // A team's weeks are in the organization's answers as well; two of its own show that the filter does not matter.
      if (node !== ORGANIZATION && first !== 1) continue
      addLadder(await ask(first, last, node, last - first < 2 ? "day" : "week"), node, first, last)
    }
  }
  return { figures, shown, withheld }
}

/** The contributions of one rung and family, the totals over them, and every small group someone could be after. */
function attack(args: {
  contributions: readonly Contribution[]
  totals: readonly Pick<Figure, "label" | "kind" | "sums">[]
  family: Family
  k: number
}): Leak[] {
  const secret = args.contributions.filter((contribution) => COUNTED[args.family](contribution) > 0)
  const cellsOf = (isIn: (contribution: Contribution) => boolean) =>
    secret.reduce((cells, contribution, index) => (isIn(contribution) ? cells | (1n << BigInt(index)) : cells), 0n)
  const visible = new Map(
    args.totals
      .map(({ label, kind, sums }) => ({ label, kind, cells: cellsOf(sums) }))
      .filter(({ cells }) => cells !== 0n)
      .map((total) => [`${total.kind} ${total.cells}`, total]),
  )
  const suspects = new Map<string, bigint>()
  secret.forEach(({ person, week, day, nodes }, index) => {
    const [team] = nodes
    for (const label of [
      `week ${week}`,
      `day ${day}`,
      `${person} in week ${week}`,
      `members of ${team ?? "no team"} in week ${week}`,
      ...nodes.flatMap((node) => [`team ${node} in week ${week}`, `team ${node} on day ${day}`]),
    ]) {
      suspects.set(label, (suspects.get(label) ?? 0n) | (1n << BigInt(index)))
    }
  })
  return findLeaks({
    people: secret.map(({ person }) => person),
    visible: [...visible.values()],
    suspects: [...suspects].map(([label, cells]) => ({ label, kind: "team", cells })),
    k: args.k,
  })
}

test("nothing that is shown, for any team, range and bucket, leads to figures of fewer than k people", async ({
  database,
  db,
}) => {
  const counts = { shown: 0, withheld: 0, days: 0, subTeams: 0 }
  await fc.assert(
    fc.asyncProperty(scenario, async (made) => {
      const { orgId, teams } = await makeScenario(database, made)
      const contributions = contributionsOf(made)
      const { figures, shown, withheld } = await readEverything(db, orgId, teams)
      counts.shown += shown.size
      counts.withheld += withheld.size
      for (const rung of RUNGS) {
        const ofRung = contributions.filter((contribution) => contribution.rung === rung)
        for (const family of FAMILIES) {
          const asked = figures.filter((figure) => figure.rung === rung && figure.family === family)
          const visible = asked.filter(({ said }) => said.some((value) => value !== null && value > 0))
          // Each says the sum that the attack takes it for, whichever page asked.
          expect(visible.map(({ label, said }) => [label, said])).toEqual(
            visible.map(({ label, sums }) => [
              label,
              SUMMED[family].map((field) => ofRung.filter(sums).reduce((sum, done) => sum + done[field], 0)),
            ]),
          )
          counts.days += visible.filter(({ kind }) => kind === "day").length
          counts.subTeams += visible.filter(({ kind }) => kind === "team").length
          expect(attack({ contributions: ofRung, totals: visible, family, k: made.k })).toEqual([])
        }
      }
    }),
    { numRuns: 40, endOnFailure: true, examples: [[WHOLE_IN_ITS_PART]] },
  )
  // It was not safe for being empty.
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(20)
}, 60_000)

test("the same attack finds what a floor alone lets out", () => {
  const attacks = new Set<string>()
  for (const made of fc.sample(scenario, { numRuns: 100, seed: 1 })) {
    const contributions = contributionsOf(made).filter(({ rung }) => rung === "chat")
    const groups = [
      ...WEEKS.flatMap((week) => [
        { label: `week ${week}`, kind: "weeks" as const, sums: (done: Contribution) => done.week === week },
        ...[...made.parents.keys()].map((node) => ({
          label: `team ${node} in week ${week}`,
          kind: "team" as const,
          sums: (done: Contribution) => done.week === week && done.nodes.includes(node),
        })),
      ]),
      ...Array.from({ length: DAYS }, (_, day) => ({
        label: `day ${day}`,
        kind: "day" as const,
        sums: (done: Contribution) => done.day === day,
      })),
    ]
    const hasEnough = ({ sums }: (typeof groups)[number]) =>
      new Set(contributions.filter(sums).map(({ person }) => person)).size >= made.k
    const leaks = (totals: typeof groups) => attack({ contributions, totals, family: "volume", k: made.k })
    for (const leak of leaks(groups.filter(hasEnough))) attacks.add(leak.attack)
    expect(leaks(groups).map((leak) => leak.attack)).toContain("small group")
  }
  expect([...attacks].toSorted()).toEqual(["difference of two", "linear algebra", "region", "whole without some parts"])
})

test("the database refuses a k below 3", async ({ database }) => {
  const orgId = await makeOrganization(database)
  const setK = (k: number) =>
    database.owner.updateTable("org").set({ min_group_size: k }).where("id", "=", orgId).execute()
  await setK(3)
  await expect(setK(2)).rejects.toThrow(/min_group_size/)
})
