import { Link } from "@remix-run/react"
import { Eye } from "lucide-react"
import {
  formatAge,
  formatDuration,
  formatInstant,
  formatMargin,
  formatRate,
  formatShare,
  plural,
} from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { OPERATION_WORDS, RUNG_LABELS } from "../ladder/rungs.ts"
import { ACCESS_WORDS } from "./accesses.ts"
import type { OwnData } from "./load.server.ts"
import { OwnRung } from "./own-rung.tsx"

/** One sentence about where the person stands: the rung that carries most of their accepted work. */
export function describeOwn(own: OwnData, whose: "You" | "They"): string {
  const top = own.rungs.reduce<OwnData["rungs"][number] | null>(
    (best, row) => ((row.accepted ?? row.operations ?? 0) > (best?.accepted ?? best?.operations ?? 0) ? row : best),
    null,
  )
  if (own.freshness.signals === 0 || top === null) {
    return whose === "You"
      ? "No agent of yours has reported in these weeks."
      : "No agent of theirs has reported in these weeks."
  }
  const share =
    top.acceptance === null ? "" : `; ${whose === "You" ? "you" : "they"} accepted ${formatShare(top.acceptance)} of it`
  return `${whose} stand on ${RUNG_LABELS[top.rung].toLowerCase()}: ${plural(top.operations ?? 0, OPERATION_WORDS[top.rung])} in four weeks${share}.`
}

