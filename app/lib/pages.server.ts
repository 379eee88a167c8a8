import type { AccountRole } from "#server/db/types.ts"
import { mayDo, type Permission } from "#server/team/roles.ts"
import { paths } from "./paths.ts"

export type PageName =
  | "Ladder"
  | "Usage"
  | "Latency"
  | "Outcomes"
  | "Incidents"
  | "Alerts"
  | "Policy"
  | "Decisions"
  | "Me"
  | "Connect"
  | "Keys"
  | "People"
  | "Audit"
  | "Settings"

const PAGES: readonly {
  readonly name: PageName
  readonly path: string
  readonly permission: Permission | "signed_in"
}[] = [
  { name: "Ladder", path: paths.ladder(), permission: "ladder.read" },
  { name: "Usage", path: paths.usage(), permission: "ladder.read" },
  { name: "Latency", path: paths.latency(), permission: "ladder.read" },
  { name: "Outcomes", path: paths.outcomes(), permission: "ladder.read" },
  { name: "Incidents", path: paths.incidents(), permission: "incidents.read" },
  { name: "Alerts", path: paths.alerts(), permission: "alerts.read" },
  { name: "Connect", path: paths.connect(), permission: "connect.read" },
  { name: "Keys", path: paths.keys(), permission: "keys.test" },
  { name: "People", path: paths.people(), permission: "people.manage" },
  { name: "Audit", path: paths.audit(), permission: "audit.read" },
  { name: "Policy", path: paths.policies(), permission: "policy.read" },
  { name: "Decisions", path: paths.decisions(), permission: "decisions.read" },
  { name: "Settings", path: paths.settings(), permission: "settings.manage" },
  // For whoever may see how Belay does and change nothing.
  { name: "Settings", path: paths.ingestStatus(), permission: "ingest.read" },
  { name: "Me", path: paths.me(), permission: "signed_in" },
]

/** The pages of a role, the one it starts on first. */
export function listPages(role: AccountRole) {
  const allowed = PAGES.filter(({ permission }) => permission === "signed_in" || mayDo(role, permission))
  return allowed
    .filter((page, index) => allowed.findIndex(({ name }) => name === page.name) === index)
    .map(({ name, path }) => ({ name, path }))
}

/** Pages that stand under another one in the rail. */
const PLACES: readonly {
  readonly name: string
  readonly path: string
  readonly permission: Permission | "signed_in"
}[] = [
  { name: "Alert rules", path: paths.alertRules(), permission: "alerts.read" },
  { name: "Alert channels", path: paths.alertChannels(), permission: "alerts.read" },
  { name: "Policy exceptions", path: paths.policyExceptions(), permission: "policy.read" },
  { name: "Policy budgets", path: paths.policyBudgets(), permission: "budgets.read" },
  { name: "Policy clients", path: paths.policyClients(), permission: "policy.manage" },
  { name: "Policy in agent tools' own files", path: paths.policyNative(), permission: "policy.manage" },
  { name: "Policy suggestions", path: paths.policySuggestions(), permission: "policy.manage" },
  { name: "Teams", path: paths.teams(), permission: "people.manage" },
  { name: "Identities", path: paths.identities(), permission: "people.manage" },
  { name: "Import people", path: paths.importPeople(), permission: "people.manage" },
  { name: "Storage", path: paths.storage(), permission: "settings.manage" },
  { name: "Prices", path: paths.prices(), permission: "settings.manage" },
  { name: "Code hosts", path: paths.webhooks(), permission: "settings.manage" },
  { name: "Ingest status", path: paths.ingestStatus(), permission: "ingest.read" },
  { name: "Weekly digest", path: paths.digest(), permission: "digest.read" },
  { name: "Saved views", path: paths.views(), permission: "ladder.read" },
  { name: "Glossary", path: paths.glossary(), permission: "signed_in" },
  { name: "Your account", path: paths.account(), permission: "signed_in" },
]

/** Every page that a role can go to by name, those of the rail first. */
export function listPlaces(role: AccountRole) {
  const places = PLACES.filter(({ permission }) => permission === "signed_in" || mayDo(role, permission))
  return [...listPages(role), ...places.map(({ name, path }) => ({ name, path }))]
}
