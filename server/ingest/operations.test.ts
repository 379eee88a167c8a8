import * as fc from "fast-check"
import { expect, test } from "vitest"
import { RUNGS, SIGNAL_KINDS } from "#sdk/ladder.ts"
import { assignOperations, promoteRungs } from "./operations.ts"
import { type Signal, type SignalFields, toSignal } from "./signal.ts"

function signal(fields: Partial<SignalFields>): Signal {
  return toSignal({
    observedUnixNano: 0n,
    sourceId: "id",
    kind: "tool_call",
    rung: "chat",
    agentTool: "test",
    ...fields,
  })
}

function start(sessionId: string, operationId: string, at: bigint): Signal {
  return signal({ kind: "start", sessionId, operationId, observedUnixNano: at })
}

test("a signal without an operation belongs to its session's latest start at or before it", () => {
  const signals = [
    start("s", "second", 20n),
    start("s", "first", 10n),
    start("other", "elsewhere", 15n),
    ...[9n, 10n, 19n, 20n, 99n].map((observedUnixNano) => signal({ sessionId: "s", observedUnixNano })),
  ]
  const placed = assignOperations(signals).slice(3)
  expect(placed.map((item) => item.operationId)).toEqual([null, "first", "first", "second", "second"])
})

test("a signal that has an operation keeps it", () => {
  const signals = [start("s", "first", 0n), signal({ sessionId: "s", operationId: "own", observedUnixNano: 1n })]
  expect(assignOperations(signals)).toEqual(signals)
})

test("a session, a person's presence and a change of mode or rung belong to no operation", () => {
  const kinds = ["session", "presence", "mode_change"] as const
  const signals = [
    start("s", "first", 0n),
    ...kinds.map((kind) => signal({ kind, sessionId: "s", observedUnixNano: 1n })),
  ]
  expect(assignOperations(signals)).toEqual(signals)
})

test("an agent's task gets the operation as its parent and stays one of its own", () => {
  const task = signal({
    kind: "task",
    rung: "orchestration",
    sessionId: "s",
    operationId: "agent",
    observedUnixNano: 1n,
  })
  expect(assignOperations([start("s", "first", 0n), task])[1]).toMatchObject({
    operationId: "agent",
    parentOperationId: "first",
  })
})

test("a task that was asked for is nobody's part, least of all its own", () => {
  const asked = signal({ kind: "task", rung: "agent", sessionId: "s", operationId: "first", observedUnixNano: 1n })
  const handsOff = signal({ ...asked, rung: "orchestration" })
  for (const task of [asked, handsOff]) expect(assignOperations([start("s", "first", 0n), task])[1]).toEqual(task)
})

test("all signals of an operation stand on its highest rung", () => {
  const signals = [
    signal({ operationId: "a", rung: "chat" }),
    signal({ operationId: "b", rung: "autocomplete" }),
    signal({ operationId: "a", rung: "agent" }),
    signal({ operationId: null, rung: "chat" }),
  ]
  expect(promoteRungs(signals).map((item) => item.rung)).toEqual(["agent", "autocomplete", "agent", "chat"])
})

test("an operation that handed work to agents stands on orchestration", () => {
  const signals = [
    signal({ operationId: "a", rung: "agent" }),
    signal({ kind: "task", operationId: "sub", parentOperationId: "a", rung: "orchestration" }),
  ]
  expect(promoteRungs(signals).map((item) => item.rung)).toEqual(["orchestration", "orchestration"])
})

const ids = fc.option(fc.constantFrom("a", "b", "c"))
const anySignal = fc
  .record({
    kind: fc.constantFrom(...SIGNAL_KINDS),
    rung: fc.constantFrom(...RUNGS),
    sessionId: ids,
    operationId: ids,
    parentOperationId: ids,
    observedUnixNano: fc.bigInt(0n, 5n),
  })
  .map(signal)

test("a rung is only ever raised, and an operation has one", () => {
  fc.assert(
    fc.property(fc.array(anySignal), (signals) => {
      const promoted = promoteRungs(signals)
      const rungs = new Map<string, string>()
      for (const [index, item] of promoted.entries()) {
        expect(RUNGS.indexOf(item.rung)).toBeGreaterThanOrEqual(RUNGS.indexOf(signals[index]?.rung ?? "orchestration"))
        if (item.operationId === null) continue
        expect(rungs.get(item.operationId) ?? item.rung).toBe(item.rung)
        rungs.set(item.operationId, item.rung)
      }
    }),
  )
})

test("placing signals is done once: doing it again changes nothing", () => {
  fc.assert(
    fc.property(fc.array(anySignal), (signals) => {
      const placed = assignOperations(signals)
      expect(assignOperations(placed)).toEqual(placed)
    }),
  )
})
