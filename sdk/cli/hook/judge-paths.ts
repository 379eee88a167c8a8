import type { PathScope } from "../../ladder.ts"
import { createScopeJudge } from "../../scope.ts"

const STRICTNESS: Record<PathScope, number> = { in_scope: 0, out_of_scope: 1, sensitive: 2 }

/** The worst of where files lie, held against the workspace; undefined when there is none of either. */
export async function judgePaths(
  paths: readonly string[],
  workspace: string | undefined,
): Promise<PathScope | undefined> {
  if (paths.length === 0 || workspace === undefined) return undefined
  const judge = createScopeJudge(workspace, {})
  const scopes = await Promise.all(paths.map((path) => judge.judge(path)))
  let worst: PathScope | undefined
  for (const scope of scopes) {
    if (scope !== undefined && (worst === undefined || STRICTNESS[scope] > STRICTNESS[worst])) worst = scope
  }
  return worst
}
