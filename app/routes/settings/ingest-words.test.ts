import { expect, test } from "vitest"
import type { Intake } from "#server/ingest/queries.ts"
import { judge, NAME_KINDS, REFUSED_REQUESTS, REJECTED_ITEMS } from "./ingest-words.ts"

const NOW = new Date("2026-11-20T12:00:00Z")
const NOTHING: Intake = {
  requests: 0,
  signals: 0,
  duplicates: 0,
  late: 0,
  lastAt: null,
  refused: {},
  rejected: {},
  folded: {},
  queue: { p50Ms: null, p95Ms: null },
  commit: { p50Ms: null, p95Ms: null },
}
const BUSY: Intake = {
  ...NOTHING,
  requests: 20,
  signals: 1200,
  queue: { p50Ms: 2, p95Ms: 12 },
  commit: { p50Ms: 5, p95Ms: 30 },
}
const LONG_AGO = new Date("2026-11-18T12:00:00Z")

test.for([
  ["nothing ever", NOTHING, NOTHING, null, "none", "Nothing has arrived yet."],
  [
    "nothing lately",
    NOTHING,
    BUSY,
    new Date("2026-11-20T09:00:00Z"),
    "none",
    "Nothing arrived in the last hour; the last signal came 3 h ago. The 24 hours before have 1,200 signals.",
  ],
  [
    "nothing for days",
    NOTHING,
    NOTHING,
    LONG_AGO,
    "none",
    "Nothing arrived in the last hour; the last signal came 2 days ago.",
  ],
  [
    "all is refused",
    { ...NOTHING, refused: { malformed: 1 } },
    NOTHING,
    null,
    "warn",
    "No signal was stored in the last hour: 1 request was refused.",
  ],
  [
    "all is well",
    BUSY,
    BUSY,
    NOW,
    "good",
    "1,200 signals arrived in the last hour, stored within 42 ms; no request was refused.",
  ],
  [
    "some are refused",
    { ...BUSY, refused: { malformed: 2, too_large: 1 } },
    BUSY,
    NOW,
    "warn",
    "1,200 signals arrived in the last hour, stored within 42 ms; 3 requests were refused.",
  ],
  [
    "too much",
    { ...BUSY, refused: { busy: 4, unfair: 1 } },
    BUSY,
    NOW,
    "warn",
    "Belay is not keeping up: 1,200 signals arrived in the last hour, and 5 requests were asked to come back later.",
  ],
  [
    "too slow",
    { ...BUSY, queue: { p50Ms: 10, p95Ms: 6000 } },
    BUSY,
    NOW,
    "warn",
    "Belay is falling behind: 1,200 signals arrived in the last hour, and storing one takes up to 6 s.",
  ],
] as const)("%s", ([, hour, day, lastAt, tone, sentence]) => {
  expect(judge({ hour, day, lastAt, now: NOW })).toEqual({ tone, sentence })
})

test("every reason and kind that is counted has words", () => {
  const words = [REFUSED_REQUESTS, REJECTED_ITEMS, NAME_KINDS].map((all) => Object.keys(all).length)
  expect(words).toEqual([6, 4, 7])
})
