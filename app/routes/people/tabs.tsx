import { paths } from "../../lib/paths.ts"
import { Tabs } from "../../ui/tabs.tsx"

const TABS = [
  { name: "People", path: paths.people() },
  { name: "Teams", path: paths.teams() },
  { name: "Identities", path: paths.identities() },
  { name: "Import", path: paths.importPeople() },
]

/** The pages about people. */
export function PeopleTabs() {
  return <Tabs label="About people" tabs={TABS} />
}
