import { data, type MetaFunction, redirect } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useLocation, useNavigation } from "@remix-run/react"
import { lazy, Suspense } from "react"
import { RUNGS } from "#sdk/ladder.ts"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { removeObjective, setObjective } from "#server/slo/commands.ts"
import { DEFAULT_OBJECTIVES } from "#server/slo/objectives.ts"
import { getObjective } from "#server/slo/queries.ts"
import { formatCount, formatDay, formatDuration, formatInstant, formatShare, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { parseId } from "../../lib/params.server.ts"
import { paths } from "../../lib/paths.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { buttonClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { Select } from "../../ui/select.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { RUNG_LABELS } from "../ladder/rungs.ts"
import { SeverityBadge } from "./badges.tsx"
import { applyFields, loadObjective, NEW_OBJECTIVE } from "./objective.server.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Latency objective · Belay" }]

const SlowShare = lazy(() => import("../../charts/slow-share.tsx"))

export const loader = guard("alerts.read", ({ viewer, request, params, context }) =>
  loadObjective(viewer, { id: params["id"], search: new URL(request.url).searchParams }, context),
)

const REASONS = {
  not_found: "It is not there any more.",
  out_of_range: "One of the figures is out of its range; nothing was changed.",
  same: "There is an objective of the same scope and threshold already.",
  too_many: "There are as many objectives as there can be.",
  scope_of_default: "What every organization has keeps its scope: add another one for a tool, model or team.",
  no_such_team: "The team is not there any more.",
}

export const action = guard("alert_rules.manage", async ({ viewer, request, params, context }) => {
  const id = params["id"] === NEW_OBJECTIVE ? null : parseId(params["id"])
  const form = await request.formData()
  const by = byViewer(viewer, context.requestId, context.now())
  if (form.get("intent") === "remove") {
    if (id !== null) await asTenant(context.db, viewer.orgId, (tx) => removeObjective(tx, { id, by }))
    return redirect(paths.alertRules())
  }
  const isEnabled = form.get("enabled") !== null
  const set = await asTenant(context.db, viewer.orgId, async (tx) => {
    const base = id === null ? DEFAULT_OBJECTIVES[0] : await getObjective(tx, id)
    const objective = base == null ? null : applyFields(base, form)
    if (objective === null) return { ok: false as const, reason: "out_of_range" as const }
    return setObjective(tx, { objective: { ...objective, id, isEnabled }, by })
  })
  if (!set.ok) return data({ ok: false, message: REASONS[set.reason] }, { status: 422 })
  if (id === null) return redirect(paths.objective(set.id))
  return data({ ok: true, message: "Saved. It counts from the next evaluation on, a few seconds from now." })
})

type Loaded = ReturnType<typeof useLoaderData<typeof loader>>

export default function ObjectivePage() {
  const loaded = useLoaderData<typeof loader>()
  const { objective, isNew, isDefault, canManage, preview } = loaded
  const result = useActionData<typeof action>()
  const name = [RUNG_LABELS[objective.rung], objective.agentTool, objective.model, objective.teamName]
    .filter((part) => part !== null)
    .join(" · ")
  return (
    <>
      <header>
        <Link to={paths.alertRules()} className="text-sm text-ink-soft hover:underline">
          Rules
        </Link>
        <h1 className="mt-2 text-sm font-medium text-ink-faint">
          {isNew ? "New latency objective" : `Latency objective · ${name}`}
        </h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance" aria-live="polite">
          {sentence(loaded)}
        </p>
      </header>
      {result !== undefined && (
        <div className="mt-4">
          <Notice tone={result.ok ? "good" : "bad"}>{result.message}</Notice>
        </div>
      )}
      <div className="mt-4 grid gap-6 lg:grid-cols-[20rem_1fr]">
        {canManage ? <Editor loaded={loaded} /> : <Facts objective={objective} />}
        <div className="min-w-0">
          {preview?.state === "shown" && <PreviewPicture preview={preview} loaded={loaded} />}
          {canManage && !isNew && (
            <div className="mt-6">
              <Confirm
                trigger={isDefault ? "Back to what every organization has" : "Remove the objective"}
                triggerClass={buttonClass("danger")}
                title={isDefault ? "Set this objective back?" : "Remove this objective?"}
                description="Its open alert is over with it. This cannot be undone."
                action={isDefault ? "Set it back" : "Remove"}
                fields={{ intent: "remove" }}
              />
            </div>
          )}
        </div>
      </div>
    </>
  )
}

