import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, test as base, vi } from "vitest"
import { type PipelineOptions, startPipeline } from "./pipeline.ts"
import { openSpool, type Spool } from "./spool.ts"
import { createTestClock } from "./test-clock.ts"
import { startReceiver, takeAll } from "./test-receiver.ts"

const test = base
  .extend("folder", async ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-pipeline-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true }))
    return path.join(folder, "spool")
  })
  .extend("receiver", async ({}, { onCleanup }) => {
    const receiver = await startReceiver()
    onCleanup(() => receiver.close())
    return receiver
  })
  .extend("clock", () => createTestClock())
  .extend("problems", (): string[] => [])
  .extend("start", ({ folder, receiver, clock, problems }) => {
    return (options: Partial<PipelineOptions> = {}) =>
      startPipeline({
        target: { url: `${receiver.endpoint}/v1/logs`, headers: {}, timeoutMs: 1000 },
        resource: { serviceName: "bot" },
        spool: openSpool({ folder, now: () => clock.now() }),
        clock,
        memoryBytesMax: 1024 * 1024,
        delayMs: 2000,
        report: (problem) => problems.push(problem),
        ...options,
      })
  })

const signal = (signalId: string) => ({ kind: "suggestion", rung: "autocomplete", signalId }) as const
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `n${from + index}`)
const idsOf = (records: readonly Record<string, string | number>[]) =>
  records.map((record) => record["belay.signal_id"])
/** What many things of the real world need a moment for: sockets, files. */
const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, { timeout: 10_000, interval: 2 })

test("sends in batches after a while, and leaves nothing on disk", async ({ start, receiver, clock, folder }) => {
  const pipeline = start()
  for (const id of range(0, 3)) pipeline.emit(signal(id))
  await until(() => expect(pipeline.stats().spooled).toBe(3))
  pipeline.emit(signal("n3"))
  await until(() => expect(pipeline.stats().spooled).toBe(4))
  expect(receiver.requests).toEqual([])
  clock.advance(2000)
  await until(() => expect(idsOf(receiver.records)).toEqual(range(0, 4)))
  await pipeline.flush()
  expect(receiver.requests.length).toBe(1)
  expect(readdirSync(folder)).toEqual([])
  expect(pipeline.stats()).toMatchObject({ emitted: 4, sent: 4, waiting: 0 })
})

test("a full batch does not wait", async ({ start, receiver }) => {
  const pipeline = start({ memoryBytesMax: 16 * 1024 * 1024 })
  for (const id of range(0, 9000)) pipeline.emit(signal(id))
  expect(await pipeline.flush({ deadlineMs: 60_000 })).toEqual({ isComplete: true })
  expect(idsOf(receiver.records)).toEqual(range(0, 9000))
  expect(receiver.requests.length).toBeGreaterThan(3)
})

test("an endpoint that is away for a day gets everything once it is back, in order", async ({
  start,
  receiver,
  clock,
}) => {
  const pipeline = start()
  receiver.answer = (response) => response.writeHead(503).end()
  for (let hour = 0; hour < 24; hour++) {
    pipeline.emit(signal(`n${hour}`))
    await until(() => expect(pipeline.stats().spooled).toBe(hour + 1))
    const before = receiver.requests.length
    clock.advance(60 * 60_000)
    await until(() => expect(receiver.requests.length).toBeGreaterThan(before))
  }
  expect(receiver.records).toEqual([])
  receiver.answer = takeAll
  expect(await pipeline.flush()).toEqual({ isComplete: true })
  expect(idsOf(receiver.records)).toEqual(range(0, 24))
})

test("waits as long as it is told to before it tries again", async ({ start, receiver, clock, problems }) => {
  const pipeline = start()
  receiver.answer = (response) => response.writeHead(429, { "retry-after": "100" }).end()
  pipeline.emit(signal("n0"))
  await until(() => expect(pipeline.stats().spooled).toBe(1))
  clock.advance(2000)
  await until(() => expect(problems).toEqual(["the endpoint does not take signals (HTTP 429): they are kept"]))
  receiver.answer = takeAll
  clock.advance(90_000)
  await pipelineIdle()
  expect(receiver.requests.length).toBe(1)
  clock.advance(20_000)
  await until(() => expect(idsOf(receiver.records)).toEqual(["n0"]))
})

test("what is refused is dropped and counted, and what a partial success rejects", async ({
  start,
  receiver,
  problems,
}) => {
  const pipeline = start()
  receiver.answer = (response) => response.writeHead(500).end()
  for (const id of range(0, 3)) pipeline.emit(signal(id))
  await pipeline.flush()
  receiver.answer = (response) => response.writeHead(200).end('{"partialSuccess":{"rejectedLogRecords":"2"}}')
  for (const id of range(3, 8)) pipeline.emit(signal(id))
  await pipeline.flush()
  expect(pipeline.stats()).toMatchObject({ emitted: 8, sent: 3, dropped: { rejected: 5 } })
  expect(problems).toEqual(["the endpoint refused signals (HTTP 500): they are dropped"])
})

