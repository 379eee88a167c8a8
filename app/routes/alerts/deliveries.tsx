import { Form } from "@remix-run/react"
import type { ListedDelivery } from "#server/alert/queries.ts"
import { formatAge, formatCount, formatDuration, formatInstant, formatUntil } from "../../lib/format.ts"
import { rowActionClass } from "../../ui/button.ts"
import { CELL, FIGURE_CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"

/** What an answer says to people, exactly as it came. */
export function describeAnswer(answer: NonNullable<ListedDelivery["answer"]>): string {
  const took = `in ${formatDuration(answer.durationMs)}`
  if (answer.status === null) return `${answer.error ?? "No answer"}, ${took}`
  const body = answer.body.trim()
  return `${answer.status}${body === "" ? "" : ` ${body.slice(0, 300)}`}, ${took}`
}

export function Deliveries(props: {
  deliveries: readonly ListedDelivery[]
  now: Date
  timeZone: string
  canResend: boolean
  empty: string
}) {
  const { deliveries, now, timeZone, canResend, empty } = props
  if (deliveries.length === 0) return <p className="mt-2 text-ink-soft">{empty}</p>
  return (
    <div className="mt-3">
      <Table
        caption="Deliveries"
        titles={["Told", "Channel", "State", "Attempts", "Last answer", "(Actions)"]}
        figures={["Attempts"]}
      >
        {deliveries.map((one) => (
          <tr key={one.id} className={ROW}>
            <th scope="row" className={`${CELL} text-left font-normal`}>
              {one.event}{" "}
              <time
                dateTime={one.madeAt.toISOString()}
                title={formatInstant(one.madeAt, timeZone)}
                className="text-ink-faint"
              >
                {formatAge(one.madeAt, now)}
              </time>
            </th>
            <td className={CELL}>{one.channel}</td>
            <td className={CELL}>
              {one.state === "waiting" && one.notBefore > now
                ? `Waits for the end of quiet hours, ${formatUntil(one.notBefore, now)}`
                : STATE_WORDS[one.state]}
            </td>
            <td className={FIGURE_CELL}>{formatCount(one.attempts)}</td>
            <td className={`${TEXT_CELL} font-mono text-xs break-words`}>
              {one.answer === null ? "none yet" : describeAnswer(one.answer)}
            </td>
            <td className={CELL}>
              {one.state === "dead" && canResend && (
                <Form method="post" preventScrollReset>
                  <input type="hidden" name="intent" value="resend" />
                  <input type="hidden" name="delivery" value={one.id} />
                  <button
                    type="submit"
                    className={rowActionClass("quiet")}
                    aria-label={`Send again: ${one.event} to ${one.channel}`}
                  >
                    Send again
                  </button>
                </Form>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </div>
  )
}

const STATE_WORDS = {
  waiting: "Waits to be taken",
  delivered: "Taken",
  dead: "Given up",
}
