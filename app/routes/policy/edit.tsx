import { data, type MetaFunction } from "@remix-run/node"
import { Link, useLoaderData } from "@remix-run/react"
import { ChevronRight } from "lucide-react"
import { z } from "zod"
import type { PolicyBundle } from "#sdk/policy/document.ts"
import { checkPolicy } from "#sdk/policy/parse.ts"
import { asTenant } from "#server/db/tenant.ts"
import { bundleOf, readPolicies } from "#server/policy/bundles.ts"
import { rebaseDraft, saveDraft } from "#server/policy/drafts.ts"
import type { LayerTarget } from "#server/policy/layers.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { Editor, type Saved } from "./editor/editor.tsx"
import { addressOf, EMPTY, loadPolicy, parseTarget } from "./load.server.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction<typeof loader> = ({ data: loaded }) => [
  { title: `Write ${loaded == null ? "a policy" : `the policy of ${loaded.title}`} · Belay` },
]

export const loader = guard("policy.manage", async ({ viewer, params, context }) => {
  const target = parseTarget(params)
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { name, inForce, draft } = await loadPolicy(tx, viewer, target)
    const { name: organization } = await getOrganization(tx)
    return {
      nowMs: context.now().getTime(),
      title: name ?? organization,
      address: addressOf(target),
      layer: target.kind,
      document: draft?.document ?? inForce?.document ?? EMPTY,
      revision: draft?.revision ?? null,
      inForce: inForce?.document ?? null,
      versionInForce: inForce?.version ?? null,
      hasMoved: draft !== null && draft.baseVersion !== (inForce?.version ?? null),
      wider: widerLayers(bundleOf(await readPolicies(tx, context.now()), null), target),
    }
  })
})

/** What binds a team or person from above, for the tester: what everyone is bound by. */
function widerLayers(bundle: PolicyBundle | null, target: LayerTarget): PolicyBundle["layers"] {
  return target.kind === "organization" ? [] : (bundle?.layers ?? [])
}

const formSchema = z.object({
  document: z.string().max(1_000_000, "A policy has at most a million characters."),
  revision: z.union([z.literal("").transform(() => null), z.coerce.number().int().positive()]),
})

const refused = (error: string, status: number) => data<Saved>({ revision: null, error }, { status })

export const action = guard("policy.manage", async ({ viewer, params, request, context }) => {
  const target = parseTarget(params)
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) return refused(form.error.issues[0]?.message ?? "This form cannot be read.", 422)
  const checked = checkPolicy(toValue(form.data.document))
  if (!checked.ok) {
    const [problem] = checked.problems
    return refused(`${problem?.path ?? ""}: ${problem?.message ?? "This is not a policy."}`, 422)
  }
  const { document } = checked
  const by = byViewer(viewer, context.requestId, context.now())
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const saved = await saveDraft(tx, { target, revision: form.data.revision, document, by })
    if (!saved.ok) {
      return saved.reason === "no_such_layer"
        ? refused("There is no such team or person any more.", 404)
        : refused(
            "Somebody else saved, published or threw away this draft meanwhile. Copy what you have from the code view, then load the page again to see theirs.",
            409,
          )
    }
    // Who saves has the version in force before them, and what differs from it.
    await rebaseDraft(tx, { target, revision: saved.revision, by })
    return data<Saved>({ revision: saved.revision, error: null })
  })
})

function toValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

export default function Edit() {
  const loaded = useLoaderData<typeof loader>()
  const { title, address } = loaded
  return (
    <>
      <header>
        <p className="flex flex-wrap items-center gap-1 text-sm text-ink-faint">
          <Link to={paths.policies()} className="hover:text-ink hover:underline">
            Policy
          </Link>
          <ChevronRight aria-hidden className="size-3.5" />
          <Link to={paths.policy(address)} className="hover:text-ink hover:underline">
            {title}
          </Link>
          <ChevronRight aria-hidden className="size-3.5" />
          <span>draft</span>
        </p>
        <h1 className="mt-1 text-xl font-semibold tracking-tight break-words">Write the policy of {title}</h1>
      </header>
      <Editor key={`${address.kind} ${address.id ?? ""}`} {...loaded} />
    </>
  )
}
