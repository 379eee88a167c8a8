import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useLocation, useNavigation } from "@remix-run/react"
import { Search, UserPlus } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { addPerson, listPeople, moveToTeam, ROLES } from "#server/team/people.ts"
import { getOrganization, getToday } from "#server/team/queries.ts"
import { listTeamTree } from "#server/team/teams.ts"
import { plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { useFind } from "../../lib/use-find.ts"
import { paths } from "../../lib/paths.ts"
import { ROLE_LABELS } from "../../lib/roles.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { CELL, ROW, Table } from "../../ui/table.tsx"
import { giveLink } from "./give-link.server.ts"
import { MadeLink } from "./made-link.tsx"
import { RoleSelect } from "./role-select.tsx"
import { PeopleTabs } from "./tabs.tsx"
import { TeamOptions } from "./team-options.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "People · Belay" }]

const PAGE = 50

export const loader = guard("people.manage", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const organization = await getOrganization(tx)
    const today = await getToday(tx, now)
    const teams = await listTeamTree(tx, today)
    const page = Math.max(1, Math.trunc(Number(search.get("page"))) || 1)
    const team = search.get("team")
    const filter = {
      text: (search.get("find") ?? "").trim().slice(0, 100),
      role: ROLES.find((role) => role === search.get("role")) ?? null,
      teamId: team === "none" ? team : (teams.find((candidate) => candidate.id === team)?.id ?? null),
    }
    const { people, count } = await listPeople(tx, { ...filter, today, limit: PAGE, offset: (page - 1) * PAGE }, now)
    return {
      timeZone: organization.timeZone,
      organization: organization.name,
      roles: ROLES.filter((role) => role !== "owner" || viewer.role === "owner"),
      allRoles: ROLES,
      teams,
      filter,
      page,
      pages: Math.max(1, Math.ceil(count / PAGE)),
      people,
      count,
      isRemoved: search.get("done") === "removed",
    }
  })
})

const formSchema = z.object({
  email: z.email("That is no e-mail address.").max(254),
  name: z.string().trim().max(80, "Take at most 80 characters."),
  role: z.enum(ROLES),
  team: z.union([z.uuid(), z.literal("")]),
  invite: z.literal("on").optional(),
})

export const action = guard("people.manage", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) {
    return data({ link: null, added: null, errors: z.flattenError(form.error).fieldErrors }, { status: 422 })
  }
  const { email, name, role, team, invite } = form.data
  const refuse = (error: string, status: number) =>
    data({ link: null, added: null, errors: { email: [error] } }, { status })
  if (role === "owner" && viewer.role !== "owner") return refuse("Only owners make owners.", 403)
  const now = context.now()
  const by = byViewer(viewer, context.requestId, now)
  const added = await asTenant(context.db, viewer.orgId, async (tx) => {
    const person = await addPerson(tx, { email, name, role, by })
    if (person.ok && team !== "") {
      await moveToTeam(tx, { accountId: person.id, teamId: team, fromDay: await getToday(tx, now), by })
    }
    return person
  })
  if (!added.ok) return refuse("Somebody has this address already.", 409)
  const link =
    invite === undefined ? null : await giveLink(viewer, context, { accountId: added.id, purpose: "invitation" })
  return data({ link, added: { id: added.id, email }, errors: {} })
})

