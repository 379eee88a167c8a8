import { data, type MetaFunction } from "@remix-run/node"
import { Form, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { ROLES } from "#server/team/people.ts"
import { getToday } from "#server/team/queries.ts"
import {
  getSettings,
  GROUP_SIZE_MAX,
  GROUP_SIZE_MIN,
  listGroupMappings,
  mapGroup,
  saveSettings,
  unmapGroup,
} from "#server/team/settings.ts"
import { listTeamTree } from "#server/team/teams.ts"
import { guard } from "../../lib/guard.server.ts"
import { ROLE_LABELS } from "../../lib/roles.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { CELL, ROW, Table } from "../../ui/table.tsx"
import { TeamOptions } from "../people/team-options.tsx"
import { SettingsTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Settings · Belay" }]

/** Owners are made by hand. */
const GIVEN_ROLES = ROLES.filter((role) => role !== "owner")

export const loader = guard("settings.manage", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => ({
    settings: await getSettings(tx),
    groups: await listGroupMappings(tx),
    teams: await listTeamTree(tx, await getToday(tx, context.now())),
    timeZones: Intl.supportedValuesOf("timeZone"),
    groupSizeMin: GROUP_SIZE_MIN,
    groupSizeMax: GROUP_SIZE_MAX,
    provider: context.providerName,
    canMail: context.mailer !== null,
    roles: GIVEN_ROLES,
    callbackUrl: `${context.publicUrl}/auth/callback/oidc`,
  })),
)

const role = z.union([z.enum(ROLES), z.literal("").transform(() => null)])
const formSchema = z.discriminatedUnion("intent", [
  z.object({
    intent: z.literal("settings"),
    name: z.string().trim().min(1, "Give the organization a name.").max(80),
    timeZone: z.string().refine((zone) => zone === "UTC" || Intl.supportedValuesOf("timeZone").includes(zone), {
      message: "There is no such time zone.",
    }),
    minGroupSize: z.coerce
      .number()
      .int()
      .min(GROUP_SIZE_MIN, `Never below ${GROUP_SIZE_MIN}.`)
      .max(GROUP_SIZE_MAX, `At most ${GROUP_SIZE_MAX}.`),
    ssoDefaultRole: role,
    policyNeedsReview: z
      .literal("on")
      .optional()
      .transform((value) => value === "on"),
  }),
  z.object({
    intent: z.literal("map"),
    group: z.string().trim().min(1).max(200),
    role,
    team: z.union([z.uuid(), z.literal("").transform(() => null)]),
  }),
  z.object({ intent: z.literal("unmap"), id: z.uuid() }),
])

interface Result {
  readonly done: string | null
  readonly error: string | null
  readonly errors: Readonly<Record<string, readonly string[] | undefined>>
}

export const action = guard("settings.manage", async ({ viewer, request, context }) => {
  const answer = (result: Partial<Result>, status = 200) =>
    data<Result>({ done: null, error: null, errors: {}, ...result }, { status })
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) {
    const { fieldErrors } = z.flattenError(form.error)
    return answer({ error: "That was not saved.", errors: fieldErrors }, 422)
  }
  const values = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  return asTenant(context.db, viewer.orgId, async (tx) => {
    if (values.intent === "settings") {
      if (values.ssoDefaultRole === "owner") return answer({ error: "Owners are made by hand." }, 422)
      await saveSettings(tx, values, by)
      return answer({ done: "Saved." })
    }
    if (values.intent === "unmap") {
      return (await unmapGroup(tx, { id: values.id, by }))
        ? answer({ done: "Removed. Who has a role or team from it keeps them." })
        : answer({ error: "There is no such group any more." }, 404)
    }
    if (values.role === "owner") return answer({ error: "Owners are made by hand." }, 422)
    if (values.role === null && values.team === null) return answer({ error: "Choose a role, a team or both." }, 422)
    const isMapped = await mapGroup(tx, { name: values.group, role: values.role, teamId: values.team, by })
    return isMapped
      ? answer({ done: `Saved. It counts from the next sign-in of ${values.group} on.` })
      : answer({ error: "There is no such team any more." }, 404)
  })
})

