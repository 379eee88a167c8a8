import type { AccountRole } from "#server/db/types.ts"
import { mayDo, type Permission } from "#server/team/roles.ts"
import { paths } from "./paths.ts"

export type PageName = "Ladder" | "Connect" | "Keys" | "Audit"

const PAGES: readonly { readonly name: PageName; readonly path: string; readonly permission: Permission }[] = [
  { name: "Ladder", path: paths.ladder(), permission: "ladder.read" },
  { name: "Connect", path: paths.connect(), permission: "connect.read" },
  { name: "Keys", path: paths.keys(), permission: "keys.test" },
  { name: "Audit", path: paths.audit(), permission: "audit.read" },
]

/** The pages of a role, the one it starts on first. */
export function listPages(role: AccountRole) {
  return PAGES.filter((page) => mayDo(role, page.permission)).map(({ name, path }) => ({ name, path }))
}
