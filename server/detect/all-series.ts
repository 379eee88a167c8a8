import type { Rung } from "#sdk/ladder.ts"
import type { Watched } from "./contract.ts"
import { makeSeries, type Place, type Series } from "./series.ts"

/**
 * The series of an organization by place: at most a few dozen share one, and the texts that name it, which would take more
 * memory than their numbers.
 */
export class AllSeries implements Iterable<Series> {
  private readonly places = new Map<string, { readonly place: Place; all: readonly Series[] }>()
  private count = 0

  get size(): number {
    return this.count
  }

  get(rung: Rung, watched: Watched, dimension: string, values: readonly string[]): Series | undefined {
    return this.places
      .get(keyOf(dimension, values))
      ?.all.find((series) => series.rung === rung && series.watched === watched)
  }

  getOrMake(rung: Rung, watched: Watched, dimension: string, values: readonly string[]): Series {
    const found = this.get(rung, watched, dimension, values)
    if (found !== undefined) return found
    const series = makeSeries(rung, watched, this.placeOf(dimension, values))
    this.add(series)
    return series
  }

  /** The place as the series that are there share it. */
  placeOf(dimension: string, values: readonly string[]): Place {
    return this.places.get(keyOf(dimension, values))?.place ?? { dimension, values }
  }

  /** Adds one that is not there yet. */
  add(series: Series): void {
    const { place } = series
    const key = keyOf(place.dimension, place.values)
    const at = this.places.get(key)
    if (at === undefined) this.places.set(key, { place, all: [series] })
    else at.all = at.all.concat([series])
    this.count++
  }

  deleteAll(isOver: (series: Series) => boolean): void {
    for (const [key, at] of this.places) {
      const kept = at.all.filter((series) => !isOver(series))
      this.count -= at.all.length - kept.length
      if (kept.length === 0) this.places.delete(key)
      else at.all = kept
    }
  }

  *[Symbol.iterator](): Generator<Series> {
    for (const { all } of this.places.values()) yield* all
  }
}

function keyOf(dimension: string, values: readonly string[]): string {
  return `${dimension}|${values.join("|")}`
}
