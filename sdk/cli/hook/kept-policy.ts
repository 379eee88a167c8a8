import { existsSync } from "node:fs"
import { notedAt, readNote, type Unavailable } from "../../policy/note.ts"
import { type Host, policyFilesOf, readSettings } from "../home.ts"

/** What a hook knows of its policy before it loads what decides. */
export interface HookPolicy {
  /** Whether there is a policy on disk, or was one. */
  readonly isKept: boolean
  /** Whether it is time to ask for it again. */
  readonly isStale: boolean
  /** What the last one that was in force says of actions that cannot be decided on; null when there never was one. */
  readonly unavailable: () => Unavailable | null
}

/** Between two times that hooks have the policy asked for. */
export const POLICY_MS_MAX = 60_000

export function readHookPolicy(host: Host): HookPolicy {
  const settings = readSettings(host)
  const files = policyFilesOf(host, settings)
  if (files === null) return { isKept: false, isStale: false, unavailable: () => null }
  const at = notedAt(files)
  return {
    isKept: at > 0 || existsSync(files.policy),
    // One in the future is of a clock that was set back since.
    isStale: (settings.isDeciding === true || at > 0) && Math.abs(host.now() - at) > POLICY_MS_MAX,
    unavailable: () => readNote(files).unavailable,
  }
}
