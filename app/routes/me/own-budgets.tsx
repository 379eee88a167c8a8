import { formatInstant, formatShare, formatUse } from "../../lib/format.ts"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import type { OwnData } from "./load.server.ts"

const WHOSE = { person: "yours alone", team: "your team's", organization: "everyone's" }
const EFFECTS = { allow: "none", warn: "agents are warned", ask: "agents ask", deny: "agents are stopped" }

/** The budgets that bind a person. Draws nothing where none does. */
export function OwnBudgets({ budgets }: { budgets: OwnData["budgets"] }) {
  if (budgets.length === 0) return null
  return (
    <section aria-labelledby="budgets" className="mt-10 max-w-4xl">
      <h2 id="budgets" className="mb-3 text-lg font-semibold">
        Your budgets
      </h2>
      <Table
        caption="Budgets that bind you"
        titles={["Budget", "Used", "Reserved", "Limit", "Effect now", "Starts anew"]}
        figures={["Used", "Reserved", "Limit"]}
      >
        {budgets.map((budget) => (
          <tr key={`${budget.layer} ${budget.id} ${budget.limit} ${budget.resetsAt}`} className={ROW}>
            <th scope="row" className={`${CELL} text-left font-normal`}>
              {budget.id} <span className="text-ink-faint">{WHOSE[budget.scope]}</span>
            </th>
            <td className={FIGURE_CELL}>{usedText(budget)}</td>
            <td className={FIGURE_CELL}>{budget.reserved === null ? "–" : formatUse(budget.reserved, budget.unit)}</td>
            <td className={FIGURE_CELL}>{formatUse(budget.limit, budget.unit)}</td>
            <td className={CELL}>{EFFECTS[budget.effect]}</td>
            <td className={CELL}>
              {formatInstant(new Date(budget.resetsAt), budget.timeZone)} {budget.timeZone}
            </td>
          </tr>
        ))}
      </Table>
    </section>
  )
}

function usedText({ spent, limit, unit, state, threshold }: OwnData["budgets"][number]): string {
  if (spent !== null) return `${formatUse(spent, unit)} (${formatShare(spent / limit)})`
  if (state !== "withheld") return "not known"
  return threshold === null ? "withheld, below the first threshold" : `withheld, at least ${formatShare(threshold)}`
}
