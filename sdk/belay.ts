import { logs, trace } from "@opentelemetry/api"
import { type Task, TaskHandle, type TaskOptions } from "./agent.ts"
import { type Suggestion, suggest, type SuggestOptions } from "./autocomplete.ts"
import { type Turn, turn, type TurnOptions } from "./chat.ts"
import { type Clock, systemClock } from "./clock.ts"
import type { Core } from "./core.ts"
import type { Surface } from "./ladder.ts"
import { Late, type LateOutcomes } from "./late-outcomes.ts"
import { type Run, run, type RunOptions } from "./orchestration.ts"
import { type Deadline, type FlushResult, type Pipeline, type PipelineStats, startPipeline } from "./pipeline.ts"
import { createPolicy, type OnPrompt, type Policy, type PolicySource, type StartPolicy } from "./policy.ts"
import { attempt, createReport } from "./safety.ts"
import { SCOPE_NAME } from "./semconv.ts"
import { openSession, type Session, type SessionOptions } from "./session.ts"
import { newId, type SignalFields, toRecord } from "./signal.ts"
import { defaultSpoolFolder } from "./spool-folder.ts"
import { openSpool } from "./spool.ts"
import { parseToken } from "./token.ts"

/** Who reports to which Belay, and how signals get there. */
export interface BelayOptions {
  /** Of Belay: `https://belay.example.internal`. `/v1/logs` is added. */
  readonly endpoint: string
  /** Made on Belay's page Keys: `blk_…`. */
  readonly ingestKey: string
  /** The tool that you make. */
  readonly agent: {
    /** A name, the same in every version. */
    readonly name: string
    /** Its version. */
    readonly version?: string | undefined
  }
  /** The person on whose behalf it acts, by the e-mail address they sign in to Belay with. */
  readonly user?: string | undefined
  /** Where the person uses the agent. */
  readonly surface?: Surface | undefined
  /** `owner/name` of the repository that is worked on. */
  readonly repository?: string | undefined
  /** Where signals wait on disk: a folder of the person's home unless said otherwise; false to keep nothing on disk. */
  readonly spool?:
    | false
    | {
        /** Any number of processes may share it. */
        readonly folder?: string | undefined
        /** 64 MiB unless said otherwise; the oldest go first. */
        readonly bytesMax?: number | undefined
      }
    | undefined
  /** Signals that are neither on disk nor sent may take so much memory; 4 MiB unless said otherwise. */
  readonly memoryBytesMax?: number | undefined
  /** Milliseconds that signals wait to be sent together; 2,000 unless said otherwise. */
  readonly delayMs?: number | undefined
  /** Milliseconds that one attempt to send may take; 5,000 unless said otherwise. */
  readonly timeoutMs?: number | undefined
  /**
   * `host`: signals are log records of the host's own OpenTelemetry, which sends them; nothing is spooled then. `own`,
   * unless said otherwise: signals go to Belay and nowhere else, whatever OpenTelemetry the host has.
   */
  readonly logs?: "own" | "host" | undefined
  /** Whether tasks, runs and model calls are spans of the host's OpenTelemetry too, if it has one; true unless said otherwise. */
  readonly spans?: boolean | undefined
  /**
   * Decides on actions: `publishedPolicy()` of `@belay/sdk/policy-client` goes by what is published in Belay; `ingestKey`
   * needs the scope `policy:read` then.
   */
  readonly policy?: PolicySource | StartPolicy | undefined
  /** Without a policy; `ask` unless said otherwise. */
  readonly onPolicyUnavailable?: "allow" | "ask" | "deny" | undefined
  /** Asks the person where a policy decides `ask`; without it nobody allows. */
  readonly onPrompt?: OnPrompt | undefined
  /** For tests. */
  readonly clock?: Clock | undefined
}

