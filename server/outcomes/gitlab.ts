import { z } from "zod"
import { operationsIn, revertsIn } from "#sdk/commit-message.ts"
import {
  authorOf,
  branchDigest,
  type ChangeEvent,
  countKinds,
  createReduce,
  reading,
  toNumbers,
  toTime,
  toTimeOrNull,
} from "./events.ts"

/**
 * GitLab's webhooks as change events. Written after "Webhook events" of GitLab's documentation; only the fields named
 * here are read, so that nothing else of a payload goes further.
 */

const text = z.string().nullish()
const project = z.object({ path_with_namespace: z.string(), default_branch: text })
const paths = z.array(z.string()).nullish()

const mergeRequest = z.object({
  iid: z.number(),
  action: text,
  state: text,
  description: text,
  created_at: z.string(),
  updated_at: z.string(),
  merged_at: text,
  closed_at: text,
  merge_commit_sha: text,
  squash_commit_sha: text,
  source_branch: z.string(),
  source: z.object({ path_with_namespace: text }).nullish(),
  last_commit: z.object({ id: z.string() }).nullish(),
  diff_stats: z.object({ additions: z.number().nullish(), deletions: z.number().nullish() }).nullish(),
})

export const reduceGitlab = createReduce({
  "Merge Request Hook": reading(z.object({ project, object_attributes: mergeRequest }), (payload) => {
    const { path_with_namespace: repository } = payload.project
    const { object_attributes: merge } = payload
    const { action, iid, updated_at } = merge
    const description = merge.description ?? ""
    // Older versions do not say when that was; of several such the first counts.
    const mergedAt = merge.state === "merged" || action === "merge" ? (merge.merged_at ?? updated_at) : null
    const closedAt = mergedAt ?? (merge.state === "closed" ? (merge.closed_at ?? updated_at) : null)
    const state: ChangeEvent = {
      kind: "state",
      repository,
      number: iid,
      at: toTime(updated_at),
      openedAt: toTime(merge.created_at),
      closedAt: closedAt === null ? null : toTime(closedAt),
      mergedAt: mergedAt === null ? null : toTime(mergedAt),
      // Of a fork, whose branches may be called as those here are.
      branch: branchDigest(merge.source?.path_with_namespace ?? repository, merge.source_branch),
      headCommit: merge.last_commit?.id ?? null,
      mergeCommit: mergedAt === null ? null : (merge.merge_commit_sha ?? merge.squash_commit_sha ?? null),
      linesAdded: merge.diff_stats?.additions ?? null,
      linesRemoved: merge.diff_stats?.deletions ?? null,
      filesChanged: null,
      operations: operationsIn(description),
      // What its button "Revert" writes.
      revertsNumbers: toNumbers(
        [...description.matchAll(/\bThis reverts merge request !(\d+)\b/gi)].map(([, found = ""]) => found),
      ),
      reverts: revertsIn(description),
    }
    if (action !== "approved" && action !== "approval") return [state]
    return [state, { kind: "review", repository, number: iid, at: toTime(updated_at), verdict: "approved" }]
  }),

  // A comment on a merge request by somebody other than its author is a review of it.
  "Note Hook": reading(
    z.object({
      project,
      object_attributes: z.object({
        noteable_type: text,
        author_id: z.number().nullish(),
        created_at: z.string(),
        system: z.boolean().nullish(),
      }),
      merge_request: z.object({ iid: z.number(), author_id: z.number().nullish() }).nullish(),
    }),
    ({ project: { path_with_namespace: repository }, object_attributes: note, merge_request: merge }) => {
      if (note.noteable_type !== "MergeRequest" || merge == null || note.system === true) return []
      if (note.author_id == null || note.author_id === merge.author_id) return []
      return [{ kind: "review", repository, number: merge.iid, at: toTime(note.created_at), verdict: "commented" }]
    },
  ),

  "Push Hook": reading(
    z.object({
      ref: z.string(),
      project,
      commits: z.array(
        z.object({
          id: z.string(),
          message: z.string(),
          timestamp: z.string(),
          author: z.object({ email: text }).nullish(),
          added: paths,
          modified: paths,
          removed: paths,
        }),
      ),
    }),
    ({ ref, project: { path_with_namespace: repository, default_branch }, commits }, identify) => {
      const branch = ref.replace(/^refs\/heads\//, "")
      return commits.map(({ id, message, timestamp, author, added, modified, removed }) => ({
        kind: "commit",
        repository,
        commitId: id,
        at: toTime(timestamp),
        madeAt: toTimeOrNull(timestamp),
        author: authorOf(author, identify),
        branch: branchDigest(repository, branch),
        isDefault: branch === default_branch,
        operations: operationsIn(message),
        reverts: revertsIn(message),
        files: countKinds([added, modified, removed].flatMap((list) => list ?? [])),
      }))
    },
  ),

  "Pipeline Hook": reading(
    z.object({
      project,
      object_attributes: z.object({ sha: z.string(), status: z.string(), finished_at: text }),
    }),
    ({ project: { path_with_namespace: repository }, object_attributes: { sha, status, finished_at } }) => {
      if (finished_at == null) return []
      const conclusion = status === "success" ? "passed" : status === "failed" ? "failed" : "other"
      return [{ kind: "check", repository, commitId: sha, at: toTime(finished_at), conclusion }]
    },
  ),

  "Deployment Hook": reading(
    z.object({
      project,
      status: z.string(),
      status_changed_at: text,
      environment: text,
      environment_tier: text,
      commit_url: text,
    }),
    ({ project: { path_with_namespace: repository }, status, status_changed_at, ...deployment }) => {
      // The whole id is in the commit's address only.
      const commitId = /\/commit\/([0-9a-f]{40,64})$/.exec(deployment.commit_url ?? "")?.[1]
      if (status !== "success" || status_changed_at == null || commitId === undefined) return []
      const tier = deployment.environment_tier ?? deployment.environment ?? ""
      return [
        { kind: "deployment", repository, commitId, at: toTime(status_changed_at), isProduction: /^prod/i.test(tier) },
      ]
    },
  ),
})
