import type { Clock } from "./clock.ts"
import { createBackoff, type OtlpBody, send, type Target } from "./send.ts"
import {
  OTLP_JSON,
  OTLP_JSON_TAIL,
  otlpJsonHead,
  recordToJson,
  type SignalFields,
  type SignalResource,
  toRecord,
} from "./signal.ts"
import type { SendResult, Spool, SpoolWriter } from "./spool.ts"

/**
 * The way out: signals are kept as they are until the turn of the event loop ends, then written to the spool, and sent
 * from there in batches. So a process that is killed loses at most what its last turn said, whoever calls is never kept
 * waiting by disk or network, and memory holds what was not written yet, up to a limit. Without a disk that takes them,
 * batches are sent from memory.
 */
export interface Pipeline {
  /** Never throws and never waits. */
  emit(fields: SignalFields): void
  /** Sends what there is, until nothing is left, the endpoint does not take it, or the deadline has come. */
  flush(options?: Deadline): Promise<FlushResult>
  /** As `flush`; what is left then is on disk for the next start. Later signals are dropped and counted. */
  shutdown(options?: Deadline): Promise<FlushResult>
  /** Writes what memory still holds, before it returns: for the end of a process. */
  saveSync(): void
  stats(): PipelineStats
}

/** How long to try. */
export interface Deadline {
  /** Milliseconds; 5,000 unless said otherwise. */
  readonly deadlineMs?: number | undefined
}

/** What came of sending. */
export interface FlushResult {
  /** Whether all that was there is sent. */
  readonly isComplete: boolean
}

/** Signals of this process, and those that it sent for earlier ones. */
export interface PipelineStats {
  /** Signals that were taken. */
  readonly emitted: number
  /** Written to disk; from then on they survive the process. */
  readonly spooled: number
  /** Signals that the endpoint has taken. */
  readonly sent: number
  /** In memory: neither on disk nor sent. */
  readonly waiting: number
  /** Signals that were given up, by reason. */
  readonly dropped: {
    /** The memory's limit was reached: the disk, or without one the endpoint, did not keep up. */
    readonly memory: number
    /** The endpoint said that it will not take them: in a partial success, or as a whole. */
    readonly rejected: number
    /** They could not be read. */
    readonly invalid: number
    /** They came after the shutdown, or its deadline passed with no disk to take them. */
    readonly shutdown: number
  }
}

export interface PipelineOptions {
  readonly target: Target
  readonly resource: SignalResource
  /** Null to keep nothing on disk. */
  readonly spool: Spool | null
  readonly clock: Clock
  /** Of signals that are neither on disk nor sent, as they are sent; another `PENDING_MAX` may wait to be encoded. */
  readonly memoryBytesMax: number
  /** How long signals wait for others to be sent with, milliseconds. */
  readonly delayMs: number
  /** Told of a trouble, by its name; not more often than once a minute each. */
  readonly report: (problem: string) => void
}

/** Signals that may come in one turn before they are encoded in it. */
const PENDING_MAX = 1024
const BATCH_ITEMS = 2048
const BATCH_BYTES = 1024 * 1024
/** A disk that does not answer for so long is left alone for a while. */
const DISK_ANSWER_MS = 5000
const DISK_PAUSE_MS = 30_000
/** How often to look for what other processes left behind. */
const LEFTOVERS_MS = 60_000
const DEADLINE_MS = 5000

/** Encoded records, each after a comma. */
interface Chunk {
  readonly bytes: Buffer<ArrayBuffer>
  readonly items: number
}

