/**
 * A plugin for OpenCode, and for Kilo, which has the same plugins: sessions, the questions that a person is asked and
 * how long they wait, tools, edits, model calls, failures, interruptions, compaction, sub-agents and undone work, as
 * signals of the agent's rung and, where an agent hands on, of orchestration.
 *
 * Where an edited file lies is judged in the process; neither paths nor prompts, commands and results are kept. With the
 * tool's own export of spans to Belay model and tool calls would count twice: use one of the two.
 *
 * @module
 */
import type { Finish, Prompt, Task } from "./agent.ts"
import type { Belay } from "./belay.ts"
import { countReplaced } from "./cli/hook/lines.ts"
import { fieldsOf, listOf, numberOf, type Payload, textOf } from "./cli/hook/payload.ts"
import type { LateOutcomes } from "./late-outcomes.ts"
import type { Run } from "./orchestration.ts"
import { attempt } from "./safety.ts"
import type { Boundary } from "./scope.ts"
import type { Session } from "./session.ts"
import { toShellAction } from "./shell-action.ts"

/** What the plugin can be told. */
export interface OpenCodeOptions {
  /** Where tasks may edit: all of the project unless said otherwise. Secrets and keys are sensitive. */
  readonly boundary?: Boundary | undefined
}

/** What the plugin uses of what OpenCode starts it with. */
export interface OpenCodeProject {
  /** The folder that the agent works in. */
  readonly directory: string
  /** The repository's folder, or `/` when there is none. */
  readonly worktree: string
}

/** The hooks that the plugin has. They change nothing, and never throw or reject. */
export interface OpenCodeHooks {
  /** Told of all that happens: sessions, messages and their parts, questions and answers. */
  event(input: { readonly event: unknown }): Promise<void>
  /** A person's prompt, or what an agent asks of a sub-agent: a task begins. */
  "chat.message"(input: unknown, output: unknown): Promise<void>
  /** A model call begins. */
  "chat.params"(input: unknown): Promise<void>
  /** Another plugin may have answered in the person's place. */
  "permission.ask"(input: unknown, output: unknown): Promise<void>
  /** The tool ends: what there is is sent. */
  dispose(): Promise<void>
}

/** As `@opencode-ai/plugin` has it. */
export type OpenCodePlugin = (project: OpenCodeProject) => Promise<OpenCodeHooks>

/**
 * The plugin: export what this gives from a file in `.opencode/plugin` or `~/.config/opencode/plugin`. `belay` is not
 * shut down by it.
 */
export function belayPlugin(belay: Belay, options: OpenCodeOptions = {}): OpenCodePlugin {
  return ({ directory, worktree }) => {
    const watch = new Watch(belay, { boundary: options.boundary, workspace: worktree === "/" ? directory : worktree })
    const hook = (tell: () => void): Promise<void> => {
      attempt(tell, () => {
        // What cannot be read is not told.
      })
      return Promise.resolve()
    }
    return Promise.resolve({
      event: (input) => hook(() => watch.event(fieldsOf(toPayload(input), "event"))),
      "chat.message": (input, output) => hook(() => watch.prompted(toPayload(input), toPayload(output))),
      "chat.params": (input) => hook(() => watch.called(toPayload(input))),
      "permission.ask": (input, output) => hook(() => watch.decided(toPayload(input), toPayload(output))),
      dispose: async () => {
        await hook(() => watch.end())
        await belay.flush()
      },
    })
  }
}

/** A conversation of OpenCode's. */
interface Conversation {
  readonly id: string
  /** Of the conversation whose agent handed this work on. */
  readonly parentId: string | undefined
  /** Null for a sub-agent's, which is part of another. */
  readonly session: Session | null
  mode: string | undefined
  work: Work | null
  /** What the agent's sub-agents share. */
  run: Run | null
  /** Of work that is over, by the message that asked for it. */
  readonly done: { readonly messageId: string; readonly late: LateOutcomes }[]
  revertedTo: string | undefined
}

