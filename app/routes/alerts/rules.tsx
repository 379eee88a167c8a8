import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData } from "@remix-run/react"
import { Plus } from "lucide-react"
import { z } from "zod"
import { isReadable } from "#server/alert/commands.ts"
import { listRules, setRule } from "#server/alert/rule-store.ts"
import { parseRule, type Rule } from "#server/alert/rules.ts"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { budgetLeft, burnRate } from "#server/slo/burn.ts"
import { scopeKey } from "#server/slo/objectives.ts"
import { listObjectives } from "#server/slo/queries.ts"
import { findShownScopes, readBudgets, readHistograms, readingsOf } from "#server/slo/readings.ts"
import { getOrganization } from "#server/team/queries.ts"
import { findReadableTeams } from "#server/team/readable-teams.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatDuration, formatShare, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { Field } from "../../ui/field.tsx"
import { WithheldMark } from "../../ui/figure.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { SeverityBadge } from "./badges.tsx"
import { RULE_WORDS, settingToText, textToSetting } from "./rule-words.ts"
import { AlertTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Alert rules · Belay" }]

const PAGE = 100

export const loader = guard("alerts.read", async ({ viewer, request, context }) => {
  const at = context.now()
  const page = Math.max(1, Number(new URL(request.url).searchParams.get("page")) || 1)
  const { all, readable } = await asTenant(context.db, viewer.orgId, async (tx) => ({
    all: await listObjectives(tx),
    readable: await findReadableTeams(tx, viewer, at),
  }))
  const objectives = all.slice((page - 1) * PAGE, page * PAGE)
  const scopes = objectives.filter((objective) => isReadable(objective, readable))
  // Of weeks, which a few minutes change little.
  const { shown, budgets } = await context.answers.get({
    orgId: viewer.orgId,
    of: { page: "alert rules", objectives: scopes },
    now: at,
    at: (time) => ({
      period: {},
      ask: async (tx) => ({
        shown: await findShownScopes(tx, { scopes, at: time }),
        budgets: await readBudgets(tx, { objectives: scopes, at: time }),
      }),
    }),
  })
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const histograms = scopes.length === 0 ? new Map<string, never>() : await readHistograms(tx, { scopes, at })
    return {
      minGroupSize: (await getOrganization(tx)).minGroupSize,
      page,
      pages: Math.max(1, Math.ceil(all.length / PAGE)),
      enabled: all.filter(({ isEnabled }) => isEnabled).length,
      objectives: objectives.map((objective) => {
        const hour = readingsOf(objective, histograms.get(scopeKey(objective)))["1 h"]
        const budget = budgets.get(objective.id) ?? { requests: 0, slow: 0 }
        const isShown = shown.has(scopeKey(objective))
        return {
          ...objective,
          state: isShown
            ? budget.requests === 0
              ? ("no_data" as const)
              : ("shown" as const)
            : budget.requests === 0 && scopes.includes(objective)
              ? ("no_data" as const)
              : ("withheld" as const),
          burn: isShown ? burnRate(hour, objective.target) : null,
          budgetLeft: isShown ? budgetLeft(budget, objective.target) : null,
        }
      }),
      rules: await listRules(tx),
      canManage: mayDo(viewer.role, "alert_rules.manage"),
    }
  })
})

const formSchema = z.looseObject({ kind: z.string(), severity: z.string(), enabled: z.string().optional() })

export const action = guard("alert_rules.manage", async ({ viewer, request, context }) => {
  const parsed = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!parsed.success) throw data("No such rule", { status: 422 })
  const { kind, severity, enabled, ...typed } = parsed.data
  const settings = Object.fromEntries(
    Object.entries(typed).map(([name, text]) => [name, textToSetting(name, String(text))]),
  )
  const rule = parseRule({ kind, settings, severity, isEnabled: enabled !== undefined })
  if (rule === null) {
    return data(
      { ok: false, kind, message: "One of the figures is out of its range; nothing was changed." },
      { status: 422 },
    )
  }
  const by = byViewer(viewer, context.requestId, context.now())
  await asTenant(context.db, viewer.orgId, (tx) => setRule(tx, { rule, by }))
  return { ok: true, kind, message: `${RULE_WORDS[rule.kind].name}: saved. It counts from the next minute on.` }
})