export function startPipeline(options: PipelineOptions): Pipeline {
  const { target, spool, clock, memoryBytesMax, delayMs, report } = options
  const head = Buffer.from(otlpJsonHead(options.resource))
  const tail = Buffer.from(OTLP_JSON_TAIL)
  const backoff = createBackoff(() => clock.random())

  let pending: SignalFields[] = []
  let times: number[] = []
  let isEncodingSoon = false
  let isClosed = false
  const unwritten: Chunk[] = []
  let unwrittenBytes = 0
  const counts = { emitted: 0, spooled: 0, sent: 0, memory: 0, rejected: 0, invalid: 0, shutdown: 0 }

  function encode(): void {
    isEncodingSoon = false
    if (!encodePending()) return
    soon()
    void write()
  }

  /** Pending signals become one chunk; false when there are none. */
  function encodePending(): boolean {
    if (pending.length === 0) return false
    const [taken, takenAt] = [pending, times]
    pending = []
    times = []
    if (unwrittenBytes >= memoryBytesMax) {
      counts.memory += taken.length
      report("signals were dropped: neither disk nor endpoint keeps up")
      return false
    }
    let text = ""
    let items = 0
    for (const [index, fields] of taken.entries()) {
      try {
        text += `,${recordToJson(toRecord(fields, takenAt[index] ?? 0))}`
        items++
      } catch {
        counts.invalid++
      }
    }
    if (items === 0) return false
    const bytes = Buffer.from(text)
    unwritten.push({ bytes, items })
    unwrittenBytes += bytes.length
    return true
  }

  /** Takes as many chunks as one request shall hold, as one; undefined when there are none. */
  function take(): Chunk | undefined {
    let [items, size] = [0, 0]
    const full = unwritten.findIndex((chunk) => {
      items += chunk.items
      size += chunk.bytes.length
      return items >= BATCH_ITEMS || size >= BATCH_BYTES
    })
    const taken = unwritten.splice(0, full === -1 ? unwritten.length : full + 1)
    const [first] = taken
    if (first === undefined) return undefined
    const bytes = taken.length === 1 ? first.bytes : Buffer.concat(taken.map((chunk) => chunk.bytes))
    unwrittenBytes -= bytes.length
    return { bytes, items }
  }

  function putBack(chunk: Chunk): void {
    unwritten.unshift(chunk)
    unwrittenBytes += chunk.bytes.length
  }

  const bodyOf = ({ bytes }: Chunk) => Buffer.concat([head, bytes.subarray(1), tail])

  // Writing

  interface Batch {
    readonly writer: SpoolWriter
    items: number
    bytes: number
  }
  /** One writing at a time; a new object when an earlier one got stuck in the disk. */
  interface Writing {
    readonly since: number
    chunk: Chunk | null
    done: Promise<void>
  }
  let batch: Batch | null = null
  let writing: Writing | null = null
  let isSealWanted = false
  let diskPausedUntil = -Infinity

  const isDiskUsable = () => spool !== null && clock.elapsed() >= diskPausedUntil

  function pauseDisk(reason: string): void {
    diskPausedUntil = clock.elapsed() + DISK_PAUSE_MS
    report(reason)
  }

  /** Writes what was encoded; resolves when it is written, or the disk is given up for a while. */
  function write(): Promise<void> {
    if (writing !== null) return writing.done
    if (spool === null || !isDiskUsable()) return Promise.resolve()
    const own: Writing = { since: clock.elapsed(), chunk: null, done: Promise.resolve() }
    writing = own
    own.done = writeAll(spool, own)
      .catch(() => {
        if (writing !== own) return
        if (own.chunk !== null) putBack(own.chunk)
        const broken = batch
        batch = null
        void broken?.writer.seal().catch(() => {})
        pauseDisk("the disk does not take signals: they are kept in memory")
      })
      .finally(() => {
        if (writing === own) writing = null
      })
    return own.done
  }

  async function writeAll(disk: Spool, own: Writing): Promise<void> {
    for (let chunk = take(); chunk !== undefined; chunk = take()) {
      own.chunk = chunk
      const { bytes, items } = chunk
      const meta = { contentType: OTLP_JSON, tail: OTLP_JSON_TAIL }
      const opened = batch ?? { writer: await disk.open(meta), items: 0, bytes: 0 }
      await opened.writer.write(opened.items === 0 ? Buffer.concat([head, bytes.subarray(1)]) : bytes, items)
      counts.spooled += items
      own.chunk = null
      opened.items += items
      opened.bytes += bytes.length
      // It got through after all, when it had been given up.
      if (writing !== own) return opened.writer.seal()
      batch = opened
      if (opened.items >= BATCH_ITEMS || opened.bytes >= BATCH_BYTES) await seal()
    }
    if (!isSealWanted || writing !== own) return
    isSealWanted = false
    await seal()
  }

  async function seal(): Promise<void> {
    const sealed = batch
    batch = null
    await sealed?.writer.seal()
  }

  async function giveUpStuckDisk(): Promise<void> {
    const stuck = writing
    if (stuck === null || clock.elapsed() - stuck.since < DISK_ANSWER_MS) return
    // It may have answered while the process was busy with something else.
    await new Promise(setImmediate)
    if (writing !== stuck) return
    writing = null
    batch = null
    // It may be written all the same, and then it is sent twice and stored once.
    if (stuck.chunk !== null) putBack(stuck.chunk)
    pauseDisk("the disk does not answer: signals are kept in memory")
  }

  // Sending

  let notBefore = -Infinity

  async function attempt(body: OtlpBody, items: number): Promise<SendResult> {
    const sent = await send(target, body, () => clock.now(), aborting.signal)
    if (sent.result === "retry") {
      const wait = backoff.next(sent.retryAfterMs)
      notBefore = clock.elapsed() + wait
      if (!isClosed) soon(wait)
      report(`the endpoint does not take signals (${sent.reason}): they are kept`)
      return "retry"
    }
    backoff.reset()
    notBefore = -Infinity
    if (sent.result === "refused") report(`the endpoint refused signals (${sent.reason}): they are dropped`)
    const rejected = sent.result === "refused" ? items : Math.min(sent.rejected, items)
    counts.rejected += rejected
    counts.sent += items - rejected
    return sent.result
  }

  const drainSpool = oneAtATime(async () => {
    if (spool === null || !isDiskUsable()) return
    await spool.drain((entry) => attempt(entry, entry.items))
  })

  /** Without a disk, batches are sent from memory. */
  const drainMemory = oneAtATime(async () => {
    while (!isDiskUsable()) {
      const chunk = take()
      if (chunk === undefined) return
      sendingFromMemory = chunk
      const result = await attempt({ body: bodyOf(chunk), contentType: OTLP_JSON }, chunk.items)
      sendingFromMemory = null
      if (result === "retry") return putBack(chunk)
    }
  })
  let sendingFromMemory: Chunk | null = null

  const drain = () => Promise.all([drainMemory(), drainSpool()])

  // Time

  const aborting = new AbortController()
  let callOff: (() => void) | null = null
  let dueAt = Infinity

  /** Sees to it that a batch is ended and sent after so long. */
  function soon(ms = delayMs): void {
    const at = clock.elapsed() + ms
    if (isClosed || dueAt <= at) return
    callOff?.()
    dueAt = at
    callOff = clock.schedule(() => {
      callOff = null
      dueAt = Infinity
      void endBatch()
    }, ms)
  }

  async function endBatch(): Promise<void> {
    await giveUpStuckDisk()
    isSealWanted = true
    const written = write()
    if (writing !== null) soon(DISK_ANSWER_MS)
    // What is in memory does not wait for a disk that may not answer.
    if (clock.elapsed() >= notBefore) void drainMemory()
    await written
    if (clock.elapsed() >= notBefore) await drain()
    soon(Math.min(LEFTOVERS_MS, Math.max(notBefore - clock.elapsed(), delayMs)))
  }

  async function flush({ deadlineMs = DEADLINE_MS }: Deadline = {}): Promise<FlushResult> {
    const work = async () => {
      encode()
      await giveUpStuckDisk()
      isSealWanted = true
      await write()
      // A batch may have been open with nothing left to write.
      if (isSealWanted && isDiskUsable()) await write()
      await drain()
    }
    const isInTime = await new Promise<boolean>((resolve) => {
      const callOff = clock.schedule(() => resolve(false), deadlineMs, true)
      void work()
        .then(
          () => resolve(true),
          () => resolve(false),
        )
        .finally(callOff)
    })
    return { isComplete: isInTime && notBefore === -Infinity && unwritten.length === 0 }
  }

  function saveSync(): void {
    encodePending()
    if (sendingFromMemory !== null) putBack(sendingFromMemory)
    if (writing?.chunk) putBack(writing.chunk)
    try {
      // One that is in use is left for the next start to take over.
      if (writing === null) batch?.writer.sealSync()
    } catch {
      report("the disk does not take signals: the last are lost")
    }
    batch = null
    for (let chunk = take(); chunk !== undefined; chunk = take()) {
      const { items } = chunk
      if (isDiskUsable() && spool?.append(bodyOf(chunk), { contentType: OTLP_JSON, items })) counts.spooled += items
      else counts.shutdown += items
    }
  }

  soon()

  return {
    emit(fields) {
      if (isClosed) {
        counts.shutdown++
        return
      }
      counts.emitted++
      pending.push(fields)
      times.push(clock.now())
      if (pending.length >= PENDING_MAX) encode()
      else if (!isEncodingSoon) {
        isEncodingSoon = true
        setImmediate(encode)
      }
    },
    flush,
    async shutdown(deadline) {
      if (isClosed) return { isComplete: true }
      const result = await flush(deadline)
      isClosed = true
      callOff?.()
      aborting.abort()
      saveSync()
      return result
    },
    saveSync,
    stats() {
      const { emitted, spooled, sent, ...dropped } = counts
      const waiting = pending.length + unwritten.reduce((sum, chunk) => sum + chunk.items, 0)
      return { emitted, spooled, sent, waiting, dropped }
    },
  }
}

/** `work`, of which one runs at a time: a call during it gets one that begins when it has ended. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null
  const start = (): Promise<void> => {
    running = work()
      .catch(() => {})
      .finally(() => {
        running = null
      })
    return running
  }
  return () => {
    if (running === null) return start()
    next ??= running.then(() => {
      next = null
      return start()
    })
    return next
  }
}