/** From a prompt until the agent rests. */
interface Work {
  readonly task: Task
  readonly messageId: string
  readonly questions: Map<string, Question>
  /** By tool call, what the person said. */
  readonly answers: Map<string, "accepted" | "rejected">
  /** Milliseconds that a tool call waited on the person. */
  readonly waits: Map<string, number>
  readonly toolsTold: Set<string>
  /** Answers of the model that are not complete. */
  readonly openMessages: Set<string>
  readonly messagesTold: Set<string>
  call: Call | null
  linesAdded: number
  linesRemoved: number
  readonly files: Set<string>
  isResting: boolean
  end: Pick<Finish, "outcome" | "origin" | "error">
}

interface Question {
  readonly prompt: Prompt
  readonly callId: string | undefined
  readonly askedAt: number
}

interface Call {
  readonly startedAt: number
  firstAt: number | undefined
  /** When the model had asked for its last tool. */
  toolAt: number | undefined
}

/** Calls that OpenCode makes for itself, which are no answer to the person. */
const OWN_AGENTS: ReadonlySet<string> = new Set(["title", "summary"])
const EDIT_TOOLS: ReadonlySet<string> = new Set(["apply_patch", "edit", "multiedit", "patch", "write"])
/** Work of one conversation that can still be undone. */
const DONE_MAX = 100
/** A server of OpenCode's may run for weeks. */
const CONVERSATIONS_MAX = 1000

class Watch {
  readonly #belay: Belay
  readonly #place: { readonly workspace: string; readonly boundary: Boundary | undefined }
  readonly #conversations = new Map<string, Conversation>()

  constructor(belay: Belay, place: { readonly workspace: string; readonly boundary: Boundary | undefined }) {
    this.#belay = belay
    this.#place = place
  }

  event(event: Payload): void {
    const properties = fieldsOf(event, "properties")
    const info = fieldsOf(properties, "info")
    switch (textOf(event, "type") ?? "") {
      case "session.created":
        this.#open(textOf(info, "id"), textOf(info, "parentID"))
        return
      case "session.updated":
        return this.#updated(info)
      case "session.deleted":
        return this.#deleted(textOf(info, "id"))
      case "session.error":
        return this.#failed(this.#workOf(properties), fieldsOf(properties, "error"))
      case "session.idle":
        return this.#rest(textOf(properties, "sessionID"))
      case "session.status":
        if (textOf(fieldsOf(properties, "status"), "type") === "idle") this.#rest(textOf(properties, "sessionID"))
        return
      case "session.compacted":
        return this.#workOf(properties)?.task.compacted()
      case "message.updated":
        if (textOf(info, "role") === "assistant") this.#answered(info)
        return
      case "message.part.updated":
        return this.#part(fieldsOf(properties, "part"))
      case "message.part.delta":
        return this.#firstPart(properties)
      case "permission.asked":
      case "permission.updated":
      case "permission.v2.asked":
        return this.#asked(properties)
      case "permission.replied":
      case "permission.v2.replied":
        return this.#replied(properties)
      default:
    }
  }

