import type { PathScope } from "../../ladder.ts"
import { judgeScopeSync } from "../../scope.ts"

const STRICTNESS: Record<PathScope, number> = { in_scope: 0, out_of_scope: 1, sensitive: 2 }

/** The worst of where files lie, held against the workspace; undefined when there is none of either. */
export function judgePaths(paths: readonly string[], workspace: string | undefined): PathScope | undefined {
  if (workspace === undefined) return undefined
  let worst: PathScope | undefined
  for (const path of paths) {
    const scope = judgeScopeSync(path, workspace)
    if (scope !== undefined && (worst === undefined || STRICTNESS[scope] > STRICTNESS[worst])) worst = scope
  }
  return worst
}
