import { data } from "@remix-run/node"
import { toCsv } from "../../lib/csv.ts"
import { guard } from "../../lib/guard.server.ts"
import { loadObjective } from "./objective.server.ts"

const COLUMNS = ["hour", "requests", "slow_share", "firing"] as const
const HOUR_MS = 3_600_000

/** The hours of an objective's preview, and which severity would have fired in each. */
export const loader = guard("alerts.read", async ({ viewer, request, params, context }) => {
  const search = new URL(request.url).searchParams
  const { preview } = await loadObjective(viewer, { id: params["id"], search }, context)
  if (preview?.state !== "shown")
    throw data("There is nothing to preview, or too few people are behind it", { status: 404 })
  const { hours, firings, to } = preview
  const lines = hours.map(({ at, requests, slowShare }) => {
    const firing = firings.filter(({ openedAt, resolvedAt }) => openedAt < at + HOUR_MS && (resolvedAt ?? to) > at)
    const severity = firing.some((one) => one.severity === "page") ? "page" : (firing[0]?.severity ?? null)
    return [new Date(at).toISOString(), requests, slowShare, severity]
  })
  return new Response(toCsv(COLUMNS, lines), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": 'attachment; filename="belay-objective-preview.csv"',
    },
  })
})
