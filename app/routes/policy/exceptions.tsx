import { data, type MetaFunction } from "@remix-run/node"
import { Link, useActionData, useLoaderData } from "@remix-run/react"
import { DoorOpen } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import {
  decideException,
  endException,
  type ExceptionState,
  listExceptions,
  REASON_LENGTH_MAX,
} from "#server/policy/exceptions.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { listDevelopersOf } from "#server/team/identities.ts"
import { getOrganization } from "#server/team/queries.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"
import { PolicyTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Exceptions · Belay" }]

const PAGE = 50
const STATES: readonly ExceptionState[] = ["requested", "approved", "refused", "ended"]

export const loader = guard("policy.read", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const isManager = mayDo(viewer.role, "policy.manage")
    const own = await listDevelopersOf(tx, viewer.accountId)
    const cursor = cursorSchema.safeParse(Object.fromEntries(search))
    const found = await listExceptions(tx, {
      seenBy: isManager ? null : { accountId: viewer.accountId, developerIds: own },
      states: STATES,
      before: cursor.success ? { requestedAt: cursor.data.before, id: cursor.data.id } : null,
      limit: PAGE + 1,
    })
    const exceptions = found.slice(0, PAGE)
    const last = exceptions.at(-1)
    return {
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      isManager,
      exceptions: exceptions.map((exception) => ({
        ...exception,
        isOwn: exception.requestedById === viewer.accountId,
        isOver: exception.expiresAt <= now,
      })),
      next:
        found.length > PAGE && last !== undefined
          ? `?${new URLSearchParams({ before: last.requestedAt.toISOString(), id: last.id })}`
          : null,
    }
  })
})

const cursorSchema = z.object({ before: z.coerce.date(), id: z.uuid() })

const note = z
  .string()
  .trim()
  .max(REASON_LENGTH_MAX)
  .transform((text) => (text === "" ? null : text))
const formSchema = z.object({ intent: z.enum(["approve", "refuse", "end"]), id: z.uuid(), note })

const REFUSALS = {
  not_found: "There is no such exception.",
  decided: "Somebody has decided it meanwhile.",
  own_request: "You asked for it: somebody else approves it.",
  over: "Its time is over. Ask for a new one.",
} as const

const DONE = {
  approve: "Approved: it counts from now on.",
  refuse: "Refused.",
  end: "Ended: the rule holds again.",
} as const

export const action = guard("policy.manage", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return data({ done: null, error: "This form cannot be read." }, { status: 422 })
  const { intent, id, note: said } = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  const decided = await asTenant(context.db, viewer.orgId, (tx) =>
    intent === "end"
      ? endException(tx, { id, note: said, by })
      : decideException(tx, { id, note: said, by, isApproved: intent === "approve" }),
  )
  if (!decided.ok) {
    return data({ done: null, error: REFUSALS[decided.reason] }, { status: decided.reason === "not_found" ? 404 : 409 })
  }
  return data({ done: DONE[intent], error: null })
})

export default function Exceptions() {
  const { exceptions, isManager, now, timeZone, next } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const waiting = exceptions.filter(({ state, isOver }) => state === "requested" && !isOver).length
  const counting = exceptions.filter(({ state, isOver }) => state === "approved" && !isOver).length
  return (
    <>
      <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1">
          <h1 className="text-sm font-medium text-ink-faint">Exceptions</h1>
          <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
            {counting + waiting === 0
              ? "No exception counts, and none waits to be decided."
              : `${plural(counting, "exception")} ${counting === 1 ? "counts" : "count"}, ${waiting} ${waiting === 1 ? "waits" : "wait"} to be decided.`}
          </p>
          <p className="mt-1 max-w-3xl text-ink-soft">
            An exception lifts one rule for somebody, for a time. Whatever else the policy says still holds.
          </p>
        </div>
        <Link to={paths.newPolicyException()} className={buttonClass("primary")}>
          Ask for one
        </Link>
      </header>
      <PolicyTabs isManager={isManager} />
      <div className="mt-4 space-y-4">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        {exceptions.length === 0 ? (
          <div className="rounded-md border border-line bg-surface px-4 py-12 text-center">
            <DoorOpen aria-hidden className="mx-auto size-6 text-ink-faint" />
            <h2 className="mt-3 text-lg font-semibold">{isManager ? "No exceptions" : "You have none"}</h2>
            <p className="mx-auto mt-1 max-w-md text-ink-soft">
              Whoever is refused something by a rule is given a link to ask for an exception.
            </p>
          </div>
        ) : (
          <Table caption="Exceptions" titles={["Rule", "For", "Why", "State", "Until", "(Actions)"]}>
            {exceptions.map((exception) => (
              <tr key={exception.id} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-medium`}>
                  <code className="font-mono text-xs">{exception.rule}</code>
                </th>
                <td className={CELL}>{exception.team ?? exception.developer ?? "everyone"}</td>
                <td className={TEXT_CELL}>
                  {exception.reason}
                  <span className="block text-xs text-ink-faint">
                    {exception.requestedBy ?? "a former member"}, {formatAge(exception.requestedAt, now)}
                  </span>
                </td>
                <td className={CELL}>
                  {exception.isOver && exception.state !== "refused" && exception.state !== "ended"
                    ? "over"
                    : exception.state}
                  {exception.decidedBy !== null && (
                    <span className="block text-xs text-ink-faint">
                      {exception.decidedBy}
                      {exception.decisionNote !== null && `: ${exception.decisionNote}`}
                    </span>
                  )}
                </td>
                <td className={CELL}>{formatInstant(exception.expiresAt, timeZone)}</td>
                <td className={`${CELL} space-x-4 text-right`}>{isManager && <Decide exception={exception} />}</td>
              </tr>
            ))}
          </Table>
        )}
        {next !== null && (
          <Link to={paths.policyExceptions(next)} className={buttonClass("quiet")}>
            Older exceptions
          </Link>
        )}
      </div>
    </>
  )
}

type Shown = ReturnType<typeof useLoaderData<typeof loader>>["exceptions"][number]

function Decide({ exception: { id, rule, state, isOwn, isOver } }: { exception: Shown }) {
  const whose = <Field label="What you say to it" name="note" maxLength={500} />
  if (state === "approved" && !isOver) {
    return (
      <Confirm
        trigger="End"
        triggerLabel={`End the exception from ${rule}`}
        title={`End the exception from ${rule}?`}
        description="The rule holds again at once. It can be asked for again."
        action="End it"
        cancel="Keep"
        fields={{ intent: "end", id }}
      >
        {whose}
      </Confirm>
    )
  }
  if (state !== "requested") return null
  return (
    <>
      {!isOwn && !isOver && (
        <Confirm
          trigger="Approve"
          triggerLabel={`Approve the exception from ${rule}`}
          triggerClass={rowActionClass("quiet")}
          title={`Approve the exception from ${rule}?`}
          description="It counts at once, and can be ended at any time."
          action="Approve"
          fields={{ intent: "approve", id }}
        >
          {whose}
        </Confirm>
      )}
      <Confirm
        trigger="Refuse"
        triggerLabel={`Refuse the exception from ${rule}`}
        title={`Refuse the exception from ${rule}?`}
        description="Whoever asked sees that, and what you say to it."
        action="Refuse"
        fields={{ intent: "refuse", id }}
      >
        {whose}
      </Confirm>
    </>
  )
}
