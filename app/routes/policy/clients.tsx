import type { MetaFunction } from "@remix-run/node"
import { Form, Link, useLoaderData, useSubmit } from "@remix-run/react"
import { MonitorSmartphone, ShieldAlert } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { listClients, type ShownClient, type Standing } from "#server/policy/clients.ts"
import { countStandings, getConvergence, listReach, type Standings } from "#server/policy/coverage.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Filter } from "../../ui/filter.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { Converged, Reach } from "./convergence.tsx"
import { PolicyTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Policy coverage · Belay" }]

/** What needs somebody first. */
const STANDINGS = ["not_enforced", "behind", "silent", "unproven", "enforced"] as const satisfies Standing[]
const PAGE = 50
const DAYS = 30
const DAY_MS = 86_400_000
const RELEASES = 8

export const loader = guard("policy.manage", async ({ viewer, request, context }) => {
  const search = Object.fromEntries(new URL(request.url).searchParams)
  const cursor = cursorSchema.safeParse(search)
  const { standing, version } = choiceSchema.parse(search)
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const found = await listClients(tx, {
      now,
      standing,
      version,
      before: cursor.success ? { seenAt: cursor.data.before, id: cursor.data.id } : null,
      limit: PAGE + 1,
    })
    const clients = found.slice(0, PAGE)
    const last = clients.at(-1)
    return {
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      choice: { standing, version },
      standings: await countStandings(tx, now),
      convergence: await getConvergence(
        tx,
        Array.from({ length: DAYS }, (_, index) => new Date(now.getTime() - (DAYS - 1 - index) * DAY_MS)),
      ),
      reach: await listReach(tx, { now, limit: RELEASES }),
      clients,
      next:
        found.length > PAGE && last !== undefined
          ? toQuery({ standing, version, before: last.seenAt.toISOString(), id: last.id })
          : null,
    }
  })
})

const cursorSchema = z.object({ before: z.coerce.date(), id: z.string().min(1).max(80) })
const choiceSchema = z.object({
  standing: z.enum(STANDINGS).nullable().catch(null).default(null),
  version: z.coerce.number().int().positive().max(2_147_483_647).nullable().catch(null).default(null),
})

function toQuery(of: Readonly<Record<string, string | number | null>>): string {
  const named = Object.entries(of).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]]))
  return named.length === 0 ? "" : `?${new URLSearchParams(named)}`
}

