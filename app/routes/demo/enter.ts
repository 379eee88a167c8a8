import { data, redirect } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { DEMO_ACCOUNTS } from "#server/demo/accounts.ts"
import { openSession } from "#server/sign-in/sessions.ts"
import { open } from "../../lib/guard.server.ts"
import { toLocalPath } from "../../lib/paths.ts"
import { cookiesOf, toSignInRequest } from "../../lib/sign-in.server.ts"

/** Lets a visitor of the demo in as one of its people. There is no such page outside demo mode. */
export const loader = open(async ({ request, context }) => {
  const orgId = context.demoOrgId
  const search = new URL(request.url).searchParams
  const wanted = DEMO_ACCOUNTS.find((account) => account.role === search.get("role"))
  if (orgId === null || wanted === undefined) throw data("No such page", { status: 404 })
  const account = await asTenant(context.db, orgId, (tx) =>
    tx.selectFrom("account").select("user_id").where("email", "=", wanted.email).executeTakeFirstOrThrow(),
  )
  if (account.user_id === null) throw new Error(`The demo's ${wanted.role} cannot sign in.`)
  const headers = await openSession(context.signIn, account.user_id, toSignInRequest({ request, context }).headers)
  return redirect(toLocalPath(search.get("to")), { headers: cookiesOf(headers) })
})
