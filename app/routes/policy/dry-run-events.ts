import { data } from "@remix-run/node"
import { runDryRun } from "#server/policy/dry-run.ts"
import { getVersion } from "#server/policy/layers.ts"
import { asTenant } from "#server/db/tenant.ts"
import { getOrganization } from "#server/team/queries.ts"
import { guard } from "../../lib/guard.server.ts"
import { dayAgo } from "../../lib/range.ts"
import { loadPolicy, parseTarget } from "./load.server.ts"
import { readDryRunSearch } from "./dry-run-search.ts"

/**
 * What a draft, or a version, would have done, as lines of JSON: how far it is, and at last the result. It ends when
 * whoever reads it goes away.
 */
export const loader = guard("policy.manage", async ({ viewer, params, request, context }) => {
  const target = parseTarget(params)
  const { days, version } = readDryRunSearch(new URL(request.url).searchParams)
  const now = context.now()
  const found = await asTenant(context.db, viewer.orgId, async (tx) => {
    const { layer, draft } = await loadPolicy(tx, viewer, target)
    const { timeZone } = await getOrganization(tx)
    if (version === null) return { document: draft?.document, timeZone }
    return { document: layer === null ? undefined : (await getVersion(tx, layer.id, version))?.document, timeZone }
  })
  const { document, timeZone } = found
  if (document === undefined) throw data("There is no such draft or version", { status: 404 })
  const from = dayAgo(days - 1, now, timeZone)
  const to = new Date(now.getTime() + 1)
  const steps = runDryRun(context.db, { orgId: viewer.orgId, target, document, from, to, timeZone, now })
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const step = await steps.next()
      if (step.done === true) controller.close()
      else controller.enqueue(Buffer.from(`${JSON.stringify(step.value)}\n`))
    },
    async cancel() {
      await steps.return(undefined)
    },
  })
  return new Response(body, {
    // What collects an answer before it hands it on would keep the progress to itself.
    headers: {
      "content-type": "application/x-ndjson; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  })
})