function sentence({ preview }: Loaded): string {
  if (preview === null) return "With these figures there is nothing to preview."
  if (preview.state === "no_data") return "Nothing was timed here, so there is nothing to preview."
  if (preview.state !== "shown") {
    return "Too few people are behind it to show a preview: it says nothing until they are more."
  }
  const pages = preview.firings.filter(({ severity }) => severity === "page").length
  const tickets = preview.firings.length - pages
  const times = preview.firings.length === 0 ? "not have fired" : `have fired ${plural(preview.firings.length, "time")}`
  const kinds = preview.firings.length === 0 ? "" : `: ${plural(pages, "page")}, ${plural(tickets, "ticket")}`
  return `Over the last 14 days this rule would ${times}${kinds}.`
}

function Facts({ objective }: { objective: Loaded["objective"] }) {
  return (
    <p className="text-ink-soft">
      {formatShare(objective.target)} of requests should take at most {formatDuration(objective.thresholdMs)}.
    </p>
  )
}

function Editor({ loaded }: { loaded: Loaded }) {
  const { objective, isNew, isDefault, names, teams } = loaded
  const isBusy = useNavigation().state !== "idle"
  const { thresholdMs, windowDays, requestsMin } = OBJECTIVE_LIMITS_SHOWN
  return (
    <Form method="post" preventScrollReset className="space-y-4" key={JSON.stringify(objective)}>
      {isDefault ? (
        <p className="text-sm text-ink-soft">
          {RUNG_LABELS[objective.rung]}, of every tool, model and team: one that every organization has.
        </p>
      ) : (
        <>
          <Select label="Rung" name="rung" defaultValue={objective.rung}>
            {RUNGS.toReversed().map((rung) => (
              <option key={rung} value={rung}>
                {RUNG_LABELS[rung]}
              </option>
            ))}
          </Select>
          <Select label="Agent tool" name="tool" defaultValue={objective.agentTool ?? ""}>
            <option value="">Every tool</option>
            {withCurrent(names.agentTools, objective.agentTool).map((tool) => (
              <option key={tool} value={tool}>
                {tool}
              </option>
            ))}
          </Select>
          <Select label="Model" name="model" defaultValue={objective.model ?? ""}>
            <option value="">Every model</option>
            {withCurrent(names.models, objective.model).map((model) => (
              <option key={model} value={model}>
                {model}
              </option>
            ))}
          </Select>
          <Select
            label="Team"
            name="team"
            defaultValue={objective.teamId ?? ""}
            hint="With its sub-teams. Whoever changes teams counts to the new one from the next day on."
          >
            <option value="">Everybody</option>
            {teams.map((team) => (
              <option key={team.id} value={team.id}>
                {team.name}
              </option>
            ))}
          </Select>
        </>
      )}
      <Field
        label="Quick enough, milliseconds"
        name="threshold"
        type="number"
        step="any"
        required
        {...thresholdMs}
        defaultValue={objective.thresholdMs}
      />
      <Field
        label="Requests that should be, %"
        name="target"
        type="number"
        step="any"
        min={50}
        max={99.99}
        required
        defaultValue={Number((objective.target * 100).toFixed(4))}
      />
      <Field
        label="Window of the error budget, days"
        name="window"
        type="number"
        required
        {...windowDays}
        defaultValue={objective.windowDays}
      />
      <Field
        label="Requests in a long window, at least"
        name="requests"
        type="number"
        required
        {...requestsMin}
        defaultValue={objective.requestsMin}
        hint="Below that, a burn rate says nothing."
      />
      <label className="flex items-center gap-2 text-sm">
        <input type="checkbox" name="enabled" defaultChecked={objective.isEnabled} className="size-4" />
        Watched
      </label>
      <div className="flex flex-wrap gap-2">
        <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
          {isNew ? "Add the objective" : "Save the objective"}
        </button>
        {/* What is typed goes into the address, so that a preview can be sent on. */}
        <button type="submit" formMethod="get" disabled={isBusy} className={buttonClass("quiet")}>
          Preview
        </button>
      </div>
    </Form>
  )
}