export default function People() {
  const loaded = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const filterKey = useFilterKey()
  const find = useFind({ filterKey })
  const addKey = useDoneKey(result, result?.added != null)
  const { people, count, filter, page, pages, teams } = loaded
  const isFiltered = filter.text !== "" || filter.role !== null || filter.teamId !== null
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">People</h1>
        <p className="mt-1 text-xl font-semibold tracking-tight text-balance">
          {isFiltered
            ? `${plural(count, "person", "people")} found`
            : `${plural(count, "person", "people")} in ${loaded.organization}`}
          .
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Who may do what, and who is in which team. What a person does with an agent is on their own page and nobody
          else's.
        </p>
      </header>
      <PeopleTabs />
      <div className="mt-4 space-y-4">
        {result?.link && <MadeLink link={result.link} timeZone={loaded.timeZone} />}
        {loaded.isRemoved && result === undefined && (
          <Notice tone="good">Removed. Nothing connects them with their telemetry any more.</Notice>
        )}
        {result?.added && result.link === null && (
          <Notice tone="good">
            {result.added.email} is added.{" "}
            <Link to={paths.person(result.added.id)} className="underline underline-offset-2">
              Open their page
            </Link>
          </Notice>
        )}
        <div className="flex flex-wrap items-start gap-3">
          <Form
            key={filterKey}
            method="get"
            role="search"
            aria-label="Find people"
            {...find}
            className="flex min-w-0 flex-1 flex-wrap gap-2"
          >
            <div className="relative min-w-48 flex-1">
              <Search aria-hidden className="absolute top-2 left-2.5 size-4 text-ink-faint" />
              <input
                type="search"
                name="find"
                aria-label="Name or e-mail"
                placeholder="Name or e-mail"
                defaultValue={filter.text}
                className="h-8 w-full rounded-md border border-line-strong bg-surface pr-2 pl-8 text-sm"
              />
            </div>
            <select
              name="role"
              aria-label="Role"
              defaultValue={filter.role ?? ""}
              className="h-8 rounded-md border border-line-strong bg-surface px-2 text-sm"
            >
              <option value="">Every role</option>
              {loaded.allRoles.map((role) => (
                <option key={role} value={role}>
                  {ROLE_LABELS[role]}
                </option>
              ))}
            </select>
            <select
              name="team"
              aria-label="Team"
              defaultValue={filter.teamId ?? ""}
              className="h-8 max-w-full rounded-md border border-line-strong bg-surface px-2 text-sm"
            >
              <option value="">Every team</option>
              <option value="none">In no team</option>
              <TeamOptions teams={teams} />
            </select>
          </Form>
        </div>
        <Table caption="People, their role and team" titles={["E-mail", "Name", "Role", "Team", "Sign-in"]}>
          {people.map((person) => (
            <tr key={person.id} className={`${ROW} group relative hover:bg-sunken`}>
              <th scope="row" className={`${CELL} text-left font-medium`}>
                <Link
                  to={paths.person(person.id)}
                  prefetch="intent"
                  className="after:absolute after:inset-0 group-hover:text-accent"
                >
                  {person.email}
                </Link>
              </th>
              <td className={CELL}>{person.name}</td>
              <td className={CELL}>{ROLE_LABELS[person.role]}</td>
              <td className={CELL}>{person.teamName ?? <span className="text-ink-faint">none</span>}</td>
              <td className={`${CELL} text-ink-soft`}>{STATES[person.state]}</td>
            </tr>
          ))}
          {people.length === 0 && (
            <tr>
              <td colSpan={5} className="h-16 px-4 text-ink-soft">
                Nobody like that. <Link to={paths.people()}>Show everyone</Link>
              </td>
            </tr>
          )}
        </Table>
        {pages > 1 && <Pages page={page} pages={pages} filter={filter} />}
        <AddPerson teams={teams} roles={loaded.roles} errors={result?.errors ?? {}} key={addKey} />
      </div>
    </>
  )
}

const filterState = z.object({ filterKey: z.string() })

/** Changes with every visit that does not come from the filter itself, which then shows what the address says. */
function useFilterKey(): string {
  const { key, state } = useLocation()
  const ofFilter = filterState.safeParse(state)
  return ofFilter.success ? ofFilter.data.filterKey : key
}

const STATES = { joined: "signs in", invited: "invited", added: "not invited" } as const

function Pages(props: {
  page: number
  pages: number
  filter: { text: string; role: string | null; teamId: string | null }
}) {
  const { page, pages, filter } = props
  const to = (wanted: number) => {
    const search = new URLSearchParams()
    if (filter.text !== "") search.set("find", filter.text)
    if (filter.role !== null) search.set("role", filter.role)
    if (filter.teamId !== null) search.set("team", filter.teamId)
    search.set("page", String(wanted))
    return `?${search}`
  }
  return (
    <nav aria-label="Further people" className="flex items-center gap-3 text-sm text-ink-soft">
      {page > 1 && (
        <Link to={to(page - 1)} className={buttonClass("quiet")}>
          Before
        </Link>
      )}
      <span>
        {page} of {pages}
      </span>
      {page < pages && (
        <Link to={to(page + 1)} className={buttonClass("quiet")}>
          After
        </Link>
      )}
    </nav>
  )
}

function AddPerson(props: {
  teams: ReturnType<typeof useLoaderData<typeof loader>>["teams"]
  roles: readonly string[]
  errors: { email?: string[] | undefined; name?: string[] | undefined }
}) {
  const isBusy = useNavigation().state === "submitting"
  return (
    <section aria-labelledby="add-person" className="max-w-3xl pt-6">
      <h2 id="add-person" className="text-lg font-semibold">
        Add a person
      </h2>
      <Form method="post" className="mt-3 grid gap-4 sm:grid-cols-2">
        <Field label="E-mail" name="email" type="email" required maxLength={254} error={props.errors.email?.[0]} />
        <Field label="Name" name="name" maxLength={80} error={props.errors.name?.[0]} />
        <RoleSelect roles={props.roles} defaultValue="developer" />
        <Select label="Team" name="team" defaultValue="">
          <option value="">None</option>
          <TeamOptions teams={props.teams} />
        </Select>
        <label className="flex items-center gap-2 text-sm sm:col-span-2">
          <input type="checkbox" name="invite" defaultChecked className="size-4 accent-accent" />
          Invite them to sign in, with a link that works once
        </label>
        <div className="sm:col-span-2">
          <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
            <UserPlus aria-hidden className="size-3.5" />
            {isBusy ? "Adding…" : "Add"}
          </button>
        </div>
      </Form>
    </section>
  )
}