test("a disk that takes nothing: signals are sent from memory, and a bound is kept", async ({
  start,
  receiver,
  folder,
  problems,
}) => {
  writeFileSync(folder, "a file where the folder should be")
  receiver.answer = (response) => response.writeHead(503).end()
  const pipeline = start({ memoryBytesMax: 20_000 })
  for (let turn = 0; turn < 30; turn++) {
    for (const id of range(turn * 100, turn * 100 + 100)) pipeline.emit(signal(id))
    await new Promise(setImmediate)
  }
  await pipeline.flush()
  const { waiting, dropped, emitted } = pipeline.stats()
  expect(waiting + dropped.memory).toBe(emitted)
  expect(waiting).toBeLessThan(500)
  expect(problems).toContain("the disk does not take signals: they are kept in memory")
  expect(problems).toContain("signals were dropped: neither disk nor endpoint keeps up")
  receiver.answer = takeAll
  expect(await pipeline.shutdown()).toEqual({ isComplete: true })
  expect(receiver.records.length).toBe(waiting)
})

test("a disk that is there again is used again", async ({ start, receiver, folder, clock }) => {
  writeFileSync(folder, "a file where the folder should be")
  receiver.answer = (response) => response.writeHead(503).end()
  const pipeline = start()
  pipeline.emit(signal("n0"))
  await pipeline.flush()
  rmSync(folder)
  await until(() => {
    clock.advance(1000)
    expect(pipeline.stats().spooled).toBe(1)
  })
  receiver.answer = takeAll
  expect(await pipeline.shutdown()).toEqual({ isComplete: true })
  expect(idsOf(receiver.records)).toEqual(["n0"])
})

test("a disk that never answers keeps nobody waiting", async ({ start, receiver, folder, clock, problems }) => {
  const real = openSpool({ folder })
  let answer = () => {}
  const spool: Spool = {
    ...real,
    async open(meta) {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return real.open(meta)
    },
  }
  const pipeline = start({ spool })
  pipeline.emit(signal("n0"))
  await new Promise(setImmediate)
  const flushed = pipeline.flush({ deadlineMs: 1000 })
  clock.advance(1000)
  expect(await flushed).toEqual({ isComplete: false })
  await until(() => {
    clock.advance(1000)
    expect(problems).toEqual(["the disk does not answer: signals are kept in memory"])
  })
  expect(await pipeline.flush()).toEqual({ isComplete: true })
  expect(idsOf(receiver.records)).toEqual(["n0"])
  // It answers after all, and what it kept is sent a second time, as the same signal.
  answer()
  await until(() => expect(readdirSync(folder).join()).toContain(".ready"))
  await until(() => {
    clock.advance(1000)
    expect(idsOf(receiver.records)).toEqual(["n0", "n0"])
  })
})

test("a slow endpoint ends a shutdown at its deadline, and the rest is there at the next start", async ({
  start,
  receiver,
  clock,
}) => {
  const pipeline = start()
  receiver.answer = () => {}
  for (const id of range(0, 10)) pipeline.emit(signal(id))
  const done = pipeline.shutdown({ deadlineMs: 300 })
  await until(() => expect(receiver.requests.length).toBe(1))
  clock.advance(300)
  expect(await done).toEqual({ isComplete: false })
  pipeline.emit(signal("too late"))
  expect(pipeline.stats().dropped.shutdown).toBe(1)
  receiver.answer = takeAll
  const next = start()
  await until(async () => {
    await next.flush()
    expect(idsOf(receiver.records)).toEqual(range(0, 10))
  })
})

test("the end of a process, from which nothing can be waited for, loses nothing", async ({
  start,
  receiver,
  folder,
}) => {
  const pipeline = start()
  for (const id of range(0, 3)) pipeline.emit(signal(id))
  await until(() => expect(pipeline.stats().spooled).toBe(3))
  for (const id of range(3, 6)) pipeline.emit(signal(id))
  pipeline.saveSync()
  expect(openSpool({ folder }).status().items).toBe(6)
  const next = start()
  await next.flush()
  expect(idsOf(receiver.records)).toEqual(range(0, 6))
})

test("the machine's clock may jump by years, in either direction", async ({ start, receiver, clock }) => {
  const pipeline = start()
  for (const [index, jump] of [0, 40, -80, 40].entries()) {
    clock.jump(jump * 365 * 86_400_000)
    pipeline.emit(signal(`n${index}`))
    await until(() => expect(pipeline.stats().spooled).toBe(index + 1))
    clock.advance(2000)
    await until(() => expect(receiver.records.length).toBe(index + 1))
  }
  expect(idsOf(receiver.records)).toEqual(range(0, 4))
})

test("fields that throw when they are read are no signal, and no error", async ({ start, receiver }) => {
  const pipeline = start()
  const broken = {
    kind: "turn",
    rung: "chat",
    get model(): string {
      throw new Error("broken")
    },
  } as const
  pipeline.emit(broken)
  pipeline.emit(signal("n0"))
  await pipeline.shutdown()
  expect(idsOf(receiver.records)).toEqual(["n0"])
  expect(pipeline.stats().dropped.invalid).toBe(1)
})

test("leftovers of others are found without a signal of our own", async ({ start, receiver, folder, clock }) => {
  mkdirSync(folder)
  start()
  const body = Buffer.from(
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"belay.turn","attributes":[]}]}]}]}',
  )
  openSpool({ folder }).append(body, { contentType: "application/json", items: 1 })
  clock.advance(2000)
  await until(() => expect(receiver.records.length).toBe(1))
  openSpool({ folder }).append(body, { contentType: "application/json", items: 1 })
  await pipelineIdle()
  clock.advance(60_000)
  await until(() => expect(receiver.records.length).toBe(2))
})

/** Some turns of the event loop, with its sockets and files, in which what can happen without time passing does. */
async function pipelineIdle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
}
