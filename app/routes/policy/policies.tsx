import type { MetaFunction } from "@remix-run/node"
import { Form, Link, useLoaderData, useNavigate } from "@remix-run/react"
import { ShieldCheck } from "lucide-react"
import { asTenant } from "#server/db/tenant.ts"
import { listLayers } from "#server/policy/layers.ts"
import { listTeams } from "#server/rungs/queries.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { getOrganization } from "#server/team/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatAge, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Select } from "../../ui/select.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { addressOf, targetOf } from "./load.server.ts"
import { PolicyTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Policy · Belay" }]

export const loader = guard("policy.read", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => {
    const isManager = mayDo(viewer.role, "policy.manage")
    const own = await listDevelopersOf(tx, viewer.accountId)
    const { name } = await getOrganization(tx)
    const layers = (await listLayers(tx)).filter(
      (layer) => layer.developerId === null || isManager || own.includes(layer.developerId),
    )
    return {
      now: context.now(),
      isManager,
      seesBudgets: mayDo(viewer.role, "budgets.read"),
      organization: name,
      layers: layers
        .filter((layer) => isManager || layer.versionInForce !== null)
        .map((layer) => ({
          ...layer,
          // Whose draft there is, and that there is one, is for those who may change it.
          draft: isManager ? layer.draft : null,
          path: paths.policy(addressOf(targetOf(layer))),
        })),
      teams: isManager ? await listTeams(tx) : [],
    }
  }),
)

export default function Policies() {
  const { layers, isManager, seesBudgets, organization, teams, now } = useLoaderData<typeof loader>()
  const inForce = layers.filter(({ versionInForce }) => versionInForce !== null)
  const hasOrganization = layers.some(({ kind }) => kind === "organization")
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Policy</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {inForce.length === 0
            ? "No policy is in force: agents go by their own settings."
            : `${plural(inForce.length, "policy", "policies")} in force.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          The organization's policy binds everyone. A team's, and a person's, only makes it stricter. Deny beats ask
          beats allow, whoever wrote it.
        </p>
      </header>
      <PolicyTabs isManager={isManager} seesBudgets={seesBudgets} />
      <div className="mt-4 space-y-4">
        {!hasOrganization && (
          <div className="rounded-md border border-line bg-surface px-4 py-12 text-center">
            <ShieldCheck aria-hidden className="mx-auto size-6 text-ink-faint" />
            <h2 className="mt-3 text-lg font-semibold">{organization} has no policy yet</h2>
            <p className="mx-auto mt-1 mb-4 max-w-md text-ink-soft">
              {isManager
                ? "Write what agents may do, try it on what they did last week, and publish it when it is right."
                : "An owner or admin writes it."}
            </p>
            {isManager && (
              <Link to={paths.policyEdit({ kind: "organization", id: null })} className={buttonClass("primary")}>
                Write the organization's policy
              </Link>
            )}
          </div>
        )}
        {layers.length > 0 && (
          <Table caption="Policies" titles={["Binds", "In force", "Published", "Draft"]} figures={["In force"]}>
            {layers.map((layer) => (
              <tr key={layer.id} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-medium`}>
                  <Link to={layer.path} className="hover:text-accent">
                    {layer.kind === "organization" ? organization : (layer.name ?? "A team or person that is gone")}
                  </Link>{" "}
                  <span className="font-normal text-ink-faint">
                    {layer.kind === "organization" ? "everyone" : layer.kind === "team" ? "team" : "person"}
                  </span>
                </th>
                <td className={FIGURE_CELL}>
                  {layer.versionInForce === null ? "not yet" : `version ${layer.versionInForce}`}
                </td>
                <td className={CELL}>
                  {layer.publishedAt === null
                    ? "–"
                    : `${formatAge(layer.publishedAt, now)} by ${layer.publishedBy ?? "a former member"}`}
                </td>
                <td className={CELL}>
                  {layer.draft === null
                    ? "–"
                    : layer.draft.submittedAt === null
                      ? `by ${layer.draft.writtenBy ?? "a former member"}, ${formatAge(layer.draft.savedAt, now)}`
                      : "waits for review"}
                </td>
              </tr>
            ))}
          </Table>
        )}
        {isManager && teams.length > 0 && <ForTeam teams={teams} />}
      </div>
    </>
  )
}

function ForTeam({ teams }: { teams: readonly { id: string; name: string }[] }) {
  const navigate = useNavigate()
  return (
    <section aria-labelledby="for-team" className="max-w-xl pt-4">
      <h2 id="for-team" className="text-lg font-semibold">
        A team's own policy
      </h2>
      <Form
        className="mt-3 flex flex-wrap items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault()
          const id = new FormData(event.currentTarget).get("team")
          if (typeof id === "string") navigate(paths.policy({ kind: "team", id }))
        }}
      >
        <Select label="Team" name="team" className="min-w-48 flex-1">
          {teams.map((team) => (
            <option key={team.id} value={team.id}>
              {team.name}
            </option>
          ))}
        </Select>
        <button type="submit" className={buttonClass("quiet", "h-10")}>
          Open
        </button>
      </Form>
    </section>
  )
}
