import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { deleteUser } from "#server/sign-in/links.ts"
import { byViewer, endSessions } from "#server/sign-in/sessions.ts"
import {
  BREAK_GLASS_MINUTES,
  listBreakGlass,
  markTold,
  openBreakGlass,
  REASON_LENGTH_MIN,
} from "#server/team/break-glass.ts"
import { listMergedIdentities } from "#server/team/identities.ts"
import {
  changeRole,
  getPerson,
  getUserId,
  moveToTeam,
  removePerson,
  ROLES,
  setManagedTeams,
} from "#server/team/people.ts"
import { getOrganization, getToday } from "#server/team/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { listTeamTree } from "#server/team/teams.ts"
import { formatInstant } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { trySend } from "../../lib/mail.server.ts"
import { parseId } from "../../lib/params.server.ts"
import { paths } from "../../lib/paths.ts"
import { ROLE_HINTS, ROLE_LABELS } from "../../lib/roles.ts"
import { buttonClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { CELL, ROW, Table } from "../../ui/table.tsx"
import { giveLink, type GivenLink } from "./give-link.server.ts"
import { MadeLink } from "./made-link.tsx"
import { RoleSelect } from "./role-select.tsx"
import { PeopleTabs } from "./tabs.tsx"
import { TeamOptions } from "./team-options.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Person · Belay" }]

export const loader = guard("people.manage", async ({ viewer, params, context }) => {
  const id = parseId(params["id"])
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const today = await getToday(tx, now)
    const person = await getPerson(tx, id, today, now)
    if (person === null) throw data("No such person", { status: 404 })
    return {
      person,
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      teams: await listTeamTree(tx, today),
      identities: await listMergedIdentities(tx, id),
      accesses: await listBreakGlass(tx, id),
      roles: ROLES.filter((role) => role !== "owner" || viewer.role === "owner"),
      isOneself: id === viewer.accountId,
      isAboveViewer: person.role === "owner" && viewer.role !== "owner",
      canBreakGlass: mayDo(viewer.role, "people.break_glass") && id !== viewer.accountId,
    }
  })
})

const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("role"), role: z.enum(ROLES) }),
  z.object({ intent: z.literal("team"), team: z.union([z.uuid(), z.literal("")]) }),
  z.object({ intent: z.literal("manages"), team: z.array(z.uuid()) }),
  z.object({ intent: z.literal("invitation") }),
  z.object({ intent: z.literal("password_reset") }),
  z.object({ intent: z.literal("remove") }),
  z.object({
    intent: z.literal("break_glass"),
    reason: z.string().trim().min(REASON_LENGTH_MIN).max(500),
    minutes: z.coerce.number().refine((minutes) => BREAK_GLASS_MINUTES.some((allowed) => allowed === minutes)),
  }),
])

interface Result {
  readonly done: string | null
  readonly error: string | null
  readonly link: GivenLink | null
}

const REFUSALS = {
  not_found: "There is no such person any more.",
  last_owner: "This is the last owner. Make somebody else one first.",
  owners_only: "Only owners change what owners are.",
  oneself: "You cannot remove yourself. Ask another owner or admin.",
} as const

