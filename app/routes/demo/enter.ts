import { data, redirect } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { DEMO_ACCOUNTS } from "#server/demo/accounts.ts"
import { openSession, sessionCookie } from "#server/team/sessions.ts"
import { open } from "../../lib/guard.server.ts"
import { toLocalPath } from "../../lib/paths.ts"

/** Lets a visitor of the demo in as one of its people. There is no such page outside demo mode. */
export const loader = open(async ({ request, context }) => {
  const orgId = context.demoOrgId
  const search = new URL(request.url).searchParams
  const wanted = DEMO_ACCOUNTS.find((account) => account.role === search.get("role"))
  if (orgId === null || wanted === undefined) throw data("No such page", { status: 404 })
  const account = await asTenant(context.db, orgId, (tx) =>
    tx.selectFrom("account").select("id").where("email", "=", wanted.email).executeTakeFirstOrThrow(),
  )
  const token = await openSession(context.db, { orgId, accountId: account.id }, context.now())
  return redirect(toLocalPath(search.get("to")), {
    headers: { "set-cookie": sessionCookie(token, context.publicUrl) },
  })
})