  prompted(input: Payload, output: Payload): void {
    const message = fieldsOf(output, "message")
    const conversation = this.#open(textOf(input, "sessionID") ?? textOf(message, "sessionID"), undefined)
    if (conversation === undefined) return
    // What is said while the agent works is part of that work.
    if (conversation.work !== null && !conversation.work.isResting) return
    this.#finish(conversation)
    const mode = textOf(input, "agent") ?? textOf(message, "agent")
    const previous = conversation.mode
    conversation.mode = mode
    const options = { mode, ...this.#place }
    const parent = this.#rootOf(conversation)
    const isHandedOn = parent !== conversation
    if (isHandedOn) parent.run ??= this.#belay.orchestration.run({ mode: parent.mode, sessionId: parent.id })
    const task =
      isHandedOn && parent.run !== null
        ? parent.run.spawn(options)
        : this.#belay.agent.task({ ...options, sessionId: conversation.id })
    conversation.work = {
      task,
      messageId: textOf(message, "id") ?? "",
      questions: new Map(),
      answers: new Map(),
      waits: new Map(),
      toolsTold: new Set(),
      openMessages: new Set(),
      messagesTold: new Set(),
      call: null,
      linesAdded: 0,
      linesRemoved: 0,
      files: new Set(),
      isResting: false,
      end: {},
    }
    if (previous !== undefined && mode !== undefined && previous !== mode) task.modeChanged(mode, "human")
  }

  called(input: Payload): void {
    const work = this.#workOf(input)
    if (work === undefined || OWN_AGENTS.has(textOf(input, "agent") ?? "")) return
    work.call = { startedAt: performance.now(), firstAt: undefined, toolAt: undefined }
  }

  decided(input: Payload, output: Payload): void {
    const status = textOf(output, "status")
    if (status !== "allow" && status !== "deny") return
    const prompt = this.#workOf(input)?.task.prompt(toAction(textOf(input, "type"), fieldsOf(input, "metadata")))
    if (status === "allow") prompt?.allowed("hook")
    else prompt?.denied("hook")
  }

  /** What rests is over, even if its last answer was never said to be complete. */
  end(): void {
    for (const conversation of this.#conversations.values())
      if (conversation.work?.isResting === true) this.#finish(conversation)
  }

  #open(id: string | undefined, parentId: string | undefined): Conversation | undefined {
    if (id === undefined) return undefined
    const known = this.#conversations.get(id)
    if (known !== undefined) return known
    const session = parentId === undefined ? this.#belay.session({ id, rung: "agent" }) : null
    const opened = { id, parentId, session, mode: undefined, work: null, run: null, done: [], revertedTo: undefined }
    this.#conversations.set(id, opened)
    if (this.#conversations.size > CONVERSATIONS_MAX) this.#forgetOldest()
    return opened
  }

  #forgetOldest(): void {
    for (const { id, work } of this.#conversations.values())
      if (work === null) {
        this.#conversations.delete(id)
        return
      }
  }

  #rootOf(conversation: Conversation): Conversation {
    const parent = conversation.parentId === undefined ? undefined : this.#conversations.get(conversation.parentId)
    return parent === undefined ? conversation : this.#rootOf(parent)
  }

  #workOf(properties: Payload): Work | undefined {
    return this.#conversations.get(textOf(properties, "sessionID") ?? "")?.work ?? undefined
  }