export const action = guard("people.manage", async ({ viewer, request, params, context }) => {
  const accountId = parseId(params["id"])
  const now = context.now()
  const by = byViewer(viewer, context.requestId, now)
  const answer = (result: Partial<Result>, status = 200) =>
    data<Result>({ done: null, error: null, link: null, ...result }, { status })
  const sent = await request.formData()
  const form = formSchema.safeParse({
    ...Object.fromEntries(sent),
    ...(sent.get("intent") === "manages" && { team: sent.getAll("team") }),
  })
  if (!form.success) {
    const isReason = sent.get("intent") === "break_glass"
    return answer(
      {
        error: isReason
          ? `Give a reason of at least ${REASON_LENGTH_MIN} characters; the person reads it.`
          : "That is no choice here.",
      },
      422,
    )
  }
  const values = form.data
  const person = await asTenant(context.db, viewer.orgId, async (tx) =>
    getPerson(tx, accountId, await getToday(tx, now), now),
  )
  if (person === null) throw data("No such person", { status: 404 })
  switch (values.intent) {
    case "role": {
      const { changed, userId } = await asTenant(context.db, viewer.orgId, async (tx) => ({
        changed: await changeRole(tx, { id: accountId, role: values.role, byRole: viewer.role, by }),
        userId: await getUserId(tx, accountId),
      }))
      if (!changed.ok) return answer({ error: REFUSALS[changed.reason] }, changed.reason === "not_found" ? 404 : 409)
      if (changed.isChanged && userId !== null) await endSessions(context.signIn, { userId })
      return answer({
        done: changed.isChanged
          ? `Now ${ROLE_LABELS[values.role]}: ${ROLE_HINTS[values.role]}. They sign in anew.`
          : "That is their role already.",
      })
    }
    case "team": {
      const isMoved = await asTenant(context.db, viewer.orgId, async (tx) =>
        moveToTeam(tx, { accountId, teamId: values.team || null, fromDay: await getToday(tx, now), by }),
      )
      return isMoved
        ? answer({ done: "Moved, from today on. What they did before stays with the team they were in." })
        : answer({ error: "There is no such team any more." }, 404)
    }
    case "manages": {
      await asTenant(context.db, viewer.orgId, (tx) => setManagedTeams(tx, { accountId, teamIds: values.team, by }))
      return answer({ done: "Saved which teams they manage." })
    }
    case "invitation":
    case "password_reset": {
      const link = await giveLink(viewer, context, { accountId, purpose: values.intent })
      return link === null ? answer({ error: REFUSALS.owners_only }, 403) : answer({ link })
    }
    case "remove": {
      const removed = await asTenant(context.db, viewer.orgId, async (tx) =>
        removePerson(tx, { id: accountId, today: await getToday(tx, now), byRole: viewer.role, by }),
      )
      if (!removed.ok) return answer({ error: REFUSALS[removed.reason] }, removed.reason === "not_found" ? 404 : 409)
      if (removed.userId !== null) await deleteUser(context.signIn, removed.userId)
      return redirect(`${paths.people()}?done=removed`)
    }
    case "break_glass": {
      if (!mayDo(viewer.role, "people.break_glass")) return answer({ error: "Only owners can do that." }, 403)
      const { reason, minutes } = values
      const opened = await asTenant(context.db, viewer.orgId, (tx) =>
        openBreakGlass(tx, { accountId, reason, minutes, by: { ...by, actorId: viewer.accountId } }),
      )
      if (opened === null) return answer({ error: REFUSALS.not_found }, 404)
      const isTold = await trySend(context, {
        to: opened.email,
        subject: "Someone opened your own data in Belay",
        text: `${viewer.email} opened your own page in Belay, until ${opened.expiresAt.toISOString()}.\n\nThe reason they gave: ${reason}\n\nEach time they look is on your page: ${context.publicUrl}${paths.me()}\n`,
      })
      if (isTold) await asTenant(context.db, viewer.orgId, (tx) => markTold(tx, opened.id, context.now()))
      return redirect(paths.personData(accountId))
    }
  }
})

