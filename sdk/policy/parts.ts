/** What an action comes to: every part of it that rules are tried on, in order. */
import type { AgentAction, PolicyContext, ShellAction } from "./action.ts"
import { createMemo, lazily, type Memo } from "./memo.ts"
import { type PathProbe, toWrittenPath, type WrittenPath } from "./paths.ts"
import type { Judging } from "./rule-set.ts"
import { type Doubt, readScript } from "./script.ts"
import { type ShellCommand, toShellCommand } from "./shell-pattern.ts"
import { type NameProbe, toAgentNames, toMcpNames, toWebProbe, type WebProbe } from "./targets.ts"
import type { RuleAction } from "./vocabulary.ts"
import { isPartlyUnknown } from "./wildcard.ts"

/** What rules on each kind of action are tried on. */
export interface Probes {
  readonly shell: ShellCommand
  readonly edit: PathProbe
  readonly read: PathProbe
  readonly web: WebProbe
  readonly mcp: NameProbe
  readonly subagent: NameProbe
  readonly model: NameProbe
}

/** Kinds of action that are on a text or a name, rather than on a path. */
export type NamedKind = Exclude<RuleAction, "edit" | "read">

/** A part that rules of one kind are tried on. */
export type NamedPart<Kind extends NamedKind = NamedKind> = {
  [Each in Kind]: {
    readonly kind: Each
    readonly probe: Probes[Each]
    /** What is shown of it. */
    readonly subject: () => string
    readonly judging: Judging
  }
}[Kind]

/** A file or folder, whose links are followed each time that it is decided on. */
export interface PathPart {
  readonly kind: "edit" | "read"
  /** Found out where a policy says something of paths. */
  readonly path: () => WrittenPath
  readonly judging: Judging
}

/** An action taken apart. */
export interface ActionParts {
  readonly parts: readonly (NamedPart | PathPart)[]
  /** What about a shell command cannot be seen. */
  readonly doubts: readonly Doubt[]
}

/** Any action but a call of a model, whose names are the policy's to know. */
export type PartedAction = Exclude<AgentAction, { readonly kind: "model" }>

/** The folders that the parts of an action depend on. */
type Folders = Pick<PolicyContext, "workspace" | "home">

interface Remembered {
  readonly action: PartedAction
  readonly workspace: string | undefined
  readonly home: string | undefined
  readonly parts: ActionParts
}

/** Actions of each kind that are remembered. An agent does the same few hundred things again and again. */
const REMEMBERED_MAX = 1000
/** Longer texts are not remembered: they hardly come twice, and would be kept in full. */
const MAX_KEY_LENGTH = 2000
const remembered: { readonly [Kind in PartedAction["kind"]]: Memo<string, Remembered> } = {
  shell: createMemo(REMEMBERED_MAX),
  edit: createMemo(REMEMBERED_MAX),
  read: createMemo(REMEMBERED_MAX),
  web: createMemo(REMEMBERED_MAX),
  mcp: createMemo(REMEMBERED_MAX),
  subagent: createMemo(REMEMBERED_MAX),
}

/** Takes an action apart, as `toParts` does; what was taken apart before is the same object again. */
export function partsOf(action: PartedAction, context: Folders): ActionParts {
  const { workspace, home } = context
  const key = keyOf(action)
  if (key === null || key.length > MAX_KEY_LENGTH) return toParts(action, context)
  const known = remembered[action.kind].get(key)
  if (
    known !== undefined &&
    known.workspace === workspace &&
    known.home === home &&
    (known.action === action || isSame(known.action, action))
  ) {
    return known.parts
  }
  const parts = toParts(action, context)
  remembered[action.kind].set(key, { action, workspace, home, parts })
  return parts
}

/** What an action is remembered by, with `isSame` for the rest; null for what is not. */
function keyOf(action: PartedAction): string | null {
  switch (action.kind) {
    case "shell":
      return typeof action.command === "string" ? action.command : null
    case "edit":
    case "read":
      return action.path
    case "web":
      return action.url
    case "mcp":
      return `${action.server}/${action.tool}`
    case "subagent":
      return action.name
  }
}

