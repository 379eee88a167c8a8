import { data, type MetaFunction } from "@remix-run/node"
import { useActionData, useLoaderData, useNavigate, useSearchParams } from "@remix-run/react"
import { Tabs } from "radix-ui"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { listLatestArrivals, listUnrecognized } from "#server/ingest/queries.ts"
import { createIngestKey, hasIngestKey } from "#server/team/ingest-keys.ts"
import { mayDo } from "#server/team/roles.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { guard } from "../../lib/guard.server.ts"
import { NewKey } from "./new-key.tsx"
import { Live } from "./live.tsx"
import { SnippetBlock } from "./snippet.tsx"
import { AGENT_TOOLS } from "./tools.ts"
import { Unrecognized } from "./unrecognized.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Connect an agent · Belay" }]

const UNRECOGNIZED_SHOWN = 20

export const loader = guard("connect.read", async ({ viewer, context }) =>
  asTenant(context.db, viewer.orgId, async (tx) => ({
    now: context.now(),
    otlpUrl: context.otlpUrl,
    email: viewer.email,
    canMakeKeys: mayDo(viewer.role, "keys.manage"),
    canTest: mayDo(viewer.role, "keys.test"),
    hasKeys: await hasIngestKey(tx, context.now()),
    arrivals: await listLatestArrivals(tx),
    unrecognized: await listUnrecognized(tx, UNRECOGNIZED_SHOWN),
  })),
)

const formSchema = z.object({ name: z.string().trim().min(1).max(60) })

/** Makes a key that the snippets are filled in with. */
export const action = guard("keys.manage", async ({ viewer, request, context }) => {
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) {
    return data({ created: null, error: "Give the key a name of 1 to 60 characters." }, { status: 422 })
  }
  const { name } = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  const made = await asTenant(context.db, viewer.orgId, (tx) =>
    createIngestKey(tx, { name, scopes: ["ingest"], teamId: null, agentTool: null, expiresAt: null, by }),
  )
  return data({ created: made.ok ? { key: made.key, name } : null, error: null })
})

/** Stands in a snippet where the key goes; keys are shown once. */
const KEY_PLACEHOLDER = "YOUR_INGEST_KEY"

export default function Connect() {
  const { otlpUrl, email, canMakeKeys, canTest, hasKeys, arrivals, unrecognized, now } = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const [search] = useSearchParams()
  const navigate = useNavigate()
  const chosen = AGENT_TOOLS.find((tool) => tool.id === search.get("tool")) ?? AGENT_TOOLS[0]
  const created = result?.created ?? null
  const endpoint = { url: otlpUrl, key: created?.key ?? KEY_PLACEHOLDER, email }
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Connect an agent</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          Paste, run the agent once, and its first signal appears here.
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Belay keeps what happened and how long it took. Prompts, code, paths and command arguments are dropped before
          anything is stored.
        </p>
      </header>
      <div className="mt-6 grid gap-6 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <Tabs.Root
          value={chosen.id}
          onValueChange={(tool) => navigate(`?tool=${tool}`, { replace: true, preventScrollReset: true })}
          orientation="vertical"
          className="min-w-0 overflow-hidden rounded-md border border-line bg-surface md:flex"
        >
          <Tabs.List
            aria-label="Agent tool"
            className="flex shrink-0 gap-1 overflow-x-auto border-b border-line p-2 md:w-52 md:flex-col md:border-r md:border-b-0"
          >
            {AGENT_TOOLS.map((tool) => (
              <Tabs.Trigger
                key={tool.id}
                value={tool.id}
                className="rounded-md px-3 py-2 text-left text-sm font-medium whitespace-nowrap text-ink-soft transition-colors duration-150 hover:bg-sunken hover:text-ink data-[state=active]:bg-accent-soft data-[state=active]:text-accent"
              >
                {tool.name}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
          <Tabs.Content value={chosen.id} className="min-w-0 flex-1 p-4 md:p-6">
            <h2 className="text-lg font-semibold">{chosen.name}</h2>
            <dl className="mt-2 grid gap-x-3 gap-y-1 text-sm sm:grid-cols-[5rem_1fr]">
              <dt className="text-ink-faint">Gives</dt>
              <dd className="text-ink-soft">{chosen.gives}</dd>
              <dt className="text-ink-faint">Cannot give</dt>
              <dd className="text-ink-soft">{chosen.lacks}</dd>
            </dl>
            {created === null && (
              <NewKey canMakeKeys={canMakeKeys} canTest={canTest} error={result?.error ?? null} hasKeys={hasKeys} />
            )}
            {created !== null && (
              <p role="status" className="mt-5 rounded-md bg-good-soft px-3 py-2 text-sm text-good">
                The key “{created.name}” is in the snippets below. It is shown only now: copy it before you leave.
              </p>
            )}
            <div className="mt-5 space-y-5">
              {chosen.snippets(endpoint).map((snippet) => (
                <SnippetBlock key={snippet.title} {...snippet} />
              ))}
            </div>
          </Tabs.Content>
        </Tabs.Root>
        <Live initial={arrivals} awaited={chosen.agentTool} now={now} />
      </div>
      <Unrecognized items={unrecognized} now={now} />
    </>
  )
}
