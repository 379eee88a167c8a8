import type { AccountRole } from "../db/types.ts"

/** Of the demo's organization; no visitor takes this role. */
export const DEMO_OWNER = "owner@northwind.example"

/** The roles a visitor of the demo can take, and the accounts that carry them. */
export const DEMO_ACCOUNTS = [
  { role: "manager", email: "manager@northwind.example" },
  { role: "admin", email: "admin@northwind.example" },
  { role: "on-call", email: "oncall@northwind.example" },
  { role: "developer", email: "noor@northwind.example" },
] as const satisfies readonly { role: AccountRole; email: string }[]
