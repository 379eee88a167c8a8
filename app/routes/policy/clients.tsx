import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { MonitorSmartphone } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { countClients, listClients, type ShownClient } from "#server/policy/clients.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { PolicyTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Policy clients · Belay" }]

const PAGE = 50

export const loader = guard("policy.manage", async ({ viewer, request, context }) => {
  const cursor = cursorSchema.safeParse(Object.fromEntries(new URL(request.url).searchParams))
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const found = await listClients(tx, {
      now,
      before: cursor.success ? { seenAt: cursor.data.before, id: cursor.data.id } : null,
      limit: PAGE + 1,
    })
    const clients = found.slice(0, PAGE)
    const last = clients.at(-1)
    return {
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      counts: await countClients(tx, now),
      clients,
      next:
        found.length > PAGE && last !== undefined
          ? `?${new URLSearchParams({ before: last.seenAt.toISOString(), id: last.id })}`
          : null,
    }
  })
})

const cursorSchema = z.object({ before: z.coerce.date(), id: z.string().min(1).max(80) })

export default function Clients() {
  const { counts, clients, now, timeZone, next } = useLoaderData<typeof loader>()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Policy clients</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{sentence(counts)}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Each installation that asks for its policy says which version it goes by, and tries every day an action that
          every policy denies. One that has said nothing for a day counts as silent.
        </p>
      </header>
      <PolicyTabs isManager />
      <div className="mt-4 space-y-4">
        {clients.length === 0 ? (
          <div className="rounded-md border border-line bg-surface px-4 py-12 text-center">
            <MonitorSmartphone aria-hidden className="mx-auto size-6 text-ink-faint" />
            <h2 className="mt-3 text-lg font-semibold">No client has asked for its policy</h2>
            <p className="mx-auto mt-1 mb-4 max-w-md text-ink-soft">
              Give agents a key that may read policies, and connect them with it.
            </p>
            <Link to={paths.keys()} className={buttonClass("primary")}>
              Make a key
            </Link>
          </div>
        ) : (
          <Table
            caption="Clients"
            titles={["Client", "Agent tool", "Goes by", "Proof", "Last heard of"]}
            figures={["Goes by"]}
          >
            {clients.map((client) => (
              <tr key={client.id} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-medium`}>
                  <code className="font-mono text-xs select-all">{client.id}</code>
                </th>
                <td className={CELL}>
                  {client.agentTool ?? "not said"} {client.agentVersion ?? ""}
                </td>
                <td className={FIGURE_CELL}>{client.version === null ? "no policy" : `version ${client.version}`}</td>
                <td className={CELL}>
                  <Proof client={client} />
                </td>
                <td className={CELL} title={formatInstant(client.seenAt, timeZone)}>
                  {formatAge(client.seenAt, now)}
                </td>
              </tr>
            ))}
          </Table>
        )}
        {next !== null && (
          <Link to={`${paths.policyClients()}${next}`} className={buttonClass("quiet")}>
            Clients heard of before
          </Link>
        )}
      </div>
    </>
  )
}

function sentence({ clients, current, silent, failing }: Awaited<ReturnType<typeof countClients>>): string {
  if (clients === 0) return "Nobody goes by a policy yet."
  const parts = [
    `${current} of ${plural(clients, "client")} ${current === 1 ? "goes" : "go"} by the newest policy`,
    ...(silent > 0 ? [`${silent} silent`] : []),
    ...(failing > 0 ? [`${failing} do not enforce it`] : []),
  ]
  return `${parts.join(", ")}.`
}

function Proof({ client }: { client: ShownClient }) {
  switch (client.standing) {
    case "enforced":
      return <span className="text-good">denied what it must deny</span>
    case "not_enforced":
      return <span className="font-medium text-bad">present and not enforced</span>
    case "behind":
      return (
        <span className="text-warn">
          behind{client.refusal === null ? "" : `: refused what it was sent (${client.refusal.replaceAll("_", " ")})`}
        </span>
      )
    case "silent":
      return <span className="text-warn">silent</span>
    case "unproven":
      return <span className="text-ink-soft">newest version, not tried yet</span>
  }
}
