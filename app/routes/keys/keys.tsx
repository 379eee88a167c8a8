import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData } from "@remix-run/react"
import { clsx } from "clsx"
import { KeyRound, Search } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { listTeams } from "#server/rungs/queries.ts"
import { createIngestKey, listIngestKeys, revokeIngestKey, rotateIngestKey } from "#server/team/ingest-keys.ts"
import { KEY_SCOPES } from "#server/team/key-scopes.ts"
import { getOrganization } from "#server/team/queries.ts"
import { keyScopesOf } from "#server/team/roles.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { useFind } from "../../lib/use-find.ts"
import { paths } from "../../lib/paths.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { CopyButton } from "../../ui/copy.tsx"
import { KeyTable } from "./key-table.tsx"
import { MakeKey } from "./make-key.tsx"
import { filterKeys, KEY_FILTERS, keyState } from "./state.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Keys · Belay" }]

export const loader = guard("keys.test", async ({ viewer, request, context }) => {
  const search = new URL(request.url).searchParams
  const scopes = keyScopesOf(viewer.role)
  const now = context.now()
  const filter = KEY_FILTERS.find((name) => name === search.get("state")) ?? "working"
  const text = search.get("q")?.trim() ?? ""
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const keys = await listIngestKeys(tx, scopes)
    return {
      now,
      timeZone: (await getOrganization(tx)).timeZone,
      scopes,
      teams: await listTeams(tx),
      filter,
      text,
      total: keys.length,
      working: filterKeys(keys, { filter: "working", text: "", now }),
      keys: filterKeys(keys, { filter, text, now }),
    }
  })
})

const HOUR_MS = 3_600_000

/** Empty fields of a form count as unset. */
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === "" ? undefined : value), schema.optional())

const formSchema = z.discriminatedUnion("intent", [
  z.object({
    intent: z.literal("create"),
    name: z.string().trim().min(1, "Give the key a name.").max(60, "A name has at most 60 characters."),
    scopes: z
      .array(z.enum(KEY_SCOPES))
      .min(1, "Choose what the key may do.")
      .refine(
        (scopes) => !(scopes.includes("ingest") && scopes.includes("test")),
        "A key either stores what it is sent or only tests. Choose one of the two.",
      ),
    teamId: optional(z.uuid()),
    agentTool: optional(z.string().trim().max(60)),
    days: optional(z.coerce.number().int().min(1).max(3650)),
  }),
  z.object({
    intent: z.literal("rotate"),
    id: z.uuid(),
    overlapHours: z.coerce
      .number()
      .int()
      .min(0)
      .max(30 * 24),
  }),
  z.object({ intent: z.literal("revoke"), id: z.uuid() }),
])

interface Result {
  /** The key itself, which is shown with this answer and never again. */
  readonly made: { readonly name: string; readonly secret: string; readonly isTest: boolean } | null
  readonly error: { readonly intent: string; readonly message: string } | null
}

const made = (name: string, secret: string, isTest: boolean): Result => ({
  made: { name, secret, isTest },
  error: null,
})
const failed = (intent: string, message: string): Result => ({ made: null, error: { intent, message } })

export const action = guard("keys.test", async ({ viewer, request, context }) => {
  const fields = await request.formData()
  const form = formSchema.safeParse({ ...Object.fromEntries(fields), scopes: fields.getAll("scope") })
  if (!form.success) {
    const message = form.error.issues[0]?.message ?? "This form cannot be read."
    return data(failed(fields.get("intent") === "create" ? "create" : "other", message), { status: 422 })
  }
  const values = form.data
  const scopes = keyScopesOf(viewer.role)
  const by = byViewer(viewer, context.requestId, context.now())
  const noSuchKey = () => data(failed(values.intent, "There is no such live key."), { status: 404 })
  return asTenant(context.db, viewer.orgId, async (tx) => {
    switch (values.intent) {
      case "create": {
        if (!values.scopes.every((scope) => scopes.includes(scope))) {
          return data(failed("create", `Your role makes keys of these scopes: ${scopes.join(", ")}.`), { status: 403 })
        }
        const created = await createIngestKey(tx, {
          name: values.name,
          scopes: values.scopes,
          teamId: values.teamId ?? null,
          agentTool: values.agentTool ?? null,
          expiresAt: values.days === undefined ? null : new Date(by.occurredAt.getTime() + values.days * 24 * HOUR_MS),
          by,
        })
        if (!created.ok) return data(failed("create", "There is no such team."), { status: 404 })
        return data(made(values.name, created.key, values.scopes.includes("test")))
      }
      case "rotate": {
        const overlapMs = values.overlapHours * HOUR_MS
        const rotated = await rotateIngestKey(tx, { id: values.id, overlapMs, scopes, by })
        return rotated.ok ? data(made(rotated.name, rotated.key, rotated.scopes.includes("test"))) : noSuchKey()
      }
      case "revoke": {
        const isRevoked = await revokeIngestKey(tx, { id: values.id, scopes, by })
        return isRevoked ? data({ made: null, error: null } satisfies Result) : noSuchKey()
      }
    }
  })
})

