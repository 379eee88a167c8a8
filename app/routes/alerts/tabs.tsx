import { paths } from "../../lib/paths.ts"
import { Tabs } from "../../ui/tabs.tsx"

const TABS = [
  { name: "Alerts", path: paths.alerts() },
  { name: "Rules", path: paths.alertRules() },
  { name: "Channels", path: paths.alertChannels() },
]

export function AlertTabs() {
  return <Tabs label="Alerts" tabs={TABS} />
}
