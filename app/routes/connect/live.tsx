import { Link } from "@remix-run/react"
import { clsx } from "clsx"
import { CircleCheck, Radio, WifiOff } from "lucide-react"
import { useEffect, useState } from "react"
import type { listLatestArrivals } from "#server/ingest/queries.ts"
import { formatAge, plural } from "../../lib/format.ts"
import { paths } from "../../lib/paths.ts"

type Arrival = Awaited<ReturnType<typeof listLatestArrivals>>[number]

const AGES_EVERY_MS = 5000

/** Follows what arrives over server-sent events; starts from what was there already. */
export function Live(props: { initial: readonly Arrival[]; awaited: string | null; now: Date }) {
  const [arrivals, setArrivals] = useState(props.initial)
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set())
  const [isConnected, setIsConnected] = useState(true)
  const [now, setNow] = useState(props.now)
  useEffect(() => {
    const source = new EventSource(paths.arrivals())
    source.addEventListener("open", () => setIsConnected(true))
    source.addEventListener("error", () => setIsConnected(false))
    source.addEventListener("arrival", (event: MessageEvent<string>) => {
      const arrival = JSON.parse(event.data) as Arrival
      setArrivals((known) => [arrival, ...known.filter((other) => other.agentTool !== arrival.agentTool)])
      setFresh((known) => new Set(known).add(arrival.agentTool))
      setNow(new Date())
    })
    const clock = setInterval(() => setNow(new Date()), AGES_EVERY_MS)
    return () => {
      source.close()
      clearInterval(clock)
    }
  }, [])

  const awaitedArrived = arrivals.find((arrival) => props.awaited === null || arrival.agentTool === props.awaited)
  return (
    <aside aria-labelledby="live" className="h-fit rounded-md border border-line bg-surface">
      <div className="flex items-center justify-between border-b border-line px-4 py-3">
        <h2 id="live" className="font-semibold">
          Live
        </h2>
        <p className="flex items-center gap-1.5 text-xs text-ink-faint">
          {isConnected ? (
            <>
              <span aria-hidden className="size-2 animate-pulse rounded-full bg-good" /> listening
            </>
          ) : (
            <>
              <WifiOff aria-hidden className="size-3.5" /> reconnecting
            </>
          )}
        </p>
      </div>
      <div aria-live="polite" className="p-4">
        {awaitedArrived === undefined ? (
          <div className="flex gap-3">
            <Radio aria-hidden className="mt-0.5 size-5 shrink-0 animate-pulse text-ink-faint" />
            <div>
              <p className="font-medium">Waiting for the first signal{props.awaited && ` from ${props.awaited}`}</p>
              <p className="mt-1 text-sm text-ink-soft">
                Start the agent and ask it for something small. Exporters send every few seconds.
              </p>
            </div>
          </div>
        ) : (
          <div className="flex gap-3">
            <CircleCheck aria-hidden className="mt-0.5 size-5 shrink-0 text-good" />
            <div>
              <p className="font-medium">
                {fresh.has(awaitedArrived.agentTool) ? "Signal received" : "Connected"}: {awaitedArrived.agentTool}
              </p>
              <p className="mt-1 text-sm text-ink-soft">
                Last signal {formatAge(new Date(awaitedArrived.receivedAt), now)}.{" "}
                <Link to={paths.ladder()} className="text-accent underline underline-offset-2">
                  See the ladder
                </Link>
              </p>
            </div>
          </div>
        )}
      </div>
      {arrivals.length > 0 && (
        <ul className="border-t border-line">
          {arrivals.map((arrival) => (
            <li
              key={arrival.agentTool}
              className={clsx(
                "border-b border-line px-4 py-2.5 text-sm transition-colors duration-200 last:border-b-0",
                fresh.has(arrival.agentTool) && "bg-good-soft",
              )}
            >
              <p className="flex items-baseline justify-between gap-2">
                <span className="truncate font-medium">
                  {arrival.agentTool}
                  {arrival.agentVersion && (
                    <span className="ml-1.5 font-mono text-xs font-normal text-ink-faint">{arrival.agentVersion}</span>
                  )}
                </span>
                <time dateTime={arrival.receivedAt} className="figures shrink-0 text-xs text-ink-faint">
                  {formatAge(new Date(arrival.receivedAt), now)}
                </time>
              </p>
              <p className="truncate text-xs text-ink-soft">
                {arrival.kind.replaceAll("_", " ")}
                {arrival.model && ` · ${arrival.model}`}
                {arrival.count > 1 && ` · ${plural(arrival.count, "signal")} at once`}
              </p>
            </li>
          ))}
        </ul>
      )}
    </aside>
  )
}
