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