  #asked(properties: Payload): void {
    const work = this.#workOf(properties)
    const id = textOf(properties, "id")
    if (work === undefined || id === undefined || work.questions.has(id)) return
    const permission = textOf(properties, "permission") ?? textOf(properties, "action") ?? textOf(properties, "type")
    work.questions.set(id, {
      prompt: work.task.prompt(toAction(permission, fieldsOf(properties, "metadata"))),
      callId: textOf(fieldsOf(properties, "tool"), "callID") ?? textOf(properties, "callID"),
      askedAt: performance.now(),
    })
  }

  #replied(properties: Payload): void {
    const work = this.#workOf(properties)
    const id = textOf(properties, "requestID") ?? textOf(properties, "permissionID") ?? ""
    const question = work?.questions.get(id)
    if (work === undefined || question === undefined) return
    work.questions.delete(id)
    const isRejected = (textOf(properties, "reply") ?? textOf(properties, "response")) === "reject"
    if (isRejected) question.prompt.denied()
    else question.prompt.allowed()
    const { callId, askedAt } = question
    if (callId === undefined) return
    work.answers.set(callId, isRejected ? "rejected" : "accepted")
    work.waits.set(callId, (work.waits.get(callId) ?? 0) + performance.now() - askedAt)
  }

  #part(part: Payload): void {
    const type = textOf(part, "type")
    if (type === "text" || type === "reasoning" || type === "tool") this.#firstPart(part)
    const work = this.#workOf(part)
    if (type !== "tool" || work === undefined) return
    const state = fieldsOf(part, "state")
    const status = textOf(state, "status")
    const callId = textOf(part, "callID") ?? ""
    if (status === "pending" && work.call !== null) work.call.toolAt = performance.now()
    if ((status !== "completed" && status !== "error") || work.toolsTold.has(callId)) return
    work.toolsTold.add(callId)
    this.#ran(work, textOf(part, "tool") ?? "", callId, state)
  }

  #ran(work: Work, tool: string, callId: string, state: Payload): void {
    const answer = work.answers.get(callId)
    const isFailed = textOf(state, "status") === "error"
    const time = fieldsOf(state, "time")
    const [start, end] = [numberOf(time, "start"), numberOf(time, "end")]
    const durationMs =
      start === undefined || end === undefined ? undefined : Math.max(0, end - start - (work.waits.get(callId) ?? 0))
    work.task.tool(toAction(tool, fieldsOf(state, "input")), {
      durationMs,
      error: isFailed ? toToolError(state, answer) : undefined,
    })
    if (!EDIT_TOOLS.has(tool) || (isFailed && answer !== "rejected")) return
    for (const { path, linesAdded, linesRemoved } of readEdits(state)) {
      const decision = answer === undefined ? {} : ({ outcome: answer, origin: "human" } as const)
      work.task.edit({ path, linesAdded, linesRemoved, ...decision })
      if (isFailed) continue
      work.files.add(path)
      work.linesAdded += linesAdded ?? 0
      work.linesRemoved += linesRemoved ?? 0
    }
  }

  #firstPart(part: Payload): void {
    const work = this.#workOf(part)
    if (work === undefined || work.call === null) return
    if (work.openMessages.has(textOf(part, "messageID") ?? "")) work.call.firstAt ??= performance.now()
  }

  /** An answer of a model began, went on, or is complete: one of these is one call. */
  #answered(info: Payload): void {
    const id = textOf(info, "id")
    const work = this.#workOf(info)
    if (id === undefined || work === undefined || work.messagesTold.has(id)) return
    const mode = textOf(info, "mode")
    const conversation = this.#conversations.get(textOf(info, "sessionID") ?? "")
    if (
      conversation?.mode !== undefined &&
      mode !== undefined &&
      info["summary"] !== true &&
      mode !== conversation.mode
    ) {
      conversation.mode = mode
      work.task.modeChanged(mode, "unknown")
    }
    if (numberOf(fieldsOf(info, "time"), "completed") === undefined) {
      work.openMessages.add(id)
      return
    }
    work.openMessages.delete(id)
    work.messagesTold.add(id)
    this.#tellCall(work, info)
    if (work.isResting && work.openMessages.size === 0 && conversation !== undefined) this.#finish(conversation)
  }

  #tellCall(work: Work, info: Payload): void {
    const tokens = fieldsOf(info, "tokens")
    const cache = fieldsOf(tokens, "cache")
    const count = (fields: Payload, name: string) => numberOf(fields, name) ?? 0
    const { call } = work
    work.call = null
    const error = toErrorClass(fieldsOf(info, "error"))
    // Of an answer that never came, OpenCode counts nothing.
    const isCounted = error === undefined || count(tokens, "output") > 0
    work.task.model({
      model: textOf(info, "modelID") ?? "",
      provider: textOf(info, "providerID"),
      firstTokenMs: call?.firstAt === undefined ? undefined : call.firstAt - call.startedAt,
      // A tool runs within the answer that asks for it.
      durationMs: call === null ? undefined : (call.toolAt ?? performance.now()) - call.startedAt,
      ...(isCounted && {
        inputTokens: count(tokens, "input") + count(cache, "read") + count(cache, "write"),
        outputTokens: count(tokens, "output") + count(tokens, "reasoning"),
        cachedTokens: count(cache, "read"),
        costUsd: numberOf(info, "cost"),
      }),
      error,
    })
  }

  #failed(work: Work | undefined, error: Payload): void {
    if (work === undefined) return
    const kind = toErrorClass(error) ?? "other"
    if (kind !== "aborted") {
      work.end = { outcome: "failed", origin: "unknown", error: kind }
      return
    }
    if (work.end.outcome === "abandoned") return
    work.end = { outcome: "abandoned", origin: "human" }
    work.task.interrupted()
  }

  /** The agent rests; how its last answer failed may be told right after. */
  #rest(id: string | undefined): void {
    const conversation = this.#conversations.get(id ?? "")
    const work = conversation?.work
    if (conversation === undefined || work === undefined || work === null) return
    if (work.openMessages.size === 0) this.#finish(conversation)
    else work.isResting = true
  }

  #finish(conversation: Conversation): void {
    const { work, run } = conversation
    conversation.work = null
    conversation.run = null
    for (const other of this.#conversations.values()) {
      if (other !== conversation && other.work !== null && this.#rootOf(other) === conversation) this.#finish(other)
    }
    if (work === null) return
    for (const { prompt } of work.questions.values()) prompt.dismissed()
    const { linesAdded, linesRemoved, files } = work
    const diff = files.size === 0 ? undefined : { linesAdded, linesRemoved, filesChanged: files.size }
    const late = work.task.finish({ ...work.end, diff })
    run?.finish(work.end)
    conversation.done.push({ messageId: work.messageId, late })
    if (conversation.done.length > DONE_MAX) conversation.done.shift()
  }

  /** The person may have undone what came of a message and those after it. */
  #updated(info: Payload): void {
    const conversation = this.#conversations.get(textOf(info, "id") ?? "")
    if (conversation === undefined) return
    const messageId = textOf(fieldsOf(info, "revert"), "messageID")
    const before = conversation.revertedTo
    conversation.revertedTo = messageId
    if (messageId === undefined || messageId === before) return
    // Ids of messages sort by time.
    for (const { messageId: asked, late } of conversation.done) {
      if (asked >= messageId && (before === undefined || asked < before)) late.reverted()
    }
  }

  #deleted(id: string | undefined): void {
    const conversation = this.#conversations.get(id ?? "")
    if (conversation === undefined) return
    this.#finish(conversation)
    conversation.session?.ended()
    this.#conversations.delete(conversation.id)
  }
}

