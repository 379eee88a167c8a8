import { expect, test } from "vitest"
import { aRecord, logsOf, signalsOf } from "./requests.ts"

const origin = { scope: "copilot-chat", resource: { "service.name": "copilot-chat", "session.id": "window-1" } }

type Attributes = Record<string, string | number | boolean>

function read(...records: readonly Attributes[]) {
  return signalsOf(
    logsOf(
      origin,
      records.map((attributes, index) => aRecord(attributes, { atMs: index })),
    ),
  )
}

const feedback = { "event.name": "copilot_chat.edit.feedback", request_id: "r1", edit_surface: "agent" }
const hunk = { "event.name": "copilot_chat.edit.hunk.action", request_id: "r1", lines_added: 3, lines_removed: 1 }

test("a verdict on a whole file counts where its hunks were not decided one by one", () => {
  expect(read({ ...feedback, outcome: "rejected" })).toMatchObject([
    { kind: "edit", outcome: "rejected", origin: "human", operationId: "r1" },
  ])
  expect(read({ ...hunk, outcome: "accepted" }, { ...feedback, outcome: "accepted" })).toMatchObject([
    { kind: "edit", outcome: "accepted", linesAdded: 3, linesRemoved: 1 },
  ])
})

test("saving a file decides nothing", () => {
  expect(read({ ...feedback, outcome: "saved" })).toEqual([])
})

test("an edit of inline chat stands on chat", () => {
  expect(read({ ...feedback, outcome: "accepted", edit_surface: "inline_chat" })).toMatchObject([{ rung: "chat" }])
})

test.each([
  [{ survival_rate_no_revert: 0.38, time_delay_ms: 300_000 }, 1],
  [{ survival_rate_no_revert: 0.5, time_delay_ms: 300_000 }, 0],
  [{ survival_rate_no_revert: 0.1, time_delay_ms: 30_000 }, 0],
  [{ survival_rate_no_revert: 0.1, time_delay_ms: 900_000 }, 0],
])("survival %j is a revert %i times", (survival, reverts) => {
  const signals = read({ "event.name": "copilot_chat.edit.survival", request_id: "r1", ...survival })
  expect(signals).toHaveLength(reverts)
  for (const signal of signals) expect(signal).toMatchObject({ outcome: "reverted", origin: "unknown" })
})

test.each([
  [true, "accepted"],
  [false, "rejected"],
])("inline chat that ended with accepted=%s was %s by a person", (accepted, outcome) => {
  expect(read({ "event.name": "copilot_chat.inline.done", accepted })).toMatchObject([
    { kind: "turn", rung: "chat", outcome, origin: "human" },
  ])
})

test("the window is not the conversation", () => {
  expect(read({ ...hunk, outcome: "accepted" })).toMatchObject([{ sessionId: null }])
})
