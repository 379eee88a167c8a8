/** What someone could work out from the totals they are shown. Knows nothing of how they were chosen. */

/** A total over some of the secret contributions. */
export interface Total {
  readonly label: string
  /** Totals of one kind cut a whole in one way: by team, by day, by week. */
  readonly kind: "team" | "day" | "weeks"
  /** Bit i is contribution i. */
  readonly cells: bigint
}

export interface Leak {
  readonly attack: "small group" | "difference of two" | "whole without some parts" | "linear algebra" | "region"
  readonly what: string
  readonly people: number
}

/**
 * Every way in which the visible totals tell about 1 to k - 1 people:
 * a total itself; a total without another inside it; a total without any set of its parts; a suspect, some total that
 * is not visible, as a linear combination of visible ones (exact, over the rationals); and the strongest: a region,
 * contributions that no visible total tells apart. Whatever is computed from the totals is computed from the regions'
 * sums, so regions of at least k people leave nothing to find for any arithmetic.
 *
 * `people[i]` made contribution i.
 */
export function findLeaks(args: {
  people: readonly string[]
  visible: readonly Total[]
  suspects: readonly Total[]
  k: number
}): Leak[] {
  const { visible, suspects, k } = args
  const cellsOf = new Map<string, bigint>()
  args.people.forEach((person, index) => cellsOf.set(person, (cellsOf.get(person) ?? 0n) | (1n << BigInt(index))))
  const countPeople = (cells: bigint) => [...cellsOf.values()].filter((own) => (own & cells) !== 0n).length
  const leaks: Leak[] = []
  const check = (attack: Leak["attack"], cells: bigint, what: () => string) => {
    const people = countPeople(cells)
    if (people > 0 && people < k) leaks.push({ attack, what: what(), people })
  }

  for (const whole of visible) {
    check("small group", whole.cells, () => whole.label)
    const inside = visible.filter((part) => part.cells !== whole.cells && isInside(part, whole))
    for (const part of inside) {
      check("difference of two", whole.cells & ~part.cells, () => `${whole.label} - ${part.label}`)
    }
    for (const kind of ["team", "day", "weeks"] as const) {
      const parts = inside.filter((part) => part.kind === kind)
      const largest = parts.filter((part) => !parts.some((other) => other !== part && isInside(part, other)))
      // Longer periods have more days than subsets can be tried of; the regions cover those.
      if (largest.length > 8) continue
      for (const some of subsetsOf(largest)) {
        const rest = some.reduce((cells, part) => cells & ~part.cells, whole.cells)
        check("whole without some parts", rest, () => [whole, ...some].map(({ label }) => label).join(" - "))
      }
    }
  }

  const smallSuspects = suspects.filter(({ cells }) => cells !== 0n && countPeople(cells) < k)
  const unknowns = regionsOf(args.people.length, [...visible, ...smallSuspects])
  const span = createSpan(visible.map(({ cells }) => toVector(cells, unknowns)))
  for (const suspect of smallSuspects) {
    if (span.has(toVector(suspect.cells, unknowns))) {
      leaks.push({ attack: "linear algebra", what: suspect.label, people: countPeople(suspect.cells) })
    }
  }

  for (const region of regionsOf(args.people.length, visible)) {
    check("region", region, () =>
      visible
        .filter(({ cells }) => (cells & region) !== 0n)
        .map(({ label }) => label)
        .join(" and "),
    )
  }
  return leaks
}

function isInside(part: Total, whole: Total): boolean {
  return (part.cells & ~whole.cells) === 0n
}

/** Of two or more. */
function* subsetsOf<T>(items: readonly T[]): Generator<T[]> {
  for (let chosen = 1; chosen < 2 ** items.length; chosen++) {
    const subset = items.filter((_, index) => (chosen >> index) & 1)
    if (subset.length > 1) yield subset
  }
}

/** The contributions that are in the same totals, for each combination of totals; those in none are left out. */
function regionsOf(count: number, totals: readonly Total[]): bigint[] {
  const regions = new Map<string, bigint>()
  for (let index = 0; index < count; index++) {
    const cell = 1n << BigInt(index)
    const signature = totals.map(({ cells }) => ((cells & cell) === 0n ? "0" : "1")).join("")
    if (signature.includes("1")) regions.set(signature, (regions.get(signature) ?? 0n) | cell)
  }
  return [...regions.values()]
}

type Vector = Map<number, Fraction>

function toVector(cells: bigint, unknowns: readonly bigint[]): Vector {
  return new Map(
    unknowns.flatMap((unknown, index) => ((unknown & cells) === 0n ? [] : [[index, { over: 1n, under: 1n }] as const])),
  )
}

/** The vectors that are linear combinations of the given ones, by Gaussian elimination. */
function createSpan(vectors: readonly Vector[]) {
  const rows: { readonly pivot: number; readonly vector: Vector }[] = []
  const reduce = (vector: Vector) => {
    const left = new Map(vector)
    for (const row of rows) {
      const factor = left.get(row.pivot)
      if (factor === undefined) continue
      for (const [index, value] of row.vector) {
        const difference = subtract(left.get(index) ?? ZERO, multiply(factor, value))
        if (difference.over === 0n) left.delete(index)
        else left.set(index, difference)
      }
    }
    return left
  }
  for (const vector of vectors) {
    const left = reduce(vector)
    const [first] = left
    if (first === undefined) continue
    const [pivot, value] = first
    const inverse = { over: value.under, under: value.over }
    rows.push({ pivot, vector: new Map([...left].map(([index, entry]) => [index, multiply(entry, inverse)])) })
  }
  return { has: (vector: Vector) => reduce(vector).size === 0 }
}

interface Fraction {
  readonly over: bigint
  readonly under: bigint
}

const ZERO: Fraction = { over: 0n, under: 1n }

function subtract(a: Fraction, b: Fraction): Fraction {
  return lowest(a.over * b.under - b.over * a.under, a.under * b.under)
}

function multiply(a: Fraction, b: Fraction): Fraction {
  return lowest(a.over * b.over, a.under * b.under)
}

function lowest(over: bigint, under: bigint): Fraction {
  let [a, b] = [over < 0n ? -over : over, under < 0n ? -under : under]
  while (b !== 0n) [a, b] = [b, a % b]
  return { over: over / a, under: under / a }
}