/** The program of a shell command, else the tool or permission. */
function toAction(name: string | undefined, input: Payload): string {
  return toShellAction(textOf(input, "command")) ?? name ?? "unknown"
}

function toToolError(state: Payload, answer: "accepted" | "rejected" | undefined): string {
  if (answer === "rejected") return "rejected"
  const isAborted = fieldsOf(state, "metadata")["interrupted"] === true || state["error"] === "Tool execution aborted"
  return isAborted ? "interrupted" : "other"
}

/** A class of failure without a word of its message; undefined when there is none. */
function toErrorClass(error: Payload): string | undefined {
  const name = textOf(error, "name")
  if (name === "MessageAbortedError") return "aborted"
  const status = numberOf(fieldsOf(error, "data"), "statusCode")
  return status === undefined ? name : `http_${status}`
}

interface FileEdit {
  readonly path: string
  readonly linesAdded: number | undefined
  readonly linesRemoved: number | undefined
}

/** The files of an edit and how many lines changed in each, as far as the tool says so. */
function readEdits(state: Payload): readonly FileEdit[] {
  const [input, metadata] = [fieldsOf(state, "input"), fieldsOf(state, "metadata")]
  const diffs = [
    fieldsOf(metadata, "filediff"),
    ...listOf(metadata, "files"),
    ...listOf(metadata, "results").map((result) => fieldsOf(result, "filediff")),
  ]
  const known = diffs.flatMap((diff): readonly FileEdit[] => {
    const path = textOf(diff, "movePath") ?? textOf(diff, "filePath") ?? textOf(diff, "file")
    if (path === undefined) return []
    return [{ path, linesAdded: numberOf(diff, "additions"), linesRemoved: numberOf(diff, "deletions") }]
  })
  if (known.length > 0) return known
  const path = textOf(metadata, "filepath") ?? textOf(input, "filePath")
  if (path === undefined) return []
  const content = textOf(input, "content")
  // Of a file that was there before, how much is new is not said.
  const isNew = content !== undefined && metadata["exists"] === false
  return [{ path, linesAdded: isNew ? countReplaced("", content).linesAdded : undefined, linesRemoved: undefined }]
}

function toPayload(value: unknown): Payload {
  return typeof value === "object" && value !== null ? (value as Payload) : {}
}
