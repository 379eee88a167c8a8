import type { AccountRole } from "../db/types.ts"
import { KEY_SCOPES, type KeyScope } from "./key-scopes.ts"

/** What a route or handler can ask of the viewer's role. */
export type Permission =
  | "ladder.read"
  | "digest.read"
  | "views.share"
  | "views.manage"
  | "incidents.read"
  | "incidents.manage"
  | "alerts.read"
  | "alerts.manage"
  | "alert_rules.manage"
  | "policy.read"
  | "decisions.read"
  | "policy.manage"
  | "budgets.read"
  | "connect.read"
  | "keys.manage"
  | "keys.test"
  | "people.manage"
  | "people.break_glass"
  | "settings.manage"
  | "ingest.read"
  | "audit.read"

/** The one table that says which role may do what. A role that is not named may not. */
const ALLOWED: Record<Permission, readonly AccountRole[]> = {
  "ladder.read": ["owner", "admin", "manager", "on-call", "developer"],
  "digest.read": ["owner", "admin", "manager", "on-call"],
  // Of pages with their filters: those that one keeps for the whole organization.
  "views.share": ["owner", "admin", "manager", "on-call"],
  // Of those that others share.
  "views.manage": ["owner", "admin"],
  "incidents.read": ["owner", "admin", "manager", "on-call", "developer"],
  // Of incidents that are not one's own.
  "incidents.manage": ["owner", "admin", "manager", "on-call"],
  "alerts.read": ["owner", "admin", "manager", "on-call"],
  // Of teams those that one may read the figures of.
  "alerts.manage": ["owner", "admin", "manager", "on-call"],
  // What fires, and where it goes.
  "alert_rules.manage": ["owner", "admin"],
  // Of people's own policies only one's own.
  "policy.read": ["owner", "admin", "manager", "on-call", "developer", "auditor"],
  // Of teams those that one may read the figures of.
  "decisions.read": ["owner", "admin", "manager", "on-call", "developer"],
  "policy.manage": ["owner", "admin"],
  // Of teams and the organization; one's own stand on one's own page.
  "budgets.read": ["owner", "admin", "manager", "on-call"],
  "connect.read": ["owner", "admin", "manager", "on-call", "developer", "author"],
  "keys.manage": ["owner", "admin"],
  // Of the keys only those that store nothing.
  "keys.test": ["owner", "admin", "author"],
  "people.manage": ["owner", "admin"],
  "people.break_glass": ["owner"],
  "settings.manage": ["owner", "admin"],
  "ingest.read": ["owner", "admin", "on-call"],
  "audit.read": ["owner", "admin", "auditor"],
}

export function mayDo(role: AccountRole, permission: Permission): boolean {
  return ALLOWED[permission].includes(role)
}

/** The scopes that a role may give to a key; it sees no key that has another. */
export function keyScopesOf(role: AccountRole): readonly KeyScope[] {
  if (mayDo(role, "keys.manage")) return KEY_SCOPES
  return mayDo(role, "keys.test") ? ["test"] : []
}
