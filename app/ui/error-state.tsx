import { isRouteErrorResponse, Link, useRouteError } from "@remix-run/react"
import { TriangleAlert } from "lucide-react"
import { paths } from "../lib/paths.ts"
import { buttonClass } from "./button.ts"

interface Described {
  readonly title: string
  readonly message: string
}

/** What happened and what to do, without what only we should see. */
export function describeError(error: unknown): Described {
  if (isRouteErrorResponse(error)) {
    if (error.status === 404) {
      return { title: "There is no such page", message: "The address may be mistyped, or what it named is gone." }
    }
    if (error.status === 403) return { title: "This is for another role", message: String(error.data) }
    if (error.status < 500) return { title: "That did not work", message: String(error.data) }
  }
  return {
    title: "Belay could not load this page",
    message: "Nothing was changed and telemetry is still being stored. Try again; if it stays, look at Belay's output.",
  }
}

/** Takes a page's place when it could not be shown; the frame around it stays. */
export function PageError() {
  return (
    <div className="mx-auto max-w-xl py-12">
      <ErrorState {...describeError(useRouteError())} />
    </div>
  )
}

export function ErrorState({ title, message }: Described) {
  return (
    <div role="alert" className="rounded-md border border-line bg-surface p-8">
      <TriangleAlert aria-hidden className="size-5 text-bad" />
      <h1 className="mt-4 text-xl font-semibold">{title}</h1>
      <p className="mt-2 text-ink-soft">{message}</p>
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
