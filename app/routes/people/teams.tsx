import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { Plus } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization, getToday } from "#server/team/queries.ts"
import { changeTeam, createTeam, deleteTeam, listTeamTree } from "#server/team/teams.ts"
import { plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { PeopleTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Teams · Belay" }]

export const loader = guard("people.manage", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => {
    const { minGroupSize, timeZone } = await getOrganization(tx)
    return {
      teams: await listTeamTree(tx, await getToday(tx, context.now())),
      minGroupSize,
      timeZone,
      timeZones: TIME_ZONES,
    }
  }),
)

const TIME_ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")]

const name = z.string().trim().min(1).max(60)
const parent = z.union([z.uuid(), z.literal("").transform(() => null)])
const timeZone = z.union([z.literal("").transform(() => null), z.enum(TIME_ZONES)])
const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("create"), name, parent }),
  z.object({ intent: z.literal("change"), id: z.uuid(), name, parent, timeZone }),
  z.object({ intent: z.literal("delete"), id: z.uuid() }),
])

const REFUSALS = {
  not_found: "There is no such team any more.",
  name_taken: "Another team has this name.",
  too_deep: "Teams have two levels: a part of a team has no parts of its own.",
  in_use: "People are or were in this team, or it has parts; past figures name it. Rename it, or move the people.",
} as const

export const action = guard("people.manage", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ done: null, error: "A team has a name of 1 to 60 characters." }, { status: 422 })
  const values = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  const changed = await asTenant(context.db, viewer.orgId, (tx) => {
    if (values.intent === "create") return createTeam(tx, { name: values.name, parentId: values.parent, by })
    if (values.intent === "delete") return deleteTeam(tx, { id: values.id, by })
    return changeTeam(tx, {
      id: values.id,
      name: values.name,
      parentId: values.parent,
      timeZone: values.timeZone,
      by,
    })
  })
  if (!changed.ok) {
    return data({ done: null, error: REFUSALS[changed.reason] }, { status: changed.reason === "not_found" ? 404 : 409 })
  }
  return data({ done: values.intent === "delete" ? "Deleted." : `Saved ${values.name}.`, error: null })
})

export default function Teams() {
  const { teams, minGroupSize, timeZone: ofOrganization, timeZones } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const doneKey = useDoneKey(result, result?.done != null)
  const isBusy = useNavigation().state === "submitting"
  const tops = teams.filter((team) => team.parentId === null)
  const people = teams.reduce((sum, team) => sum + team.members, 0)
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Teams</h1>
        <p className="mt-1 text-xl font-semibold tracking-tight text-balance">
          {teams.length === 0
            ? "There are no teams yet."
            : `${plural(teams.length, "team")}, with ${plural(people, "person", "people")} in them today.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Figures are of teams, never of people, and only of {minGroupSize} people or more. A team with parts counts
          theirs too.
        </p>
      </header>
      <PeopleTabs />
      <div className="mt-4 space-y-4">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        {teams.length > 0 && (
          <Table
            caption="Teams"
            titles={["Team", "People today", "Managers", "(Actions)"]}
            figures={["People today", "Managers"]}
          >
            {teams.map((team) => (
              <tr key={team.id} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-medium`}>
                  <Link
                    to={`${paths.people()}?team=${team.id}`}
                    className={`hover:text-accent ${team.parentId === null ? "" : "ml-6"}`}
                  >
                    {team.name}
                    {team.parentId !== null && (
                      <span className="sr-only">, a part of {tops.find((top) => top.id === team.parentId)?.name}</span>
                    )}
                  </Link>
                </th>
                <td className={FIGURE_CELL}>{team.members}</td>
                <td className={FIGURE_CELL}>{team.managers}</td>
                <td className={`${CELL} space-x-4 text-right`}>
                  <Confirm
                    trigger="Change"
                    triggerLabel={`Change ${team.name}`}
                    triggerClass={rowActionClass("quiet")}
                    title={`Change ${team.name}`}
                    description="The past goes with the team: its figures are shown under the new name and in the new place."
                    action="Save"
                    fields={{ intent: "change", id: team.id }}
                  >
                    <Field label="Name" name="name" defaultValue={team.name} required maxLength={60} />
                    <Select label="Part of" name="parent" defaultValue={team.parentId ?? ""}>
                      <option value="">No other team</option>
                      {tops
                        .filter((top) => top.id !== team.id)
                        .map((top) => (
                          <option key={top.id} value={top.id}>
                            {top.name}
                          </option>
                        ))}
                    </Select>
                    <Select label="Time zone of its work" name="timeZone" defaultValue={team.timeZone ?? ""}>
                      <option value="">The organization's ({ofOrganization})</option>
                      {timeZones.map((zone) => (
                        <option key={zone}>{zone}</option>
                      ))}
                    </Select>
                  </Confirm>
                  {!team.hasHistory && !teams.some((part) => part.parentId === team.id) && (
                    <Confirm
                      trigger="Delete"
                      triggerLabel={`Delete ${team.name}`}
                      title={`Delete ${team.name}?`}
                      description="Nobody was ever in it, so no figure changes."
                      action="Delete"
                      cancel="Keep"
                      fields={{ intent: "delete", id: team.id }}
                    />
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )}
        <section aria-labelledby="new-team" className="max-w-2xl pt-4">
          <h2 id="new-team" className="text-lg font-semibold">
            A new team
          </h2>
          <Form method="post" className="mt-3 flex flex-wrap items-end gap-2" key={doneKey}>
            <input type="hidden" name="intent" value="create" />
            <Field label="Name" name="name" required maxLength={60} className="min-w-48 flex-1" />
            <Select label="Part of" name="parent" defaultValue="" className="min-w-40 flex-1">
              <option value="">No other team</option>
              {tops.map((top) => (
                <option key={top.id} value={top.id}>
                  {top.name}
                </option>
              ))}
            </Select>
            <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10")}>
              <Plus aria-hidden className="size-3.5" /> Make the team
            </button>
          </Form>
        </section>
      </div>
    </>
  )
}
