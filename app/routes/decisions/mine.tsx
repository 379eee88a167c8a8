import type { MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { asTenant } from "#server/db/tenant.ts"
import { describeRules, listOwnDecisions } from "#server/policy/decisions.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { CELL, ROW, Table } from "../../ui/table.tsx"
import { EffectBadge } from "./effect.tsx"
import { describeWhy } from "./words.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "My decisions · Belay" }]

const PER_PAGE = 200

export const loader = guard("signed_in", async ({ viewer, request, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => {
    const now = context.now()
    const developerIds = await listDevelopersOf(tx, viewer.accountId)
    const asked = new Date(new URL(request.url).searchParams.get("before") ?? Number.NaN)
    const before = Number.isNaN(asked.getTime()) ? new Date(now.getTime() + 1) : asked
    const { decisions, earlierBefore } =
      developerIds.length === 0
        ? { decisions: [], earlierBefore: null }
        : await listOwnDecisions(tx, { developerIds, before, limit: PER_PAGE })
    const rules = await describeRules(
      tx,
      decisions.flatMap(({ rule, layer, policyVersion }) =>
        rule === null || layer === null || policyVersion === null ? [] : [{ rule, layer, policyVersion }],
      ),
    )
    return {
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      isNewest: Number.isNaN(asked.getTime()),
      earlierBefore,
      decisions: decisions.map((decision) => ({
        ...decision,
        text:
          rules.find(
            ({ rule, layer, policyVersion }) =>
              rule === decision.rule && layer === decision.layer && policyVersion === decision.policyVersion,
          )?.text ?? null,
      })),
    }
  }),
)

export default function OwnDecisions() {
  const { decisions, earlierBefore, isNewest, now, timeZone } = useLoaderData<typeof loader>()
  const denied = decisions.filter(({ effect }) => effect === "deny").length
  const asked = decisions.filter(({ effect }) => effect === "ask").length
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">My decisions</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {decisions.length === 0
            ? "No policy decided on anything that your agents did."
            : `Of ${plural(decisions.length, "decision")} on what your agents did, ${denied} stopped them and ${asked} asked you first.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">Nobody but you sees these one by one.</p>
      </header>
      {decisions.length > 0 && (
        <div className="mt-4">
          <Table caption="My decisions" titles={["When", "Decided", "Action", "Why", "Agent tool", "Repository"]}>
            {decisions.map((decision) => (
              <tr key={decision.id} className={`${ROW} align-top`}>
                <td className={`${CELL} py-2.5`}>
                  <time
                    dateTime={decision.observedAt.toISOString()}
                    title={formatInstant(decision.observedAt, timeZone)}
                  >
                    {formatAge(decision.observedAt, now)}
                  </time>
                </td>
                <td className={`${CELL} py-2.5`}>
                  <EffectBadge effect={decision.effect} />
                </td>
                <td className={`${CELL} py-2.5 font-mono text-xs leading-5`}>{decision.action ?? "–"}</td>
                <td className="min-w-72 px-3 py-2.5 md:px-4">
                  <p>{describeWhy(decision)}</p>
                  {decision.text !== null && (
                    <p className="mt-0.5 text-sm break-words text-ink-soft">{decision.text}.</p>
                  )}
                  {decision.rule !== null && decision.effect !== "allow" && (
                    <Link
                      to={paths.newPolicyException(decision.rule)}
                      aria-label={`Ask for an exception from ${decision.rule}`}
                      className={rowActionClass("quiet")}
                    >
                      Ask for an exception
                    </Link>
                  )}
                </td>
                <td className={`${CELL} py-2.5`}>{decision.agentTool}</td>
                <td className={`${CELL} py-2.5`}>{decision.repository ?? "–"}</td>
              </tr>
            ))}
          </Table>
        </div>
      )}
      <nav aria-label="Pages of my decisions" className="mt-3 flex gap-2">
        {!isNewest && (
          <Link to={paths.ownDecisions()} className={buttonClass("quiet")}>
            Newest
          </Link>
        )}
        {earlierBefore !== null && (
          <Link
            to={paths.ownDecisions(`?before=${encodeURIComponent(earlierBefore.toISOString())}`)}
            className={buttonClass("quiet")}
          >
            Earlier
          </Link>
        )}
      </nav>
    </>
  )
}
