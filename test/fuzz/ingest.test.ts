import { expect, test } from "vitest"
import { createFuzzer } from "./run.ts"

const BODIES = 4000

test("mutated telemetry is refused as OTLP says, or gives rows that the table takes and no content", () => {
  const fuzzer = createFuzzer("suite")
  let signals = 0
  for (let number = 0; number < BODIES; number++) {
    const checked = fuzzer.check(number)
    // Repeat it: npm run fuzz:ingest -- --seed suite --from <number> --count 1
    expect([number, checked.fault]).toEqual([number, null])
    signals += checked.signals
  }
  expect(signals).toBeGreaterThan(BODIES / 10)
})