function isSame(a: PartedAction, b: PartedAction): boolean {
  if (a.kind === "shell") return b.kind === "shell" && a.cwd === b.cwd
  if (a.kind !== "mcp" || b.kind !== "mcp") return true
  const words = a.command ?? []
  return (
    a.server === b.server &&
    a.url === b.url &&
    words.length === (b.command?.length ?? 0) &&
    words.every((word, at) => word === b.command?.[at])
  )
}

/** How a part is judged that is an action of its own. */
export const WHOLE: Judging = { needsAllow: true, isDoubtful: false }
/** How a part is judged that another part speaks for as well. */
const ASIDE: Judging = { needsAllow: false, isDoubtful: false }
const NO_DOUBTS: readonly Doubt[] = []

/** Takes an action apart. Pure; never throws. */
export function toParts(action: PartedAction, folders: Folders): ActionParts {
  switch (action.kind) {
    case "shell":
      return scriptParts(action, folders)
    case "edit":
    case "read":
      return alone({ kind: action.kind, path: lazily(() => toWrittenPath(action.path, folders)), judging: WHOLE })
    case "web":
      return alone(webPart(action.url, WHOLE, folders))
    case "mcp": {
      const subject = (): string => `${action.server}/${action.tool}`
      return alone({ kind: "mcp", probe: { names: toMcpNames(action) }, subject, judging: WHOLE })
    }
    case "subagent":
      return alone({
        kind: "subagent",
        probe: { names: toAgentNames(action.name) },
        subject: () => action.name,
        judging: WHOLE,
      })
  }
}

function alone(part: NamedPart | PathPart): ActionParts {
  return { parts: [part], doubts: NO_DOUBTS }
}

function webPart(url: string, judging: Judging, folders: Folders): NamedPart | PathPart {
  // A file by another name.
  if (/^file:/i.test(url)) {
    const path = URL.canParse(url) ? decodedPath(new URL(url).pathname) : null
    return { kind: "read", path: lazily(() => toWrittenPath(path ?? "/", folders)), judging }
  }
  return { kind: "web", probe: toWebProbe(url), subject: () => url, judging }
}

function decodedPath(path: string): string | null {
  try {
    return decodeURIComponent(path)
  } catch {
    return null
  }
}

function scriptParts({ command, cwd }: ShellAction, folders: Folders): ActionParts {
  const script = readScript(command, { home: folders.home, cwd: cwd ?? folders.workspace })
  const parts: (NamedPart | PathPart)[] = []
  for (const part of script.parts) {
    if (part.kind === "web") {
      parts.push(webPart(part.url, ASIDE, folders))
    } else if (part.kind === "command") {
      const { words } = part
      const subject = (): string => words.map(({ text }) => (isPartlyUnknown(text) ? "…" : text)).join(" ")
      const judging = part.needsAllow ? WHOLE : ASIDE
      parts.push({ kind: "shell", probe: toShellCommand(words), subject, judging })
    } else {
      const { access, path, needsAllow, isDoubtful, isTree } = part
      const judging = { needsAllow, isDoubtful }
      for (const folder of part.folders) {
        const written = lazily(() => toWrittenPath(path, folders, folderOf(folder, cwd, folders), isTree))
        parts.push({ kind: access, path: written, judging })
      }
    }
  }
  return { parts, doubts: script.doubts.size === 0 ? NO_DOUBTS : [...script.doubts] }
}

/** The folder that a path in a script is relative to; undefined for the workspace. */
function folderOf(folder: string | undefined, cwd: string | undefined, { workspace }: Folders): string | undefined {
  if (folder === undefined) return cwd
  if (/^[./]\//.test(folder) && folder.startsWith(".")) return `${cwd ?? workspace ?? ""}/${folder}`
  return folder
}
