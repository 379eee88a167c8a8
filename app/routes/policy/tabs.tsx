import { paths } from "../../lib/paths.ts"
import { Tabs } from "../../ui/tabs.tsx"

const TABS = [
  { name: "Policies", path: paths.policies() },
  { name: "Exceptions", path: paths.policyExceptions() },
]
const WITH_BUDGETS = [...TABS, { name: "Budgets", path: paths.policyBudgets() }]
const MANAGED = [
  ...WITH_BUDGETS,
  { name: "Suggested rules", path: paths.policySuggestions() },
  { name: "Coverage", path: paths.policyClients() },
  { name: "Agents' own files", path: paths.policyNative() },
]

/** The pages about policies. */
export function PolicyTabs({ isManager, seesBudgets = isManager }: { isManager: boolean; seesBudgets?: boolean }) {
  return <Tabs label="About policies" tabs={isManager ? MANAGED : seesBudgets ? WITH_BUDGETS : TABS} />
}
