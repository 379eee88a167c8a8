/**
 * What stands for a branch of a repository, so that its name need not be told: 32 hex digits, equal for the same branch.
 * They say nothing of its name to who does not guess it. `sha256` gives the hex digits of a text's digest.
 */
export function branchDigestOf(
  sha256: (text: string) => string,
  { repository, branch }: { readonly repository: string; readonly branch: string },
): string {
  return sha256(`${repository}\n${branch}`).slice(0, 32)
}

/** The action of a signal that says that a session worked on the branch: `branch 3a…`. */
export function toBranchAction(digest: string): string {
  return `branch ${digest}`
}
