import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { z } from "zod"
import { policyFacts } from "#sdk/policy/facts.ts"
import { asTenant } from "#server/db/tenant.ts"
import { bundleOf, readPolicies, teamsOf } from "#server/policy/bundles.ts"
import { EXCEPTION_DAYS_MAX, REASON_LENGTH_MAX, requestException } from "#server/policy/exceptions.ts"
import { listTeams } from "#server/rungs/queries.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { mayDo } from "#server/team/roles.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Ask for an exception · Belay" }]

export const loader = guard("policy.read", async ({ viewer, request, context }) => {
  const asked = new URL(request.url).searchParams.get("rule")?.slice(0, 120) ?? ""
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const policies = await readPolicies(tx, context.now())
    const isManager = mayDo(viewer.role, "policy.manage")
    const [developerId = null] = await listDevelopersOf(tx, viewer.accountId)
    const bundle = bundleOf(policies, developerId)
    const rules = (bundle?.layers ?? []).flatMap(({ document }) =>
      policyFacts(document).flatMap(({ key, text }) => {
        const rule = key.startsWith("permissions.rules.") ? key.slice("permissions.rules.".length) : key
        return key === "description" || key.endsWith(".reason") || key.endsWith(".owner") ? [] : [{ rule, text }]
      }),
    )
    const own = new Set(teamsOf(policies, developerId))
    const teams = (await listTeams(tx)).filter(({ id }) => isManager || own.has(id))
    return { asked, rules, teams, isManager, hasPerson: developerId !== null }
  })
})

const formSchema = z.object({
  rule: z.string().trim().min(1, "Say from which rule.").max(120),
  reason: z.string().trim().min(3, "Say why it is needed.").max(REASON_LENGTH_MAX),
  days: z.coerce
    .number()
    .int()
    .min(1, "For a day at least.")
    .max(EXCEPTION_DAYS_MAX, `For ${EXCEPTION_DAYS_MAX} days at most.`),
  scope: z.string(),
})

export const action = guard("policy.read", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  const refuse = (message: string, status: number) => data({ error: message }, { status })
  if (!form.success) return refuse(form.error.issues[0]?.message ?? "This form cannot be read.", 422)
  const { rule, reason, days, scope } = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  const isManager = mayDo(viewer.role, "policy.manage")
  const asked = await asTenant(context.db, viewer.orgId, async (tx) => {
    const [developerId = null] = await listDevelopersOf(tx, viewer.accountId)
    const args = { rule, layer: null, reason, days, by }
    if (scope === "me" && developerId !== null) return requestException(tx, { ...args, teamId: null, developerId })
    if (scope === "everyone" && isManager) return requestException(tx, { ...args, teamId: null, developerId: null })
    const teamId = z.uuid().safeParse(scope)
    const own = teamsOf(await readPolicies(tx, context.now()), developerId)
    if (!teamId.success || !(isManager || own.includes(teamId.data))) return null
    return requestException(tx, { ...args, teamId: teamId.data, developerId: null })
  })
  if (asked === null) return refuse("Choose for whom: yourself or a team that you are in.", 422)
  if (!asked.ok) return refuse("There is no such team or person any more.", 404)
  return redirect(paths.policyExceptions())
})

export default function NewException() {
  const { asked, rules, teams, isManager, hasPerson } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const isBusy = useNavigation().state === "submitting"
  const isKnown = rules.some(({ rule }) => rule === asked)
  return (
    <>
      <header>
        <p className="text-sm text-ink-faint">
          <Link to={paths.policyExceptions()} className="hover:text-ink hover:underline">
            Exceptions
          </Link>
        </p>
        <h1 className="mt-1 text-xl font-semibold tracking-tight">Ask for an exception</h1>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Somebody who may change policies decides. It lifts one rule, for a time; all others still hold.
        </p>
      </header>
      <Form method="post" className="mt-4 max-w-xl space-y-4">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {rules.length === 0 ? (
          <Field
            label="Rule"
            name="rule"
            required
            maxLength={120}
            defaultValue={asked}
            hint="Its id, as the refusal says."
          />
        ) : (
          <Select label="Rule" name="rule" defaultValue={isKnown ? asked : ""} required>
            <option value="" disabled>
              Choose one
            </option>
            {rules.map(({ rule, text }) => (
              <option key={`${rule} ${text}`} value={rule}>
                {text}
              </option>
            ))}
          </Select>
        )}
        <Select label="For whom" name="scope" defaultValue={hasPerson ? "me" : isManager ? "everyone" : teams[0]?.id}>
          {hasPerson && <option value="me">Me</option>}
          {teams.map((team) => (
            <option key={team.id} value={team.id}>
              {team.name}
            </option>
          ))}
          {isManager && <option value="everyone">Everyone</option>}
        </Select>
        <Field label="Why it is needed" name="reason" required minLength={3} maxLength={500} />
        <Field label="For how many days" name="days" type="number" min={1} max={90} defaultValue={7} required />
        <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10")}>
          Ask
        </button>
      </Form>
    </>
  )
}
