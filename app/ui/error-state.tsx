import { isRouteErrorResponse, Link, useRouteError, useRouteLoaderData } from "@remix-run/react"
import { TriangleAlert } from "lucide-react"
import { NOT_COMPARABLE } from "../lib/against.ts"
import { paths } from "../lib/paths.ts"
import { buttonClass } from "./button.ts"

/** The route of the frame around every page; it knows which request this was. */
const FRAME_ROUTE = "routes/shell/layout"

interface Described {
  readonly title: string
  readonly message: string
}

/** What happened and what to do, without what only we should see. */
export function describeError(error: unknown): Described {
  if (isRouteErrorResponse(error)) {
    if (error.status === 404) {
      if (error.data === NOT_COMPARABLE) return { title: "There is no such comparison", message: NOT_COMPARABLE }
      return { title: "There is no such page", message: "The address may be mistyped, or what it named is gone." }
    }
    if (error.status === 403) return { title: "This is not open to you", message: String(error.data) }
    if (error.status < 500) return { title: "That did not work", message: String(error.data) }
  }
  return {
    title: "Belay could not load this page",
    message:
      "Nothing was changed, and what agents send meanwhile is either stored or kept by them. Try again; if it stays, look at Belay's output.",
  }
}

/** Takes a page's place when it could not be shown; the frame around it stays. */
export function PageError() {
  const frame = useRouteLoaderData<{ requestId: string }>(FRAME_ROUTE)
  return (
    <div className="mx-auto max-w-xl py-12">
      <ErrorState {...describeError(useRouteError())} requestId={frame?.requestId ?? null} />
    </div>
  )
}

export function ErrorState({ title, message, requestId }: Described & { requestId: string | null }) {
  return (
    <div role="alert" className="rounded-md border border-line bg-surface p-8">
      <TriangleAlert aria-hidden className="size-5 text-bad" />
      <h1 className="mt-4 text-xl font-semibold">{title}</h1>
      <p className="mt-2 text-ink-soft">{message}</p>
      {requestId !== null && (
        <p className="mt-2 text-xs break-all text-ink-faint">
          Request <code className="font-mono select-all">{requestId}</code>
        </p>
      )}
      <div className="mt-6 flex gap-2">
        <button type="button" onClick={() => location.reload()} className={buttonClass("primary")}>
          Try again
        </button>
        <Link to={paths.ladder()} className={buttonClass("quiet")}>
          Go to the ladder
        </Link>
      </div>
    </div>
  )
}
