import { CopyButton } from "../../ui/copy.tsx"
import { formatInstant } from "../../lib/format.ts"
import type { GivenLink } from "./give-link.server.ts"

/** A one-time link, shown to whoever made it and never again. */
export function MadeLink({ link, timeZone }: { link: GivenLink; timeZone: string }) {
  const what = link.purpose === "invitation" ? "invitation" : "link for a new password"
  return (
    <div role="status" className="rounded-md border border-line bg-surface p-4">
      <p className="font-medium">
        {link.isMailed ? `The ${what} was mailed to ${link.email}.` : `Give this ${what} to ${link.email} yourself.`}
      </p>
      <p className="mt-1 text-sm text-ink-soft">
        It works once, until {formatInstant(link.expiresAt, timeZone)}, and is shown only now. Whoever has it is let in
        as {link.email}.
      </p>
      <div className="mt-3 flex flex-wrap items-center gap-2">
        <code className="min-w-0 flex-1 overflow-x-auto rounded-md border border-line bg-sunken px-3 py-1.5 font-mono text-xs whitespace-nowrap select-all">
          {link.url}
        </code>
        <CopyButton text={link.url} label={what} />
      </div>
    </div>
  )
}