/** What signals are told to. No call throws, waits or rejects. */
export interface Belay {
  /** The first rung: suggestions while somebody types. */
  readonly autocomplete: {
    /** A suggestion is asked for. */
    suggest(options?: SuggestOptions): Suggestion
  }
  /** The second rung: questions and answers. */
  readonly chat: {
    /** A question is asked. */
    turn(options?: TurnOptions): Turn
  }
  /** The third rung: work that an agent does by itself. */
  readonly agent: {
    /** An agent begins to work. */
    task(options?: TaskOptions): Task
  }
  /** The fourth rung: work that several agents share. */
  readonly orchestration: {
    /** Agents begin to work together. */
    run(options?: RunOptions): Run
  }
  /** A conversation begins, or goes on elsewhere. */
  session(options: SessionOptions): Session
  /** Says more of an operation of this or another process, whenever. What is no token gives an operation of nobody's. */
  resume(token: string): LateOutcomes
  /** Decides on actions by the policy that Belay was started with. */
  readonly policy: Policy
  /** Sends what there is. Never rejects. */
  flush(deadline?: Deadline): Promise<FlushResult>
  /** Sends what there is and keeps the rest for the next start; nothing is taken afterwards. Never rejects. */
  shutdown(deadline?: Deadline): Promise<FlushResult>
  /** How many signals were taken, kept, sent and dropped so far. */
  stats(): PipelineStats
}

const MEMORY_BYTES_MAX = 4 * 1024 * 1024
const DELAY_MS = 2000
const TIMEOUT_MS = 5000
/** At the end of a process nobody waits gladly. */
const END_DEADLINE_MS = 2000

const NOTHING: PipelineStats = {
  emitted: 0,
  spooled: 0,
  sent: 0,
  waiting: 0,
  dropped: { memory: 0, rejected: 0, invalid: 0, shutdown: 0 },
}

/**
 * Starts to take signals and to send them. Never throws: with options that make no sense it says so through
 * OpenTelemetry's `diag` and gives a Belay that does nothing.
 */
export function startBelay(options: BelayOptions): Belay {
  return attempt(
    () => start(options),
    () => noBelay,
  )
}

function start(options: BelayOptions): Belay {
  const { clock = systemClock, surface, repository, spans = true } = options
  const report = createReport(() => clock.elapsed())
  const isHosts = options.logs === "host"
  const pipeline = isHosts ? null : openPipeline(options, clock, report)
  const emit = pipeline === null ? emitToHost(clock) : (fields: SignalFields) => pipeline.emit(fields)
  const deferred = new Set<Promise<unknown>>()
  const core: Core = {
    clock,
    emit,
    tracer: spans ? trace.getTracer(SCOPE_NAME) : null,
    surface,
    repository,
    report,
    defer(work) {
      const settled: Promise<unknown> = work.catch(() => {}).finally(() => deferred.delete(settled))
      deferred.add(settled)
    },
  }
  const end = async (deadline: Deadline | undefined, close: (open: Pipeline) => Promise<FlushResult>) => {
    if (deferred.size > 0)
      await Promise.race([Promise.all(deferred), pause(clock, deadline?.deadlineMs ?? END_DEADLINE_MS)])
    return pipeline === null ? { isComplete: true } : close(pipeline)
  }
  const atEnd = () => void belay.flush({ deadlineMs: END_DEADLINE_MS })
  const atExit = () => pipeline?.saveSync()
  const policy = openPolicySource(options, clock, report)
  const belay: Belay = {
    ...createRungs(core),
    policy: createPolicy(core, {
      source: policy.source,
      onPolicyUnavailable: options.onPolicyUnavailable ?? "ask",
      onPrompt: options.onPrompt ?? null,
    }),
    flush: (deadline) => end(deadline, (open) => open.flush(deadline)).catch(() => ({ isComplete: false })),
    shutdown(deadline) {
      process.off("beforeExit", atEnd)
      policy.close()
      return end(deadline, (open) => open.shutdown(deadline))
        .catch(() => ({ isComplete: false }))
        .finally(() => process.off("exit", atExit))
    },
    stats: () => pipeline?.stats() ?? NOTHING,
  }
  if (pipeline !== null) {
    process.once("beforeExit", atEnd)
    process.once("exit", atExit)
  }
  return belay
}

interface OpenPolicySource {
  readonly source: PolicySource | null
  close(): void
}