export default function Coverage() {
  const { standings, convergence, reach, clients, now, timeZone, next, choice } = useLoaderData<typeof loader>()
  const isFiltered = choice.standing !== null || choice.version !== null
  const failing = count(standings, ["not_enforced"])
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Policy coverage</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{sentence(standings)}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Each installation that asks for its policy says which version it goes by, and tries every day an action that
          every policy denies. One that has said nothing for a day counts as silent; after two weeks it is taken to be
          gone and counts no more.
        </p>
      </header>
      <PolicyTabs isManager />
      {failing > 0 && (
        <div
          role="alert"
          className="mt-4 flex flex-wrap items-center gap-x-4 gap-y-2 rounded-md border border-bad bg-surface px-4 py-3"
        >
          <ShieldAlert aria-hidden className="size-5 shrink-0 text-bad" />
          <p className="min-w-64 flex-1">
            <strong className="font-semibold text-bad">
              The policy is present and not enforced on {plural(failing, "client")}.
            </strong>{" "}
            What every policy denies was not denied there within the last week: its hook is missing, switched off or
            loosened.
          </p>
          <Link to={`${paths.policyClients()}?standing=not_enforced`} className={buttonClass("quiet")}>
            Show {failing === 1 ? "it" : "them"}
          </Link>
        </div>
      )}
      {standings.length === 0 && !isFiltered ? (
        <Nobody />
      ) : (
        <div className="mt-6 space-y-10">
          <Converged points={convergence} timeZone={timeZone} />
          <Reach reach={reach} timeZone={timeZone} />
          <Versions standings={standings} />
          <section aria-labelledby="clients">
            <h2 id="clients" className="text-lg font-semibold">
              Clients
            </h2>
            <p className="mt-1 text-ink-soft">The last heard of first. Whose they are is not said.</p>
            <Filters choice={choice} standings={standings} />
            <div className="mt-3 space-y-4">
              {clients.length === 0 ? (
                <p className="rounded-md border border-line bg-surface px-4 py-8 text-center text-ink-soft">
                  No client stands so. <Link to={paths.policyClients()}>Show all</Link>
                </p>
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
                      <td className={FIGURE_CELL}>{versionName(client.version)}</td>
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
          </section>
        </div>
      )}
    </>
  )
}

function Nobody() {
  return (
    <div className="mt-4 rounded-md border border-line bg-surface px-4 py-12 text-center">
      <MonitorSmartphone aria-hidden className="mx-auto size-6 text-ink-faint" />
      <h2 className="mt-3 text-lg font-semibold">No client has asked for its policy</h2>
      <p className="mx-auto mt-1 mb-4 max-w-md text-ink-soft">
        Give agents a key that may read policies, and connect them with it.
      </p>
      <Link to={paths.keys()} className={buttonClass("primary")}>
        Make a key
      </Link>
    </div>
  )
}

function count(standings: readonly Standings[], which: readonly Standing[]): number {
  return standings.reduce((sum, of) => sum + (which.includes(of.standing) ? of.clients : 0), 0)
}

function sentence(standings: readonly Standings[]): string {
  const clients = count(standings, STANDINGS)
  if (clients === 0) return "Nobody goes by a policy yet."
  const current = count(standings, ["enforced", "unproven"])
  const [behind, silent, failing] = [
    count(standings, ["behind"]),
    count(standings, ["silent"]),
    count(standings, ["not_enforced"]),
  ]
  const parts = [
    `${current} of ${plural(clients, "client")} ${current === 1 ? "goes" : "go"} by the newest policy`,
    ...(behind > 0 ? [`${behind} behind`] : []),
    ...(silent > 0 ? [`${silent} silent`] : []),
    ...(failing > 0 ? [`${failing} ${failing === 1 ? "does" : "do"} not enforce it`] : []),
  ]
  return `${parts.join(", ")}.`
}

function versionName(version: number | null): string {
  return version === null ? "no policy" : `version ${version}`
}

const STANDING_LABELS: Readonly<Record<Standing, string>> = {
  not_enforced: "Not enforced",
  behind: "Behind",
  silent: "Silent",
  unproven: "Not tried yet",
  enforced: "Enforced",
}

const STANDING_COLORS: Readonly<Record<Standing, string>> = {
  not_enforced: "font-medium text-bad",
  behind: "text-warn",
  silent: "text-warn",
  unproven: "text-ink-soft",
  enforced: "text-good",
}

/** Who drifts: how many clients of which agent tool go by which version, and how they stand. */
function Versions({ standings }: { standings: readonly Standings[] }) {
  const rows = [...Map.groupBy(standings, ({ agentTool, version }) => JSON.stringify([version, agentTool])).values()]
  return (
    <section aria-labelledby="versions">
      <h2 id="versions" className="text-lg font-semibold">
        By version and agent tool
      </h2>
      <div className="mt-3">
        <Table
          caption="Clients by version and agent tool"
          titles={["Goes by", "Agent tool", ...STANDINGS.map((of) => STANDING_LABELS[of])]}
          figures={STANDINGS.map((of) => STANDING_LABELS[of])}
        >
          {rows.map((row) => {
            const [{ agentTool, version } = { agentTool: null, version: null }] = row
            return (
              <tr key={`${version} ${agentTool}`} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {version === null ? (
                    "no policy"
                  ) : (
                    <Link to={`${paths.policyClients()}?version=${version}`}>{versionName(version)}</Link>
                  )}
                </th>
                <td className={CELL}>{agentTool ?? "not said"}</td>
                {STANDINGS.map((of) => {
                  const clients = count(row, [of])
                  return (
                    <td key={of} className={`${FIGURE_CELL} ${clients > 0 ? STANDING_COLORS[of] : "text-ink-faint"}`}>
                      {clients}
                    </td>
                  )
                })}
              </tr>
            )
          })}
        </Table>
      </div>
    </section>
  )
}

function Filters(props: {
  choice: { standing: Standing | null; version: number | null }
  standings: readonly Standings[]
}) {
  const { choice, standings } = props
  const submit = useSubmit()
  const versions = new Set(standings.flatMap(({ version }) => (version === null ? [] : [version])))
  if (choice.version !== null) versions.add(choice.version)
  return (
    <Form
      method="get"
      role="search"
      aria-label="Filter clients"
      className="mt-3 flex flex-wrap items-center gap-x-4 gap-y-2"
      onChange={(event) => submit(event.currentTarget, { preventScrollReset: true })}
      key={JSON.stringify(choice)}
    >
      <Filter label="Proof" name="standing" value={choice.standing}>
        <option value="">All</option>
        {STANDINGS.map((of) => (
          <option key={of} value={of}>
            {STANDING_LABELS[of]}
          </option>
        ))}
      </Filter>
      <Filter label="Goes by" name="version" value={choice.version}>
        <option value="">Any version</option>
        {[...versions]
          .toSorted((a, b) => b - a)
          .map((version) => (
            <option key={version} value={version}>
              {versionName(version)}
            </option>
          ))}
      </Filter>
    </Form>
  )
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