const FILTER_LABELS = { working: "Working", ended: "Ended", all: "All" }

export default function Keys() {
  const { keys, total, working, teams, scopes, filter, text, now, timeZone } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const find = useFind()
  const makeKey = useDoneKey(result, result?.made != null)
  const isAuthor = scopes.length === 1
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Keys</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">{sentence(working, now)}</p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          {isAuthor
            ? "With a test key, what your agent tool sends is checked and answered as always, and nothing of it is stored."
            : "Agent tools send with a key. Belay keeps a hash of it and its first characters, so that a key can be told apart and never read again."}
        </p>
      </header>
      {result?.made && <MadeKey {...result.made} />}
      {result?.error && result.error.intent !== "create" && (
        <p role="alert" className="mt-4 rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
          {result.error.message}
        </p>
      )}
      {total === 0 ? (
        <div className="mt-5 rounded-md border border-line bg-surface px-4 py-12 text-center">
          <KeyRound aria-hidden className="mx-auto size-6 text-ink-faint" />
          <h2 className="mt-3 text-lg font-semibold">{isAuthor ? "No test keys yet" : "No keys yet"}</h2>
          <p className="mx-auto mt-1 mb-4 max-w-md text-ink-soft">
            {isAuthor
              ? "Make one and point your agent tool at Belay with it."
              : "Make one here for a team or an agent tool, or on Connect, where it is filled into what you paste."}
          </p>
          <MakeKey key={makeKey} scopes={scopes} teams={teams} error={createError(result)} />
        </div>
      ) : (
        <>
          <div className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2">
            <div role="group" aria-label="State" className="flex rounded-md border border-line-strong bg-surface p-0.5">
              {KEY_FILTERS.map((name) => (
                <Link
                  key={name}
                  to={paths.keys(`?${new URLSearchParams({ state: name, ...(text !== "" && { q: text }) })}`)}
                  preventScrollReset
                  aria-current={name === filter ? "true" : undefined}
                  className={clsx(
                    "rounded-sm px-2.5 py-1 text-sm transition-colors duration-150",
                    name === filter
                      ? "bg-accent-soft font-medium text-accent"
                      : "text-ink-soft hover:bg-sunken hover:text-ink",
                  )}
                >
                  {FILTER_LABELS[name]}
                </Link>
              ))}
            </div>
            <Form role="search" method="get" className="relative" {...find}>
              <input type="hidden" name="state" value={filter} />
              <Search aria-hidden className="pointer-events-none absolute top-2 left-2 size-4 text-ink-faint" />
              <input
                type="search"
                name="q"
                aria-label="Search keys"
                placeholder="Name, team, tool, maker"
                defaultValue={text}
                className="h-8 w-60 rounded-md border border-line-strong bg-surface pr-2 pl-8 text-sm text-ink placeholder:text-ink-faint"
              />
            </Form>
            <div className="ml-auto">
              <MakeKey key={makeKey} scopes={scopes} teams={teams} error={createError(result)} />
            </div>
          </div>
          <KeyTable keys={keys} now={now} timeZone={timeZone} />
        </>
      )}
    </>
  )
}

function createError(result: Result | undefined): string | null {
  return result?.error?.intent === "create" ? result.error.message : null
}

interface WorkingKey {
  readonly lastUsedAt: Date | null
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
}

function sentence(working: readonly WorkingKey[], now: Date): string {
  if (working.length === 0) return "No key lets anyone in."
  const unused = working.filter((key) => key.lastUsedAt === null).length
  const stopping = working.filter((key) => keyState(key, now) === "stopping").length
  const parts = [
    `${plural(working.length, "key")} ${working.length === 1 ? "works" : "work"}`,
    ...(unused === 0 ? [] : [unused === working.length ? "not used yet" : `${unused} of them not used yet`]),
    ...(stopping > 0 ? [`${stopping} ${stopping === 1 ? "stops" : "stop"} within a week`] : []),
  ]
  return `${parts.join(", ")}.`
}

function MadeKey({ name, secret, isTest }: { name: string; secret: string; isTest: boolean }) {
  return (
    <section role="status" aria-label="The new key" className="mt-4 rounded-md bg-good-soft p-4">
      <p className="font-medium text-good">
        “{name}” is made. This is its key, shown only now: copy it before you leave.
      </p>
      <div className="mt-3 flex flex-wrap items-center gap-2">
        <code className="min-w-0 rounded-md border border-line-strong bg-surface px-3 py-1.5 font-mono text-xs break-all select-all">
          {secret}
        </code>
        <CopyButton label={`the key of ${name}`} text={secret} />
      </div>
      <p className="mt-2 text-sm text-ink-soft">
        Agents send it as <code className="font-mono text-xs">Authorization: Bearer &lt;key&gt;</code>
        {isTest && "; answers to it carry the header belay-test, and nothing it sends is stored"}.
      </p>
    </section>
  )
}