/** As the server has it; the ones of the browser are a help alone. */
const OBJECTIVE_LIMITS_SHOWN = {
  thresholdMs: { min: 1, max: 86_400_000 },
  windowDays: { min: 7, max: 90 },
  requestsMin: { min: 1, max: 1_000_000 },
}

function withCurrent(names: readonly string[], current: string | null): readonly string[] {
  return current === null || names.includes(current) ? names : [current, ...names]
}

const HEIGHT = 260

function PreviewPicture({
  preview,
  loaded,
}: {
  preview: Extract<NonNullable<Loaded["preview"]>, { state: "shown" }>
  loaded: Loaded
}) {
  const { objective, isNew, timeZone } = loaded
  const { search } = useLocation()
  const isInBrowser = useInBrowser()
  const allowed = 1 - objective.target
  const instant = (at: number) => formatInstant(new Date(at), timeZone)
  return (
    <section aria-labelledby="preview">
      <div className="flex flex-wrap items-baseline justify-between gap-2">
        <h2 id="preview" className="text-lg font-semibold">
          Slower than {formatDuration(objective.thresholdMs)}, by the hour
        </h2>
        <a
          href={paths.objectivePreviewCsv(isNew ? "new" : objective.id, search)}
          download
          className="text-sm text-accent underline underline-offset-2"
        >
          CSV
        </a>
      </div>
      <div className="mt-2 rounded-md border border-line bg-surface p-3" style={{ minHeight: HEIGHT + 24 }}>
        {isInBrowser && (
          <Suspense fallback={null}>
            <SlowShare
              points={preview.hours.map(({ at, requests, slowShare }) => ({
                at,
                value: slowShare,
                tooltip: [
                  instant(at),
                  slowShare === null ? "nothing was timed" : `${formatShare(slowShare)} slower`,
                  plural(requests, "request"),
                ],
              }))}
              from={preview.from}
              to={preview.to}
              allowed={{ value: allowed, label: `${Number((allowed * 100).toFixed(2))} % allowed` }}
              firings={preview.firings.map(({ openedAt, resolvedAt, severity }) => ({
                from: openedAt,
                to: resolvedAt ?? preview.to,
                isPage: severity === "page",
              }))}
              formatValue={formatShare}
              formatTime={(at) => formatDay(new Date(at), timeZone)}
              height={HEIGHT}
            />
          </Suspense>
        )}
      </div>
      <p className="mt-2 text-xs text-ink-faint">
        From {formatCount(preview.overall.requests)} requests, of which {formatCount(Math.round(preview.overall.slow))}{" "}
        were slower. By the minute for the last two days; before that hours are taken to be even. Requests within 10 %
        of the threshold are estimated.
      </p>
      {preview.firings.length > 0 && (
        <div className="mt-3">
          <Table
            caption="When it would have fired"
            titles={["Opened", "Over", "Severity", "Burn rate"]}
            figures={["Burn rate"]}
          >
            {preview.firings.toReversed().map((firing) => (
              <tr key={firing.openedAt} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-normal`}>
                  {instant(firing.openedAt)}
                </th>
                <td className={CELL}>
                  {firing.resolvedAt === null
                    ? "not yet"
                    : `after ${formatDuration(firing.resolvedAt - firing.openedAt)}`}
                </td>
                <td className={CELL}>
                  <SeverityBadge severity={firing.severity} />
                </td>
                <td className={FIGURE_CELL}>{firing.longRate.toFixed(1)}</td>
              </tr>
            ))}
          </Table>
        </div>
      )}
    </section>
  )
}
