import { asTenant } from "#server/db/tenant.ts"
import { recordAudit } from "#server/audit/commands.ts"
import { listAuditEntries } from "#server/audit/queries.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { guard } from "../../lib/guard.server.ts"

const PAGE = 1000

/** The whole audit log as JSON lines, newest first, read page by page. */
export const loader = guard("audit.read", async ({ viewer, context }) => {
  const by = byViewer(viewer, context.requestId, context.now())
  await asTenant(context.db, viewer.orgId, (tx) =>
    recordAudit(tx, { ...by, action: "audit.export", targetKind: "audit_log" }),
  )
  let beforeSequence: number | null = null
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const entries = await asTenant(context.db, viewer.orgId, (tx) =>
        listAuditEntries(tx, { beforeSequence, action: null, limit: PAGE }),
      )
      for (const entry of entries) controller.enqueue(Buffer.from(`${JSON.stringify(entry)}\n`))
      beforeSequence = entries.at(-1)?.sequence ?? null
      if (entries.length < PAGE) controller.close()
    },
  })
  return new Response(body, {
    headers: {
      "content-type": "application/x-ndjson; charset=utf-8",
      "content-disposition": `attachment; filename="belay-audit-${context.now().toISOString().slice(0, 10)}.jsonl"`,
    },
  })
})
