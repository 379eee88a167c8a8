export interface Recent<Value> {
  /** The value under a name, which counts as used by this. */
  get(name: string): Value | undefined
  set(name: string, value: Value): void
  delete(name: string): void
  readonly size: number
}

/** A memory of at most `max` values, which forgets the least recently used. */
export function createRecent<Value>(max: number): Recent<Value> {
  // A Map keeps the order in which its entries were put in.
  const values = new Map<string, Value>()
  return {
    get(name) {
      const value = values.get(name)
      if (value === undefined) return undefined
      values.delete(name)
      values.set(name, value)
      return value
    },
    set(name, value) {
      values.delete(name)
      values.set(name, value)
      const [oldest] = values.keys()
      if (values.size > max && oldest !== undefined) values.delete(oldest)
    },
    delete(name) {
      values.delete(name)
    },
    get size() {
      return values.size
    },
  }
}