export default function Rules() {
  const loaded = useLoaderData<typeof loader>()
  const { objectives, rules, canManage, pages, page } = loaded
  const result = useActionData<typeof action>()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Alert rules</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{sentence(loaded)}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          An objective says what share of requests should be quick enough. Its error budget is what may be slower. A
          page comes when it burns so fast that it matters at once, a ticket when it would not last.
        </p>
      </header>
      <AlertTabs />
      {result !== undefined && (
        <div className="mt-4">
          <Notice tone={result.ok ? "good" : "bad"}>{result.message}</Notice>
        </div>
      )}
      <section className="mt-4" aria-labelledby="objectives">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <h2 id="objectives" className="text-lg font-semibold">
            Latency objectives
          </h2>
          {canManage && (
            <Link to={paths.newObjective()} className={buttonClass("primary")}>
              <Plus aria-hidden className="size-3.5" />
              Add an objective
            </Link>
          )}
        </div>
        <div className="mt-3">
          <Table
            caption="Latency objectives"
            titles={["Objective", "Quick enough", "Should be, %", "Window, days", "Burn rate, 1 h", "Budget left, %"]}
            figures={["Quick enough", "Should be, %", "Window, days", "Burn rate, 1 h", "Budget left, %"]}
          >
            {objectives.map((one) => (
              <tr key={one.id} className={`${ROW} hover:bg-sunken`}>
                <th scope="row" className={`${CELL} text-left font-medium`}>
                  <Link to={paths.objective(one.id)} className="hover:underline">
                    {[RUNG_LABELS[one.rung], one.agentTool, one.model, one.teamName]
                      .filter((part) => part !== null)
                      .join(" · ")}
                  </Link>
                  {!one.isEnabled && <span className="ml-2 text-xs font-normal text-ink-faint">off</span>}
                </th>
                <td className={FIGURE_CELL}>{formatDuration(one.thresholdMs)}</td>
                <td className={FIGURE_CELL}>{Number((one.target * 100).toFixed(2))}</td>
                <td className={FIGURE_CELL}>{one.windowDays}</td>
                {one.state === "shown" ? (
                  <>
                    <td className={FIGURE_CELL}>{one.burn === null ? "no data" : one.burn.toFixed(1)}</td>
                    <td className={`${FIGURE_CELL} ${(one.budgetLeft ?? 0) <= 0 ? "text-bad" : ""}`}>
                      {one.budgetLeft === null ? "no data" : formatShare(one.budgetLeft)}
                    </td>
                  </>
                ) : (
                  <td className={`${CELL} text-right text-ink-soft`} colSpan={2}>
                    {one.state === "withheld" ? <WithheldMark minGroupSize={loaded.minGroupSize} /> : "no data"}
                  </td>
                )}
              </tr>
            ))}
          </Table>
        </div>
        {pages > 1 && (
          <nav aria-label="Pages of objectives" className="mt-3 flex items-center gap-3 text-sm">
            {page > 1 && <Link to={paths.alertRules(`?page=${page - 1}`)}>Previous</Link>}
            <span className="figures text-ink-faint">
              {page} of {pages}
            </span>
            {page < pages && <Link to={paths.alertRules(`?page=${page + 1}`)}>Next</Link>}
          </nav>
        )}
      </section>
      <section className="mt-8" aria-labelledby="others">
        <h2 id="others" className="text-lg font-semibold">
          Other rules
        </h2>
        <ul className="mt-3 grid gap-3 lg:grid-cols-2">
          {rules.map((rule) => (
            <RuleCard key={rule.kind} rule={rule} canManage={canManage} />
          ))}
        </ul>
      </section>
    </>
  )
}

type Loaded = ReturnType<typeof useLoaderData<typeof loader>>

function sentence({ objectives, enabled, rules }: Loaded): string {
  const used = objectives.filter(({ budgetLeft: left }) => left !== null && left <= 0)
  const [worst] = used.toSorted((a, b) => (a.budgetLeft ?? 0) - (b.budgetLeft ?? 0))
  if (worst !== undefined) {
    return `${RUNG_LABELS[worst.rung]} has used its error budget of ${worst.windowDays} days${used.length === 1 ? "" : `, and ${plural(used.length - 1, "more objective")} as well`}.`
  }
  const on = rules.filter(({ isEnabled }) => isEnabled).length
  return `${plural(enabled, "latency objective")} and ${plural(on, "other rule")} ${enabled + on === 1 ? "is" : "are"} watched; no error budget that is known is used up.`
}

function RuleCard({ rule, canManage }: { rule: Rule; canManage: boolean }) {
  const { name, when, fields } = RULE_WORDS[rule.kind]
  const settings: Readonly<Record<string, number | readonly number[]>> = { ...rule.settings }
  return (
    <li className="min-w-0 rounded-md border border-line bg-surface p-4">
      <h3 className="flex flex-wrap items-center gap-2 font-semibold">
        {name} <SeverityBadge severity={rule.severity} />
        {!rule.isEnabled && <span className="text-sm font-normal text-ink-faint">off</span>}
      </h3>
      <p className="mt-1 text-sm text-ink-soft">{when}</p>
      <dl className="mt-2 grid grid-cols-[1fr_auto] gap-x-4 text-sm">
        {Object.entries(fields).map(([field, label]) => (
          <div key={field} className="contents">
            <dt className="text-ink-faint">{label}</dt>
            <dd className="figures text-right">{settingToText(field, settings[field] ?? 0)}</dd>
          </div>
        ))}
      </dl>
      {canManage && (
        <details className="mt-3">
          <summary className="cursor-pointer text-sm text-ink-soft hover:underline">
            Change<span className="sr-only"> {name}</span>
          </summary>
          <Form method="post" preventScrollReset className="mt-3 space-y-3" key={JSON.stringify(rule)}>
            <input type="hidden" name="kind" value={rule.kind} />
            {Object.entries(fields).map(([field, label]) => (
              <Field
                key={field}
                label={label}
                name={field}
                inputMode="decimal"
                required
                defaultValue={settingToText(field, settings[field] ?? 0)}
              />
            ))}
            <Select label="Severity" name="severity" defaultValue={rule.severity}>
              <option value="page">Page</option>
              <option value="ticket">Ticket</option>
            </Select>
            <label className="flex items-center gap-2 text-sm">
              <input type="checkbox" name="enabled" defaultChecked={rule.isEnabled} className="size-4" />
              Watched
            </label>
            <button type="submit" className={buttonClass("primary")}>
              Save
            </button>
          </Form>
        </details>
      )}
    </li>
  )
}