/** The figures, the signals and who looked. */
export function OwnFigures({ own, whose }: { own: OwnData; whose: "You" | "They" }) {
  return (
    <>
      <OwnRung own={own} whose={whose} />
      <section aria-labelledby="own-rungs" className="mt-6">
        <h2 id="own-rungs" className="text-lg font-semibold">
          By rung, four weeks
        </h2>
        <div className="mt-3">
          <Table
            caption="Own figures by rung"
            titles={["Rung", "Operations", "Accepted", "Latency p50", "Latency p95", "p95 objective", "Questions"]}
            figures={["Operations", "Accepted", "Latency p50", "Latency p95", "p95 objective", "Questions"]}
          >
            {own.rungs.map((row) => (
              <tr key={row.rung} className={ROW}>
                <th scope="row" className={`${CELL} text-left font-medium`}>
                  {RUNG_LABELS[row.rung]}
                </th>
                <td className={FIGURE_CELL}>{row.operations || <None />}</td>
                <td className={FIGURE_CELL}>
                  {row.acceptance === null || row.interval === null ? (
                    <None />
                  ) : (
                    <>
                      {formatShare(row.acceptance)} <span className="text-ink-faint">{formatMargin(row.interval)}</span>
                    </>
                  )}
                </td>
                <td className={FIGURE_CELL}>
                  {row.latencyP50Ms === null ? <None /> : formatDuration(row.latencyP50Ms)}
                </td>
                <td className={FIGURE_CELL}>
                  {row.latencyP95Ms === null ? <None /> : formatDuration(row.latencyP95Ms)}
                </td>
                <td className={`${FIGURE_CELL} text-ink-faint`}>{formatDuration(own.objectives[row.rung].p95Ms)}</td>
                <td className={FIGURE_CELL}>
                  {row.promptsPerOperation === null ? (
                    <None />
                  ) : (
                    `${formatRate(row.promptsPerOperation)} per ${OPERATION_WORDS[row.rung]}`
                  )}
                </td>
              </tr>
            ))}
          </Table>
        </div>
        <p className="mt-2 text-xs text-ink-faint">
          {own.freshness.signals === 0 ? "No signals" : plural(own.freshness.signals, "signal")}
          {own.freshness.lastObservedAt !== null && `, the newest ${formatAge(own.freshness.lastObservedAt, own.now)}`}.
          A dash: no agent said, or nobody decided.
        </p>
      </section>
      <section aria-labelledby="own-signals" className="mt-10">
        <h2 id="own-signals" className="text-lg font-semibold">
          Signals
        </h2>
        <p className="text-sm text-ink-soft">All that was kept, newest first. There is no more behind it.</p>
        <div className="mt-3">
          <Table
            caption="Own signals"
            titles={["When", "What", "Rung", "Agent tool", "Model", "Action", "Outcome", "Took", "Tokens"]}
            figures={["Took", "Tokens"]}
          >
            {own.signals.map((signal) => (
              <tr key={`${signal.id}${signal.observedAt.getTime()}`} className={ROW}>
                <td className={CELL} title={formatInstant(signal.observedAt, own.timeZone)}>
                  {formatAge(signal.observedAt, own.now)}
                </td>
                <td className={CELL}>{signal.kind.replace("_", " ")}</td>
                <td className={CELL}>{signal.rung}</td>
                <td className={CELL}>{signal.agentTool}</td>
                <td className={CELL}>{signal.model ?? <None />}</td>
                <td className={`${CELL} font-mono text-xs`}>{signal.action ?? <None />}</td>
                <td className={CELL}>
                  {signal.outcome === null ? (
                    <None />
                  ) : (
                    `${signal.outcome}${signal.origin === null ? "" : ` by ${signal.origin}`}`
                  )}
                </td>
                <td className={FIGURE_CELL}>
                  {signal.latencyMs === null ? <None /> : formatDuration(signal.latencyMs)}
                </td>
                <td className={FIGURE_CELL}>
                  {signal.inputTokens === null && signal.outputTokens === null ? (
                    <None />
                  ) : (
                    `${signal.inputTokens ?? 0} in, ${signal.outputTokens ?? 0} out`
                  )}
                </td>
              </tr>
            ))}
            {own.signals.length === 0 && (
              <tr>
                <td colSpan={9} className="h-16 px-4 text-ink-soft">
                  Nothing {own.isNewest ? "yet" : "older"}.
                </td>
              </tr>
            )}
          </Table>
        </div>
        <nav aria-label="Further signals" className="mt-3 flex gap-2">
          {!own.isNewest && (
            <Link to="?" preventScrollReset className={buttonClass("quiet")}>
              Newest
            </Link>
          )}
          {own.hasOlder && (
            <Link
              to={`?before=${encodeURIComponent(own.signals.at(-1)?.observedAt.toISOString() ?? "")}`}
              preventScrollReset
              className={buttonClass("quiet")}
            >
              Older
            </Link>
          )}
        </nav>
      </section>
      <section aria-labelledby="own-accesses" className="mt-10 max-w-3xl">
        <h2 id="own-accesses" className="text-lg font-semibold">
          Who saw or changed what
        </h2>
        {own.breakGlass.length === 0 ? (
          <p className="mt-1 text-ink-soft">
            {whose === "You" ? "Nobody but you saw these data." : "Nobody but this person saw these data."}
          </p>
        ) : (
          <ul className="mt-3 space-y-2">
            {own.breakGlass.map((access) => (
              <li key={access.id} className="flex gap-3 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
                <Eye aria-hidden className="mt-0.5 size-4 shrink-0" />
                <p>
                  <strong className="font-semibold">{access.openedByEmail}</strong> opened these data{" "}
                  {formatInstant(access.openedAt, own.timeZone)}, until{" "}
                  {formatInstant(access.closedAt ?? access.expiresAt, own.timeZone)}. Reason: “{access.reason}”
                </p>
              </li>
            ))}
          </ul>
        )}
        {own.accesses.length > 0 && (
          <ul className="mt-3 space-y-1 text-sm text-ink-soft">
            {own.accesses.map((access) => (
              <li key={access.sequence}>
                <span title={formatInstant(access.occurredAt, own.timeZone)}>
                  {formatAge(access.occurredAt, own.now)}
                </span>
                : {access.actorEmail ?? "nobody signed in"}{" "}
                <span className="text-ink" title={access.action}>
                  {ACCESS_WORDS[access.action] ?? access.action}
                </span>
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  )
}

function None() {
  return <span className="text-ink-faint">–</span>
}

/** What Belay keeps, for the person it is kept about. */
export function WhatIsKept() {
  return (
    <section aria-labelledby="kept" className="mt-10 max-w-3xl">
      <h2 id="kept" className="text-lg font-semibold">
        What is collected
      </h2>
      <div className="mt-2 grid gap-4 text-sm text-ink-soft sm:grid-cols-2">
        <div>
          <h3 className="font-medium text-ink">Kept</h3>
          <ul className="mt-1 list-disc space-y-1 pl-5">
            <li>what happened and when: suggestions, turns, tasks, edits, questions</li>
            <li>which tool, model and rung; how long it took; tokens and cost</li>
            <li>what came of it, and whether a human, a rule or a mode decided</li>
            <li>the program of a command (“git push”), never its arguments</li>
          </ul>
        </div>
        <div>
          <h3 className="font-medium text-ink">Refused before anything is stored</h3>
          <ul className="mt-1 list-disc space-y-1 pl-5">
            <li>prompts and answers</li>
            <li>code, diffs and file contents</li>
            <li>paths and command arguments</li>
            <li>your name and address: there is a keyed hash of them</li>
          </ul>
        </div>
      </div>
      <p className="mt-3 text-sm text-ink-soft">
        Others see figures of teams, when enough people are behind them. An owner can open this page for a reason and a
        limited time; then it stands above.{" "}
        <Link to={paths.account()} className="underline underline-offset-2">
          Your account
        </Link>{" "}
        has your password and sessions.
      </p>
    </section>
  )
}
