import { plural } from "../../lib/format.ts"
import { WithheldMark, withheldReason } from "../../ui/figure.tsx"
import { CELL, FIGURE_CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"
import type { LadderData } from "./load.server.ts"
import { MOVE_DESCRIPTIONS, MOVE_LABELS } from "./rungs.ts"

/** How often operating rungs changed in the range, and why. */
export function MoveTable({ ladder }: { ladder: LadderData }) {
  const { moves, minGroupSize } = ladder
  if (moves === null) return null
  const isSomeWithheld = moves.classes.some(({ state, cells }) => state === "shown" && cells.shown < cells.total)
  return (
    <section aria-labelledby="moves" className="mt-10">
      <h2 id="moves" className="text-lg font-semibold">
        Moves
      </h2>
      <p className="mt-1 max-w-3xl text-sm text-ink-soft">
        Changes of the operating rung: the highest rung that a person reached on four of their last ten active days.
      </p>
      <div className="mt-3">
        <Table
          caption="Moves between operating rungs"
          titles={["Kind", "Meaning", "Moves", "People", "Median time back"]}
          figures={["Moves", "People", "Median time back"]}
        >
          {moves.classes.map((row) => (
            <tr key={row.class} className={ROW}>
              <th scope="row" className={`${CELL} text-left font-medium`}>
                {MOVE_LABELS[row.class]}
              </th>
              <td className={`${TEXT_CELL} text-ink-soft`}>{MOVE_DESCRIPTIONS[row.class]}</td>
              {row.state === "shown" ? (
                <>
                  <td className={FIGURE_CELL}>
                    {row.moves}
                    {row.cells.shown < row.cells.total && <span className="text-ink-faint"> and others, withheld</span>}
                  </td>
                  <td className={FIGURE_CELL}>{row.people}</td>
                  <td className={FIGURE_CELL}>
                    {row.recoveredAfterDays === null ? (
                      <span className="text-ink-faint">–</span>
                    ) : (
                      plural(row.recoveredAfterDays, "day")
                    )}
                  </td>
                </>
              ) : (
                <td colSpan={3} className={`${FIGURE_CELL} text-ink-faint`}>
                  {row.state === "withheld" ? <WithheldMark minGroupSize={minGroupSize} /> : "no data"}
                </td>
              )}
            </tr>
          ))}
        </Table>
      </div>
      <p className="mt-2 text-xs text-ink-faint">
        Counted by week and kind of move.
        {isSomeWithheld && ` Where others are withheld, each of those ${withheldReason(minGroupSize)}.`}
      </p>
    </section>
  )
}
