/** Roles as people read them. */
export const ROLE_LABELS: Readonly<Record<string, string>> = {
  owner: "Owner",
  admin: "Admin",
  manager: "Engineering manager",
  "on-call": "On-call",
  developer: "Developer",
  author: "Tool author",
  auditor: "Auditor",
}

/** What each may do, in a sentence. */
export const ROLE_HINTS: Readonly<Record<string, string>> = {
  owner: "everything, and the only one who can open a person's own data, for a reason",
  admin: "policy, keys, people and settings",
  manager: "the figures of the teams they manage",
  "on-call": "latency, incidents and alerts of the whole organization",
  developer: "their own page and the figures of their team",
  author: "test keys and the check of an SDK",
  auditor: "the audit log and the policy history, read-only",
}