/** A policy that cannot be started is none. */
function openPolicySource(options: BelayOptions, clock: Clock, report: (problem: string) => void): OpenPolicySource {
  const { policy, endpoint, ingestKey, user, agent, surface, repository } = options
  const none: OpenPolicySource = { source: null, close: () => {} }
  if (policy === undefined) return none
  if (typeof policy !== "function") return { ...none, source: policy }
  return attempt(
    (): OpenPolicySource => {
      const started = policy({
        endpoint,
        ingestKey,
        user,
        agent,
        surface,
        repository,
        timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
        onPolicyUnavailable: options.onPolicyUnavailable ?? "ask",
        clock,
        report,
      })
      return {
        source: started,
        close: () =>
          attempt(
            () => started.close(),
            () => {},
          ),
      }
    },
    () => none,
  )
}

function openPipeline(options: BelayOptions, clock: Clock, report: (problem: string) => void): Pipeline {
  const { endpoint, ingestKey, agent, user, spool, timeoutMs = TIMEOUT_MS } = options
  const url = `${new URL(endpoint).href.replace(/\/$/, "")}/v1/logs`
  return startPipeline({
    target: { url, headers: { authorization: `Bearer ${ingestKey}` }, timeoutMs },
    resource: { serviceName: agent.name, serviceVersion: agent.version, enduserId: user },
    spool:
      spool === false
        ? null
        : openSpool({
            folder: spool?.folder ?? defaultSpoolFolder({ endpoint, ingestKey }),
            bytesMax: spool?.bytesMax,
            now: () => clock.now(),
          }),
    clock,
    memoryBytesMax: options.memoryBytesMax ?? MEMORY_BYTES_MAX,
    delayMs: options.delayMs ?? DELAY_MS,
    report,
  })
}

/** Into the OpenTelemetry that the host has set up; into nothing when it has none. */
function emitToHost(clock: Clock) {
  return (fields: SignalFields): void =>
    attempt(
      () => {
        const { eventName, attributes } = toRecord(fields, clock.now())
        logs.getLogger(SCOPE_NAME).emit({ eventName, attributes, timestamp: new Date(clock.now()) })
      },
      () => {},
    )
}

/** Of each rung, what begins an operation; an option that cannot be read counts as none. */
function createRungs(
  core: Core,
): Pick<Belay, "autocomplete" | "chat" | "agent" | "orchestration" | "session" | "resume"> {
  const from = <Options extends object, Handle>(begin: (options: Options) => Handle, none: Options) => {
    return (options: Options = none): Handle =>
      attempt(
        () => begin(options),
        () => begin(none),
      )
  }
  const work = { kind: "task", rung: "agent" } as const
  return {
    autocomplete: { suggest: from((options: SuggestOptions) => suggest(core, options), {}) },
    chat: { turn: from((options: TurnOptions) => turn(core, options), {}) },
    agent: { task: from((options: TaskOptions) => new TaskHandle(core, work, options), {}) },
    orchestration: { run: from((options: RunOptions) => run(core, options), {}) },
    session: from<SessionOptions, Session>((options) => openSession(core, options), { rung: "chat" }),
    resume(token) {
      const operation = parseToken(token)
      if (operation !== undefined) return new Late(core, operation)
      core.report("resume was given what is no token")
      return new Late({ ...core, emit: null }, { rung: "chat", operationId: newId(), sessionId: undefined })
    },
  }
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(resolve, ms)
  })
}

const nothing: Core = {
  clock: systemClock,
  emit: null,
  tracer: null,
  surface: undefined,
  repository: undefined,
  report: () => {},
  defer: () => {},
}

/** A Belay that does nothing and costs next to nothing: for a library that is used with and without one. */
export const noBelay: Belay = {
  ...createRungs(nothing),
  policy: createPolicy(nothing, { source: null, onPolicyUnavailable: "ask", onPrompt: null }),
  flush: () => Promise.resolve({ isComplete: true }),
  shutdown: () => Promise.resolve({ isComplete: true }),
  stats: () => NOTHING,
}
