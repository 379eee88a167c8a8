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
 * GitHub's webhooks as change events. Written after "Webhook events and payloads" of GitHub's documentation; only the
 * fields named here are read, so that nothing else of a payload goes further.
 */

const text = z.string().nullish()
const commit = z.string()
const repository = z.object({
  full_name: z.string(),
  default_branch: text,
  pushed_at: z.union([z.number(), z.string()]).nullish(),
})

const pullRequest = z.object({
  number: z.number(),
  body: text,
  created_at: z.string(),
  updated_at: z.string(),
  closed_at: text,
  merged_at: text,
  merge_commit_sha: text,
  head: z.object({ ref: z.string(), sha: commit, repo: z.object({ full_name: z.string() }).nullish() }),
  additions: z.number().nullish(),
  deletions: z.number().nullish(),
  changed_files: z.number().nullish(),
})

const paths = z.array(z.string()).nullish()
const pushSchema = z.object({
  ref: z.string(),
  deleted: z.boolean().nullish(),
  repository,
  commits: z.array(
    z.object({
      id: commit,
      message: z.string(),
      timestamp: z.string(),
      author: z.object({ email: text }).nullish(),
      added: paths,
      modified: paths,
      removed: paths,
    }),
  ),
})

export const reduceGithub = createReduce({
  pull_request: reading(z.object({ repository, pull_request: pullRequest }), (payload) => [toState(payload)]),

  pull_request_review: reading(
    z.object({
      action: z.string(),
      repository,
      pull_request: pullRequest.pick({ number: true }),
      review: z.object({ state: z.string(), submitted_at: text }),
    }),
    ({ action, repository: { full_name }, pull_request, review }) => {
      const verdict = VERDICTS.get(review.state.toLowerCase())
      if (action !== "submitted" || verdict === undefined || review.submitted_at == null) return []
      const { number } = pull_request
      return [{ kind: "review", repository: full_name, number, at: toTime(review.submitted_at), verdict }]
    },
  ),

  push: reading(pushSchema, ({ ref, repository: { full_name, default_branch, pushed_at }, commits }, identify) => {
    if (!ref.startsWith("refs/heads/")) return []
    const branch = ref.slice("refs/heads/".length)
    return commits.map(({ id, message, timestamp, author, added, modified, removed }) => ({
      kind: "commit",
      repository: full_name,
      commitId: id,
      // A push itself has no time; the repository says when it was last pushed to.
      at: toTime(pushed_at ?? timestamp),
      madeAt: toTimeOrNull(timestamp),
      author: authorOf(author, identify),
      branch: branchDigest(full_name, branch),
      isDefault: branch === default_branch,
      operations: operationsIn(message),
      reverts: revertsIn(message),
      files: countKinds([added, modified, removed].flatMap((list) => list ?? [])),
    }))
  }),

  check_run: reading(
    z.object({
      repository,
      check_run: z.object({ head_sha: commit, status: z.string(), conclusion: text, completed_at: text }),
    }),
    ({ repository, check_run }) => toCheck(repository.full_name, check_run, check_run.completed_at),
  ),

  check_suite: reading(
    z.object({
      repository,
      check_suite: z.object({ head_sha: commit, status: text, conclusion: text, updated_at: text }),
    }),
    ({ repository, check_suite }) => toCheck(repository.full_name, check_suite, check_suite.updated_at),
  ),

  workflow_run: reading(
    z.object({
      repository,
      workflow_run: z.object({ head_sha: commit, status: text, conclusion: text, updated_at: text }),
    }),
    ({ repository, workflow_run }) => toCheck(repository.full_name, workflow_run, workflow_run.updated_at),
  ),

  deployment_status: reading(
    z.object({
      repository,
      deployment: z.object({ sha: commit, environment: text, production_environment: z.boolean().nullish() }),
      deployment_status: z.object({ state: z.string(), updated_at: z.string() }),
    }),
    ({ repository, deployment, deployment_status }) => {
      if (deployment_status.state !== "success") return []
      return [
        {
          kind: "deployment",
          repository: repository.full_name,
          commitId: deployment.sha,
          at: toTime(deployment_status.updated_at),
          isProduction: deployment.production_environment ?? /^prod/i.test(deployment.environment ?? ""),
        },
      ]
    },
  ),
})

function toState(payload: {
  repository: z.infer<typeof repository>
  pull_request: z.infer<typeof pullRequest>
}): ChangeEvent {
  const { full_name } = payload.repository
  const { pull_request: pull } = payload
  const body = pull.body ?? ""
  const mergedAt = pull.merged_at == null ? null : toTime(pull.merged_at)
  return {
    kind: "state",
    repository: full_name,
    number: pull.number,
    at: toTime(pull.updated_at),
    openedAt: toTime(pull.created_at),
    closedAt: pull.closed_at == null ? null : toTime(pull.closed_at),
    mergedAt,
    // Of a fork, whose branches may be called as those here are.
    branch: branchDigest(pull.head.repo?.full_name ?? full_name, pull.head.ref),
    headCommit: pull.head.sha,
    // Before that it is a merge that GitHub tries out.
    mergeCommit: mergedAt === null ? null : (pull.merge_commit_sha ?? null),
    linesAdded: pull.additions ?? null,
    linesRemoved: pull.deletions ?? null,
    filesChanged: pull.changed_files ?? null,
    operations: operationsIn(body),
    // What its button "Revert" writes.
    revertsNumbers: toNumbers(
      [...body.matchAll(/\bReverts ([\w.-]+\/[\w.-]+)#(\d+)\b/gi)].flatMap(([, of = "", found = ""]) =>
        of.toLowerCase() === full_name.toLowerCase() ? [found] : [],
      ),
    ),
    reverts: revertsIn(body),
  }
}

const VERDICTS = new Map([
  ["approved", "approved" as const],
  ["changes_requested", "changes_requested" as const],
  ["commented", "commented" as const],
])

const FAILED: ReadonlySet<string> = new Set(["failure", "timed_out", "startup_failure"])

function toCheck(
  fullName: string,
  check: { head_sha: string; status?: string | null | undefined; conclusion?: string | null | undefined },
  at: string | null | undefined,
): readonly ChangeEvent[] {
  if (check.status !== "completed" || check.conclusion == null || at == null) return []
  const conclusion = check.conclusion === "success" ? "passed" : FAILED.has(check.conclusion) ? "failed" : "other"
  return [{ kind: "check", repository: fullName, commitId: check.head_sha, at: toTime(at), conclusion }]
}
