import fc from "fast-check"
import { sql } from "kysely"
import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { makeOrganization } from "../../test/factories.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import { disclosedCells, disclosedCuts, disclosedPieces, disclosureOf } from "./disclosure.ts"

/** Who used which piece, in which team; of one week. */
interface Use {
  readonly person: number
  readonly team: number | null
  readonly piece: number
}

/** Groups about as large as k, so that most of them are near an edge; a few people are in two teams. */
const scenario = fc.record({
  k: fc.constantFrom(2, 3, 4),
  uses: fc.array(
    fc
      .record({
        team: fc.option(fc.nat({ max: 3 }), { freq: 6 }),
        moved: fc.option(fc.nat({ max: 3 }), { freq: 1 }),
        pieces: fc.uniqueArray(fc.nat({ max: 4 }), { minLength: 1, maxLength: 3 }),
      })
      .map(({ team, moved, pieces }) =>
        pieces.map((piece, index) => ({ piece, team: index > 0 && moved !== null ? moved : team })),
      ),
    { minLength: 1, maxLength: 24, size: "max" },
  ),
})

const usesOf = (people: readonly (readonly Omit<Use, "person">[])[]): Use[] =>
  people.flatMap((uses, person) => uses.map((use) => ({ ...use, person })))

/** A uuid that says a number. */
const idOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`

async function disclose(tx: TenantTx, { k, uses, by }: { k: number; uses: readonly Use[]; by: "piece" | "cell" }) {
  const column = sql.id(`${by}_id`)
  const minimum = sql<number>`${sql.lit(k)}`
  const result = await sql<{ kind: string; node: string | null; piece: number | null }>`
    with given as (
      select timestamptz '2026-11-16 00:00:00Z' as week, 'chat'::rung as rung, 'volume' as family,
        timestamptz '2026-11-16 00:00:00Z' as day, team as top_team_id, null::uuid as sub_team_id,
        person as developer_id, piece as ${column}
      from unnest(
        ${uses.map(({ person }) => idOf(person))}::uuid[],
        ${uses.map(({ team }) => (team === null ? null : idOf(team)))}::text[]::uuid[],
        ${uses.map(({ piece }) => piece)}::int[]
      ) as use (person, team, piece)
    ), ${sql.id(`${by}_contribution`)} as (select * from given), contribution as (
      select distinct week, rung, family, day, top_team_id, sub_team_id, developer_id from given
    ), ${disclosureOf(minimum)}, ${by === "piece" ? disclosedPieces(minimum) : disclosedCells(minimum)}
    select 'node' as kind, node_id::text as node, null::int as piece from disclosed_node where is_visible
    union all
    select 'part', ${by === "piece" ? sql`null` : sql`region_id::text`}, ${column} from ${sql.table(`disclosed_${by}`)} where is_visible`.execute(
    tx,
  )
  const nodes = result.rows.flatMap(({ kind, node }) => (kind === "node" ? [node] : []))
  return {
    isShown: nodes.length > 0,
    /** The group that a person is in, as the visible teams tell them apart. */
    regionOf: ({ team }: Use) => (team !== null && nodes.includes(idOf(team)) ? idOf(team) : null),
    parts: result.rows.filter(({ kind }) => kind === "part"),
  }
}

const countPeople = (uses: readonly Use[]) => new Set(uses.map(({ person }) => person)).size

test("sums over teams less sums over pieces are never those of fewer than k people", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  let shown = 0
  await asTenant(db, orgId, (tx) =>
    fc.assert(
      fc.asyncProperty(scenario, async ({ k, uses: people }) => {
        const uses = usesOf(people)
        const { parts, regionOf, isShown } = await disclose(tx, { k, uses, by: "piece" })
        const pieces = parts.map(({ piece }) => piece)
        shown += pieces.length
        // Of a withheld organization there is nothing.
        expect(isShown || pieces.length === 0).toBe(true)
        const regions = isShown ? [...new Set(uses.map(regionOf))] : []
        const isIn = (set: number, index: number) => index >= 0 && (set & (1 << index)) !== 0
        const leaks: unknown[] = []
        for (let chosenRegions = 0; chosenRegions < 1 << regions.length; chosenRegions++) {
          for (let chosenPieces = 0; chosenPieces < 1 << pieces.length; chosenPieces++) {
            const people = countPeople(
              uses.filter(
                (use) =>
                  isIn(chosenRegions, regions.indexOf(regionOf(use))) !== isIn(chosenPieces, pieces.indexOf(use.piece)),
              ),
            )
            if (isShown && people > 0 && people < k) leaks.push({ people, chosenRegions, chosenPieces })
          }
        }
        expect(leaks).toEqual([])
      }),
      { numRuns: 60 },
    ),
  )
  // The rule is no use if it withholds everything.
  expect(shown).toBeGreaterThan(30)
})

test("cells of a group, and what is left of it, are those of nobody or at least k people", async ({ database, db }) => {
  const orgId = await makeOrganization(database)
  let shown = 0
  await asTenant(db, orgId, (tx) =>
    fc.assert(
      fc.asyncProperty(scenario, async ({ k, uses: people }) => {
        const uses = usesOf(people)
        const { parts, regionOf } = await disclose(tx, { k, uses, by: "cell" })
        shown += parts.length
        const leaks: unknown[] = []
        for (const region of new Set(uses.map(regionOf))) {
          const own = uses.filter((use) => regionOf(use) === region)
          const visible = parts.flatMap(({ node, piece }) => ((node === orgId ? null : node) === region ? [piece] : []))
          const groups = [
            ...visible.map((piece) => own.filter((use) => use.piece === piece)),
            ...(visible.length > 0 ? [own.filter((use) => !visible.includes(use.piece))] : []),
          ]
          for (const people of groups.map(countPeople)) if (people > 0 && people < k) leaks.push({ region, people })
        }
        expect(leaks).toEqual([])
      }),
      { numRuns: 60 },
    ),
  )
  expect(shown).toBeGreaterThan(30)
})

test("sums over pieces of one cut less sums over those of another are never those of fewer than k people", async ({
  database,
  db,
}) => {
  const orgId = await makeOrganization(database)
  let [shownFirst, shownSecond] = [0, 0]
  const drawn = fc.record({
    k: fc.constantFrom(2, 3, 4),
    uses: fc
      .array(
        fc.uniqueArray(fc.record({ first: fc.nat({ max: 2 }), second: fc.nat({ max: 3 }) }), {
          minLength: 1,
          maxLength: 3,
          selector: ({ first, second }) => first * 4 + second,
        }),
        { minLength: 1, maxLength: 30, size: "max" },
      )
      .map((people) => people.flatMap((own, person) => own.map((use) => ({ person, ...use })))),
  })
  await asTenant(db, orgId, (tx) =>
    fc.assert(
      fc.asyncProperty(drawn, async ({ k, uses }) => {
        const minimum = sql<number>`${sql.lit(k)}`
        const { rows } = await sql<{ cut: string; piece: number }>`
          with cut_contribution as (
            select timestamptz '2026-11-16 00:00:00Z' as week, 'chat'::rung as rung, 'volume' as family,
              timestamptz '2026-11-16 00:00:00Z' as day, null::uuid as top_team_id, null::uuid as sub_team_id,
              person as developer_id, first_id, second_id
            from unnest(
              ${uses.map(({ person }) => idOf(person))}::uuid[], ${uses.map(({ first }) => first)}::int[],
              ${uses.map(({ second }) => second)}::int[]
            ) as use (person, first_id, second_id)
          ), contribution as (
            select distinct week, rung, family, day, top_team_id, sub_team_id, developer_id from cut_contribution
          ), ${disclosureOf(minimum)}, ${disclosedCuts(minimum, ["first", "second"])}
          select 'first' as cut, piece_id as piece from disclosed_first where is_visible
          union all select 'second', piece_id from disclosed_second where is_visible`.execute(tx)
        const of = (cut: string) => rows.filter((row) => row.cut === cut).map(({ piece }) => piece)
        const [firsts, seconds] = [of("first"), of("second")]
        shownFirst += firsts.length
        shownSecond += seconds.length
        const isIn = (set: number, index: number, rest: number) => (set & (1 << (index < 0 ? rest : index))) !== 0
        const leaks: unknown[] = []
        if (countPeople(uses as never) >= k) {
          // The last bit is what is in no visible piece: all of it less those is known.
          for (let a = 0; a < 2 << firsts.length; a++) {
            for (let b = 0; b < 1 << seconds.length; b++) {
              const left = new Set(
                uses.flatMap((use) =>
                  isIn(a, firsts.indexOf(use.first), firsts.length) !== isIn(b, seconds.indexOf(use.second), 30)
                    ? [use.person]
                    : [],
                ),
              ).size
              if (left > 0 && left < k) leaks.push({ left, a, b, firsts, seconds })
            }
          }
        }
        expect(leaks).toEqual([])
      }),
      { numRuns: 120 },
    ),
  )
  expect(shownFirst).toBeGreaterThan(60)
  expect(shownSecond).toBeGreaterThan(60)
})
