import { paths } from "../../lib/paths.ts"
import { Tabs } from "../../ui/tabs.tsx"

const TABS = [
  { name: "Organization", path: paths.settings() },
  { name: "Prices", path: paths.prices() },
  { name: "Webhooks", path: paths.webhooks() },
  { name: "Ingest", path: paths.ingestStatus() },
  { name: "Storage", path: paths.storage() },
]

/** The pages of settings, for who may change them. */
export function SettingsTabs() {
  return <Tabs label="Settings" tabs={TABS} />
}
