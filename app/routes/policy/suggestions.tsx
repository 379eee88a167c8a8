import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { Lightbulb } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import type { Risk } from "#server/policy/risk.ts"
import {
  approveSuggestion,
  dismissSuggestion,
  listSuggestions,
  type Suggestion,
  SUGGESTION_DAYS,
} from "#server/policy/suggestions.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatCount, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Notice } from "../../ui/notice.tsx"
import { Changes } from "./changes.tsx"
import { PolicyTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Suggested rules · Belay" }]

export const loader = guard("policy.manage", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => ({
    days: SUGGESTION_DAYS,
    minGroupSize: (await getOrganization(tx)).minGroupSize,
    suggestions: await listSuggestions(tx, context.now()),
  })),
)

const formSchema = z.object({
  intent: z.enum(["approve", "dismiss", "restore"]),
  id: z.string().min(1).max(200),
})

export const action = guard("policy.manage", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ done: null, error: "This form cannot be read." }, { status: 422 })
  const { intent, id } = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  return asTenant(context.db, viewer.orgId, async (tx) => {
    if (intent !== "approve") {
      await dismissSuggestion(tx, { id, isDismissed: intent === "dismiss", by })
      const done = intent === "dismiss" ? "Dismissed. It stands below, if you think again." : "It is suggested again."
      return data({ done, error: null })
    }
    const approved = await approveSuggestion(tx, { id, by })
    if (approved.ok) return redirect(paths.policy({ kind: "organization", id: null }))
    const error =
      approved.reason === "gone"
        ? "It is not suggested any more: the policy decides it by now, or nobody was asked."
        : "Somebody changed the draft meanwhile. Try again."
    return data({ done: null, error }, { status: 409 })
  })
})

const RISK_WORDS: Record<Risk, string> = {
  read_only: "Reads only",
  workspace: "Writes in the workspace",
  network: "Uses the network",
  destructive: "Destructive",
  credential: "Touches credentials",
}

export default function Suggestions() {
  const { suggestions, days, minGroupSize } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const open = suggestions.filter(({ isDismissed }) => !isDismissed)
  const dismissed = suggestions.filter(({ isDismissed }) => isDismissed)
  const prompts = open.reduce((sum, { redundantPrompts }) => sum + redundantPrompts, 0)
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Suggested rules</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {open.length === 0
            ? `No rule to suggest from the last ${days} days.`
            : `${plural(open.length, "rule")} would have spared people ${plural(prompts, "question")} in the last ${days} days.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          People were asked again about what they had approved in the same repository within {days} days. Nothing is
          suggested that may destroy something or show a secret, that people also refused, or that fewer than{" "}
          {minGroupSize} people were asked about.
        </p>
      </header>
      <PolicyTabs isManager />
      <div className="mt-4 space-y-4">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        {open.length === 0 && (
          <div className="rounded-md border border-line bg-surface px-4 py-12 text-center">
            <Lightbulb aria-hidden className="mx-auto size-6 text-ink-faint" />
            <h2 className="mt-3 text-lg font-semibold">Nothing to suggest</h2>
            <p className="mx-auto mt-1 max-w-md text-ink-soft">
              Once several people keep approving the same harmless thing, the rule that spares them stands here.
            </p>
          </div>
        )}
        {open.map((suggestion) => (
          <Card key={suggestion.id} suggestion={suggestion} />
        ))}
        {dismissed.length > 0 && (
          <section aria-labelledby="dismissed">
            <h2 id="dismissed" className="text-lg font-semibold">
              Dismissed
            </h2>
            <ul className="mt-2 space-y-1">
              {dismissed.map(({ id, text }) => (
                <li key={id} className="flex flex-wrap items-baseline gap-x-3 text-ink-soft">
                  <span className="min-w-0 break-words">{text}</span>
                  <Form method="post" preventScrollReset>
                    <input type="hidden" name="id" value={id} />
                    <button
                      name="intent"
                      value="restore"
                      aria-label={`Suggest again: ${text}`}
                      className={rowActionClass("quiet")}
                    >
                      Suggest again
                    </button>
                  </Form>
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
    </>
  )
}

function Card({ suggestion }: { suggestion: Suggestion }) {
  const { id, action, repository, risk, rule, text, redundantPrompts, people } = suggestion
  const isBusy = useNavigation().state === "submitting"
  return (
    <section
      aria-label={`${action} in ${repository ?? "any repository"}`}
      className="rounded-md border border-line bg-surface p-4"
    >
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 basis-full sm:flex-1 sm:basis-0">
          <h2 className="break-words">
            <code className="font-mono text-sm font-medium">{action}</code>{" "}
            <span className="text-sm text-ink-faint">
              {repository === null ? "in any repository" : `in ${repository}`}
            </span>
          </h2>
          <p className="figures mt-1 text-sm text-ink-soft">
            {RISK_WORDS[risk]} · {plural(redundantPrompts, "question")} that {formatCount(people)} people had answered
            before
          </p>
        </div>
        <Form method="post" preventScrollReset className="flex flex-wrap gap-2">
          <input type="hidden" name="id" value={id} />
          <button
            name="intent"
            value="approve"
            disabled={isBusy}
            aria-label={`Put into the draft: ${text}`}
            className={buttonClass("primary")}
          >
            Put into the draft
          </button>
          <button
            name="intent"
            value="dismiss"
            disabled={isBusy}
            aria-label={`Dismiss: ${text}`}
            className={buttonClass("quiet")}
          >
            Dismiss
          </button>
        </Form>
      </div>
      <div className="mt-3">
        <Changes
          changes={[{ key: `permissions.rules.${rule.id}`, section: "permissions", before: null, after: text }]}
          titles={["Now", "With it"]}
        />
      </div>
    </section>
  )
}
