import * as fs from "node:fs"
import path from "node:path"
import { branchDigestOf, toBranchAction } from "../../branch.ts"
import { toId } from "../../names.ts"
import { toToken } from "../../token.ts"
import { replaceFile } from "../state.ts"
import type { HookAction, HookProtocol, HookSignal } from "./hook.ts"
import type { Payload } from "./payload.ts"
import { branchOf, gitFoldersOf, repositoryOf } from "./repository.ts"

/** In the folder that a repository's worktrees share; there where its commits are to say whose work they are. */
export const NOTES_FOLDER = "belay"

/**
 * Notes in a repository whose work is under way there when an agent has edited its files or is about to commit, for the
 * trailer of the commit that comes of it. Does nothing where `belay trailer` did not set that up.
 */
export function noteUnderWay(
  protocol: HookProtocol,
  payload: Payload,
  { now, ...what }: What & { readonly now: number },
): void {
  if (!isUnderWay(what)) return
  const { rung, sessionId, cwd } = protocol.context(payload)
  const operation = protocol.operationId(payload) ?? sessionId
  const folder = cwd ?? protocol.workspace(payload)
  try {
    const git = folder === undefined ? undefined : gitFoldersOf(folder)
    if (git === undefined || operation === undefined) return
    const notes = path.join(git.shared, NOTES_FOLDER)
    if (!fs.existsSync(notes)) return
    const token = toToken({ rung, operationId: toId(operation), sessionId })
    replaceFile(path.join(notes, path.basename(git.own)), `${token} ${Math.floor(now / 1000)}\n`)
  } catch {
    // The commit has no trailer then, and the facts are kept all the same.
  }
}

/**
 * That the session works on the branch that is checked out, when an agent has edited files or is about to commit: what its
 * commits are joined by where no trailer says whose work they are. Of the branch a digest is told.
 */
export async function branchUnderWay(
  protocol: HookProtocol,
  payload: Payload,
  what: What,
): Promise<readonly HookSignal[]> {
  if (!isUnderWay(what)) return []
  const { sessionId, surface, cwd } = protocol.context(payload)
  const folder = cwd ?? protocol.workspace(payload)
  try {
    const git = folder === undefined ? undefined : gitFoldersOf(folder)
    const branch = git === undefined ? undefined : branchOf(git.own)
    const repository = folder === undefined || branch === undefined ? undefined : repositoryOf(folder)
    if (sessionId === undefined || branch === undefined || repository === undefined) return []
    // A millisecond of the process, which other events are spared.
    const { createHash } = await import("node:crypto")
    const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
    const action = toBranchAction(branchDigestOf(sha256, { repository, branch }))
    return [{ kind: "outcome", rung: "agent", surface, sessionId, repository, action }]
  } catch {
    return []
  }
}

interface What {
  readonly action: HookAction | null
  readonly facts: readonly HookSignal[]
}

function isUnderWay({ action, facts }: What): boolean {
  return facts.some(isEdit) || action?.actions.some(isCommit) === true
}

function isEdit({ rung, paths = [] }: HookSignal): boolean {
  return rung !== "autocomplete" && paths.length > 0
}

function isCommit(action: HookAction["actions"][number]): boolean {
  if (action.kind !== "shell") return false
  const command = typeof action.command === "string" ? action.command : action.command.join(" ")
  return /\bgit\b.*\bcommit\b/s.test(command)
}