export default function Settings() {
  const { settings, groups, teams, timeZones, groupSizeMin, groupSizeMax, provider, canMail, roles, callbackUrl } =
    useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const doneKey = useDoneKey(result, result?.done != null)
  const isBusy = useNavigation().state === "submitting"
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Settings</h1>
        <p className="mt-1 text-xl font-semibold tracking-tight text-balance">
          {settings.name}: days begin in {settings.timeZone}, figures of fewer than {settings.minGroupSize} people are
          withheld.
        </p>
      </header>
      <SettingsTabs />
      <div className="mt-4 max-w-3xl space-y-8">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        <Form method="post" preventScrollReset className="space-y-4">
          <input type="hidden" name="intent" value="settings" />
          <h2 className="text-lg font-semibold">Organization</h2>
          <Field
            label="Name"
            name="name"
            defaultValue={settings.name}
            required
            maxLength={80}
            error={result?.errors["name"]?.[0]}
          />
          <Select label="Time zone, in which days and weeks begin" name="timeZone" defaultValue={settings.timeZone}>
            {["UTC", ...timeZones.filter((zone) => zone !== "UTC")].map((zone) => (
              <option key={zone} value={zone}>
                {zone}
              </option>
            ))}
          </Select>
          <Field
            label="Fewest people behind a figure (k)"
            name="minGroupSize"
            type="number"
            min={groupSizeMin}
            max={groupSizeMax}
            defaultValue={settings.minGroupSize}
            required
            hint={`Never below ${groupSizeMin}; the database itself withholds smaller groups, and what would reveal them by a difference.`}
            error={result?.errors["minGroupSize"]?.[0]}
          />
          <Select
            label="Role of people whom the identity provider sends and no group maps"
            name="ssoDefaultRole"
            defaultValue={settings.ssoDefaultRole ?? ""}
          >
            <option value="">None: only mapped groups get in</option>
            {roles.map((given) => (
              <option key={given} value={given}>
                {ROLE_LABELS[given]}
              </option>
            ))}
          </Select>
          <label className="flex items-start gap-2 text-sm">
            <input
              type="checkbox"
              name="policyNeedsReview"
              defaultChecked={settings.policyNeedsReview}
              className="mt-0.5 size-4 accent-(--accent)"
            />
            <span>A second person looks at every change of a policy and publishes it</span>
          </label>
          <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
            Save the settings
          </button>
        </Form>
        <section aria-labelledby="single-sign-on">
          <h2 id="single-sign-on" className="text-lg font-semibold">
            Single sign-on
          </h2>
          <p className="mt-1 text-ink-soft">
            {provider === null ? (
              <>
                Off. Set <code className="font-mono text-xs">BELAY_OIDC_ISSUER</code>,{" "}
                <code className="font-mono text-xs">BELAY_OIDC_CLIENT_ID</code> and{" "}
                <code className="font-mono text-xs">BELAY_OIDC_CLIENT_SECRET</code>, and give your provider{" "}
                <code className="font-mono text-xs break-all select-all">{callbackUrl}</code> as the redirect address.
              </>
            ) : (
              <>
                People sign in with {provider}. Its redirect address is{" "}
                <code className="font-mono text-xs break-all select-all">{callbackUrl}</code>.
              </>
            )}
          </p>
          {groups.length > 0 && (
            <div className="mt-3">
              <Table caption="Groups of the identity provider" titles={["Group", "Role", "Team", "(Actions)"]}>
                {groups.map((group) => (
                  <tr key={group.id} className={ROW}>
                    <th scope="row" className={`${CELL} text-left font-mono text-xs font-normal`}>
                      {group.name}
                    </th>
                    <td className={CELL}>{group.role === null ? "unchanged" : ROLE_LABELS[group.role]}</td>
                    <td className={CELL}>{group.team ?? "unchanged"}</td>
                    <td className={`${CELL} text-right`}>
                      <Confirm
                        trigger="Remove"
                        triggerLabel={`Remove the mapping of ${group.name}`}
                        title={`Remove the mapping of ${group.name}?`}
                        description="Whoever has a role or team from it keeps them; the next sign-in changes nothing."
                        action="Remove"
                        cancel="Keep"
                        fields={{ intent: "unmap", id: group.id }}
                      />
                    </td>
                  </tr>
                ))}
              </Table>
            </div>
          )}
          <Form method="post" preventScrollReset className="mt-4 grid items-end gap-3 sm:grid-cols-4" key={doneKey}>
            <input type="hidden" name="intent" value="map" />
            <Field label="Group" name="group" required maxLength={200} />
            <Select label="Gives the role" name="role" defaultValue="">
              <option value="">unchanged</option>
              {roles.map((given) => (
                <option key={given} value={given}>
                  {ROLE_LABELS[given]}
                </option>
              ))}
            </Select>
            <Select label="Puts in the team" name="team" defaultValue="">
              <option value="">unchanged</option>
              <TeamOptions teams={teams} />
            </Select>
            <button type="submit" disabled={isBusy} className={buttonClass("quiet", "h-10")}>
              Map the group
            </button>
          </Form>
        </section>
        <section aria-labelledby="mail">
          <h2 id="mail" className="text-lg font-semibold">
            E-mail
          </h2>
          <p className="mt-1 text-ink-soft">
            {canMail ? (
              "Invitations, links for a new password and break-glass notices are mailed."
            ) : (
              <>
                Off: links are handed out by hand. Set <code className="font-mono text-xs">BELAY_SMTP_URL</code> and{" "}
                <code className="font-mono text-xs">BELAY_MAIL_FROM</code>.
              </>
            )}
          </p>
        </section>
      </div>
    </>
  )
}
