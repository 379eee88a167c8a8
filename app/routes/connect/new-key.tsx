import { Form, Link, useNavigation } from "@remix-run/react"
import { KeyRound } from "lucide-react"
import { paths } from "../../lib/paths.ts"
import { buttonClass } from "../../ui/button.ts"

const LINK = "text-ink underline underline-offset-2 hover:text-accent"

/** Makes a key, which then stands in the snippets. */
export function NewKey(props: { canMakeKeys: boolean; canTest: boolean; hasKeys: boolean; error: string | null }) {
  const isBusy = useNavigation().state === "submitting"
  if (!props.canMakeKeys) {
    return (
      <p className="mt-5 rounded-md border border-line bg-sunken px-3 py-2 text-sm text-ink-soft">
        An owner or admin makes ingest keys. Ask one for a key and put it where the snippets say YOUR_INGEST_KEY.
        {props.canTest && (
          <>
            {" "}
            To see how Belay answers your own agent tool without storing anything,{" "}
            <Link to={paths.keys()} className={LINK}>
              make a test key
            </Link>
            .
          </>
        )}
      </p>
    )
  }
  return (
    <Form method="post" preventScrollReset className="mt-5 rounded-md border border-line bg-sunken p-3">
      <div className="flex flex-wrap items-end gap-2">
        <label className="min-w-40 flex-1 text-xs text-ink-faint">
          Name of a new ingest key
          <input
            name="name"
            required
            maxLength={60}
            defaultValue="Laptop"
            className="mt-1 block h-8 w-full rounded-md border border-line-strong bg-surface px-2 text-sm text-ink"
          />
        </label>
        <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
          <KeyRound aria-hidden className="size-3.5" />
          {isBusy ? "Making the key…" : "Make a key and fill in the snippets"}
        </button>
      </div>
      <p className="mt-2 text-xs text-ink-faint">
        {props.hasKeys && "A key you already have works too: put it where the snippets say YOUR_INGEST_KEY. "}
        All keys, and keys for one team or agent tool, are on{" "}
        <Link to={paths.keys()} className={LINK}>
          Keys
        </Link>
        .
      </p>
      {props.error !== null && (
        <p role="alert" className="mt-2 text-sm text-bad">
          {props.error}
        </p>
      )}
    </Form>
  )
}
