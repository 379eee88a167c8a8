import type { OwnChange } from "#server/outcomes/review-queries.ts"

/** What joins a change to agents' work, and how sure that makes it. The best first. */
export const EVIDENCE_WORDS: Readonly<
  Record<OwnChange["evidence"][number], { readonly label: string; readonly confidence: string }>
> = {
  trailer: { label: "trailer", confidence: "certain" },
  commit_id: { label: "commit id", confidence: "certain" },
  session: { label: "session and branch", confidence: "likely" },
  author_time: { label: "author and time", confidence: "possible" },
}