export default function PersonPage() {
  const { person, teams, roles, isOneself, isAboveViewer, canBreakGlass, identities, accesses, timeZone } =
    useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state === "submitting"
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">
          <Link to={paths.people()} className="hover:text-ink">
            People
          </Link>{" "}
          / {person.name || person.email}
        </h1>
        <p className="mt-1 text-xl font-semibold tracking-tight break-all">{person.email}</p>
        <p className="mt-1 text-ink-soft">
          {ROLE_LABELS[person.role]}, in {person.teamName ?? "no team"}, {STATES[person.state]}.
        </p>
      </header>
      <PeopleTabs />
      <div className="mt-6 max-w-3xl space-y-8">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        {result?.link && <MadeLink link={result.link} timeZone={timeZone} />}
        <section aria-labelledby="role-and-team">
          <h2 id="role-and-team" className="text-lg font-semibold">
            Role and team
          </h2>
          <div className="mt-3 grid gap-4 sm:grid-cols-2">
            <Form method="post" preventScrollReset className="space-y-3">
              <input type="hidden" name="intent" value="role" />
              <RoleSelect
                key={person.role}
                roles={isAboveViewer ? [person.role] : roles}
                defaultValue={person.role}
                isDisabled={isAboveViewer}
              />
              {isAboveViewer ? (
                <p className="text-xs text-ink-faint">{REFUSALS.owners_only}</p>
              ) : (
                <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
                  <button type="submit" disabled={isBusy} className={buttonClass("quiet")}>
                    Change the role
                  </button>
                  <span className="text-xs text-ink-faint">They sign in anew.</span>
                </div>
              )}
            </Form>
            <Form method="post" preventScrollReset className="space-y-3">
              <input type="hidden" name="intent" value="team" />
              <Select
                label="Team"
                name="team"
                key={person.teamId}
                defaultValue={person.teamId ?? ""}
                hint="What they did until now stays with the team they were in."
              >
                <option value="">None</option>
                <TeamOptions teams={teams} />
              </Select>
              <button type="submit" disabled={isBusy} className={buttonClass("quiet")}>
                Move from today
              </button>
            </Form>
          </div>
        </section>
        {person.role === "manager" && (
          <section aria-labelledby="manages">
            <h2 id="manages" className="text-lg font-semibold">
              Teams they manage
            </h2>
            <p className="mt-1 text-sm text-ink-soft">
              A manager reads the figures of these teams and their sub-teams.
            </p>
            <Form method="post" preventScrollReset className="mt-3">
              <input type="hidden" name="intent" value="manages" />
              <fieldset className="space-y-2">
                <legend className="sr-only">Teams they manage</legend>
                {teams.map((team) => (
                  <label key={team.id} className={`flex items-center gap-2 ${team.parentId === null ? "" : "pl-6"}`}>
                    <input
                      type="checkbox"
                      name="team"
                      value={team.id}
                      defaultChecked={person.manages.some((managed) => managed.id === team.id)}
                      className="size-4 accent-accent"
                    />
                    {team.name}
                  </label>
                ))}
              </fieldset>
              <button type="submit" disabled={isBusy} className={buttonClass("quiet", "mt-3")}>
                Save the teams
              </button>
            </Form>
          </section>
        )}
        <section aria-labelledby="memberships">
          <h2 id="memberships" className="text-lg font-semibold">
            Teams over time
          </h2>
          {person.memberships.length === 0 ? (
            <p className="mt-1 text-ink-soft">They were in no team yet.</p>
          ) : (
            <div className="mt-3">
              <Table caption="Teams over time" titles={["Team", "From", "To"]}>
                {person.memberships.map((membership) => (
                  <tr key={membership.from} className={ROW}>
                    <td className={`${CELL} font-medium`}>{membership.team}</td>
                    <td className={`${CELL} figures`}>{membership.from}</td>
                    <td className={`${CELL} figures`}>
                      {membership.to === null ? "still there" : `before ${membership.to}`}
                    </td>
                  </tr>
                ))}
              </Table>
            </div>
          )}
          {person.pseudonym !== null && (
            <p className="mt-2 text-sm text-ink-soft">
              Where others see them at all, they are <code className="font-mono select-all">{person.pseudonym}</code>
              {identities.length > 0 && <>, with {identities.map((identity) => identity.pseudonym).join(", ")}</>}.
            </p>
          )}
        </section>
        <section aria-labelledby="signing-in">
          <h2 id="signing-in" className="text-lg font-semibold">
            Signing in
          </h2>
          <div className="mt-3 flex flex-wrap gap-2">
            {isAboveViewer && (
              <p className="text-sm text-ink-soft">
                Only owners make links for owners: whoever has one is let in as them.
              </p>
            )}
            {person.state !== "joined" && !isAboveViewer && (
              <Form method="post" preventScrollReset>
                <input type="hidden" name="intent" value="invitation" />
                <button type="submit" disabled={isBusy} className={buttonClass("quiet")}>
                  {person.state === "invited" ? "Make a new invitation" : "Invite"}
                </button>
              </Form>
            )}
            {person.state === "joined" && !isAboveViewer && (
              <Confirm
                trigger="Link for a new password"
                triggerClass={buttonClass("quiet")}
                title={`A link for ${person.email}?`}
                description="With it they set a new password, within an hour. Whoever has the link can, so hand it over where only they read it."
                action="Make the link"
                fields={{ intent: "password_reset" }}
              />
            )}
          </div>
        </section>
        {canBreakGlass && <BreakGlassForm email={person.email} />}
        {accesses.length > 0 && (
          <section aria-labelledby="accesses">
            <h2 id="accesses" className="text-lg font-semibold">
              Who opened their own data
            </h2>
            <ul className="mt-2 space-y-1 text-sm">
              {accesses.map((access) => (
                <li key={access.id}>
                  {access.openedByEmail}, {formatInstant(access.openedAt, timeZone)}: “{access.reason}”
                </li>
              ))}
            </ul>
          </section>
        )}
        {!isOneself && !isAboveViewer && (
          <section aria-labelledby="remove" className="border-t border-line pt-6">
            <h2 id="remove" className="text-lg font-semibold">
              Remove
            </h2>
            <p className="mt-1 text-sm text-ink-soft">
              They can no longer sign in, and what connects them with their telemetry is erased. The figures of their
              teams stay as they are.
            </p>
            <Confirm
              trigger="Remove this person"
              triggerClass={buttonClass("danger", "mt-3")}
              title={`Remove ${person.email}?`}
              description="The link between this person and what they did is erased for good. It cannot be undone, and nobody, they themselves included, can see their own figures again."
              action="Remove and erase"
              cancel="Keep"
              fields={{ intent: "remove" }}
            />
          </section>
        )}
      </div>
    </>
  )
}

const STATES = { joined: "signs in", invited: "invited and not here yet", added: "not invited" } as const

function BreakGlassForm({ email }: { email: string }) {
  return (
    <section aria-labelledby="break-glass">
      <h2 id="break-glass" className="text-lg font-semibold">
        Break glass
      </h2>
      <p className="mt-1 text-sm text-ink-soft">
        Nobody but {email} sees their own data. As an owner you can, for a reason and a limited time; it is in the audit
        log, and they are told.
      </p>
      <Confirm
        trigger="Open their own data"
        triggerClass={buttonClass("quiet", "mt-3")}
        title={`Open the own data of ${email}?`}
        description="They read who looked, when, and the reason you give, on their page and where Belay can mail in an e-mail."
        action="Open it and tell them"
        fields={{ intent: "break_glass" }}
      >
        <Field label="Reason" name="reason" required minLength={10} maxLength={500} />
        <Select label="For how long" name="minutes" defaultValue="15">
          <option value="15">15 minutes</option>
          <option value="60">1 hour</option>
          <option value="240">4 hours</option>
        </Select>
      </Confirm>
    </section>
  )
}
