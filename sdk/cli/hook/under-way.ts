import * as fs from "node:fs"
import path from "node:path"
import { branchDigestOf, toBranchAction } from "../../branch.ts"
import { toId } from "../../names.ts"
import { toToken } from "../../token.ts"
import { replaceFile } from "../state.ts"
import type { HookAction, HookProtocol, HookSignal } from "./hook.ts"
import type { Payload } from "./payload.ts"
import { branchOf, gitFoldersOf, readRepository } from "./repository.ts"

/** In the folder that a repository's worktrees share; there where its commits are to say whose work they are. */
export const NOTES_FOLDER = "belay"

/**
 * Notes in a repository whose work is under way there when an agent has edited its files or is about to commit, for the
 * trailer of the commit that comes of it, where `belay trailer` set that up. Gives the fact that the session works on the
 * branch that is checked out, by which commits without a trailer are joined to its work: of the branch a digest is told.
 */
export async function noteUnderWay(
  protocol: HookProtocol,
  payload: Payload,
  { action, facts, now }: { action: HookAction | null; facts: readonly HookSignal[]; now: number },
): Promise<readonly HookSignal[]> {
  if (!facts.some(isEdit) && action?.actions.some(isCommit) !== true) return []
  const { rung, sessionId, cwd } = protocol.context(payload)
  const operation = protocol.operationId(payload) ?? sessionId
  const folder = cwd ?? protocol.workspace(payload)
  try {
    const git = folder === undefined ? undefined : gitFoldersOf(folder)
    if (git === undefined || operation === undefined) return []
    const notes = path.join(git.shared, NOTES_FOLDER)
    if (fs.existsSync(notes)) {
      const token = toToken({ rung, operationId: toId(operation), sessionId })
      replaceFile(path.join(notes, path.basename(git.own)), `${token} ${Math.floor(now / 1000)}\n`)
    }
    const [branch, repository] = [branchOf(git.own), readRepository(git.shared)]
    if (sessionId === undefined || branch === undefined || repository === undefined) return []
    // A millisecond of the process, which other events are spared.
    const { hash } = await import("node:crypto")
    const digest = branchDigestOf((text) => hash("sha256", text), { repository, branch })
    return [{ kind: "outcome", rung: "agent", sessionId, repository, action: toBranchAction(digest) }]
  } catch {
    // The commit has no trailer then, and the facts are kept all the same.
    return []
  }
}

function isEdit({ rung, paths = [] }: HookSignal): boolean {
  return rung !== "autocomplete" && paths.length > 0
}

function isCommit(action: HookAction["actions"][number]): boolean {
  if (action.kind !== "shell") return false
  const command = typeof action.command === "string" ? action.command : action.command.join(" ")
  return /\bgit\b.*\bcommit\b/s.test(command)
}
