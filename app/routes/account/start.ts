import { redirect } from "@remix-run/node"
import { guard } from "../../lib/guard.server.ts"
import { listPages } from "../../lib/pages.server.ts"
import { paths } from "../../lib/paths.ts"

/** Where signing in leads when no page was asked for: a developer to their own data, others to their first page. */
export const loader = guard("signed_in", async ({ viewer }) => {
  if (viewer.role === "developer") return redirect(paths.me())
  return redirect(listPages(viewer.role)[0]?.path ?? paths.me())
})
