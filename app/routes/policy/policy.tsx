import { data, type MetaFunction } from "@remix-run/node"
import { Link, useActionData, useLoaderData } from "@remix-run/react"
import { ChevronRight, FlaskConical, PenLine } from "lucide-react"
import { z } from "zod"
import { comparePolicies, policyFacts } from "#sdk/policy/facts.ts"
import type { PolicyDocument } from "#sdk/policy/document.ts"
import { policyToJson, policyToYaml } from "#sdk/policy/parse.ts"
import { asTenant } from "#server/db/tenant.ts"
import { discardDraft, submitDraft } from "#server/policy/drafts.ts"
import { getVersion, listVersions } from "#server/policy/layers.ts"
import { NOTE_LENGTH_MAX, type Published, publishDraft, rollBack } from "#server/policy/publish.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { getOrganization } from "#server/team/queries.ts"
import { getSettings } from "#server/team/settings.ts"
import { mayDo } from "#server/team/roles.ts"
import { formatAge, formatInstant, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { CopyButton } from "../../ui/copy.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { CELL, FIGURE_CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"
import { COMPARED_AS, type ComparedAs, Comparison, Facts } from "./changes.tsx"
import { addressOf, loadPolicy, parseTarget } from "./load.server.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction<typeof loader> = ({ data: loaded }) => [
  { title: `${loaded == null ? "Policy" : `Policy of ${loaded.title}`} · Belay` },
]

const VERSIONS_PER_PAGE = 20

export const loader = guard("policy.read", async ({ viewer, params, request, context }) => {
  const target = parseTarget(params)
  const search = new URL(request.url).searchParams
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const { layer, name, inForce, draft } = await loadPolicy(tx, viewer, target)
    const { name: organization, timeZone } = await getOrganization(tx)
    const before = toVersion(search.get("before"))
    const found =
      layer === null ? [] : await listVersions(tx, { layerId: layer.id, before, limit: VERSIONS_PER_PAGE + 1 })
    const as = COMPARED_AS.find((name) => name === search.get("as")) ?? "words"
    const compared = toVersion(search.get("compare"))
    const said = toVersion(search.get("version"))
    const shown = layer === null || said === null ? null : await getVersion(tx, layer.id, said)
    const other = layer === null || compared === null ? null : await getVersion(tx, layer.id, compared)
    return {
      now: context.now(),
      timeZone,
      isManager: mayDo(viewer.role, "policy.manage"),
      needsReview: (await getSettings(tx)).policyNeedsReview,
      isOwnDraft: draft !== null && draft.writtenById === viewer.accountId,
      title: name ?? organization,
      kind: target.kind,
      address: addressOf(target),
      inForce: inForce === null ? null : { ...inForce, facts: policyFacts(inForce.document) },
      json: inForce === null ? null : policyToJson(inForce.document),
      as,
      draft:
        draft === null ? null : { ...draft, ...compare(inForce?.document ?? null, draft.document, as), document: null },
      hasMoved: draft !== null && draft.baseVersion !== (inForce?.version ?? null),
      versions: found.slice(0, VERSIONS_PER_PAGE).map(({ document: _document, ...version }) => version),
      next: found.length > VERSIONS_PER_PAGE ? (found[VERSIONS_PER_PAGE - 1]?.version ?? null) : null,
      shown: shown === null ? null : { ...shown, facts: policyFacts(shown.document), document: null },
      comparison:
        other === null || inForce === null
          ? null
          : { version: other.version, ...compare(other.document, inForce.document, as) },
    }
  })
})

function compare(before: PolicyDocument | null, after: PolicyDocument, as: ComparedAs) {
  const toText = as === "json" ? policyToJson : policyToYaml
  return {
    changes: comparePolicies(before, after),
    texts: as === "words" ? null : { before: before === null ? "" : toText(before), after: toText(after) },
  }
}

function toVersion(value: string | null): number | null {
  const version = Number(value ?? "")
  return Number.isSafeInteger(version) && version > 0 ? version : null
}

const note = z
  .string()
  .trim()
  .max(NOTE_LENGTH_MAX, `A note has at most ${NOTE_LENGTH_MAX} characters.`)
  .transform((text) => (text === "" ? null : text))
const revision = z.coerce.number().int().positive()
const formSchema = z.discriminatedUnion("intent", [
  z.object({ intent: z.literal("publish"), revision, note }),
  z.object({ intent: z.literal("submit"), revision }),
  z.object({ intent: z.literal("withdraw"), revision }),
  z.object({ intent: z.literal("discard"), revision }),
  z.object({ intent: z.literal("roll_back"), version: z.coerce.number().int().positive(), note }),
])

const REFUSALS: Record<Extract<Published, { ok: false }>["reason"], string> = {
  no_such_layer: "There is no such team or person any more.",
  changed_meanwhile: "Somebody changed the draft since you opened this page. Look at it as it is now, and try again.",
  base_moved:
    "Another version was published since the draft was begun. Open the draft, look at what differs, and save it.",
  needs_submission: "Hand it in for review first: this organization has a second person look at every change.",
  own_draft: "You wrote it: a second person publishes it.",
  no_such_version: "There is no such version.",
  in_force: "That version is in force.",
}

export const action = guard("policy.manage", async ({ viewer, params, request, context }) => {
  const target = parseTarget(params)
  const form = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!form.success) {
    const message = form.error.issues[0]?.message ?? "This form cannot be read."
    return data({ done: null, error: message }, { status: 422 })
  }
  const values = form.data
  const by = byViewer(viewer, context.requestId, context.now())
  return asTenant(context.db, viewer.orgId, async (tx) => {
    if (values.intent === "publish" || values.intent === "roll_back") {
      const published =
        values.intent === "publish"
          ? await publishDraft(tx, { target, revision: values.revision, note: values.note, by })
          : await rollBack(tx, { target, version: values.version, note: values.note, by })
      if (!published.ok) return data({ done: null, error: REFUSALS[published.reason] }, { status: 409 })
      const done = `Version ${published.version} is in force. Clients that listen have it within a second.`
      return data({ done, error: null })
    }
    const args = { target, revision: values.revision, by }
    const changed =
      values.intent === "discard"
        ? await discardDraft(tx, args)
        : await submitDraft(tx, { ...args, isSubmitted: values.intent === "submit" })
    if (!changed.ok) return data({ done: null, error: REFUSALS[changed.reason] }, { status: 409 })
    const done = { discard: "The draft is gone.", submit: "Handed in for review.", withdraw: "Taken back." }
    return data({ done: done[values.intent], error: null })
  })
})

export default function PolicyPage() {
  const loaded = useLoaderData<typeof loader>()
  const { title, kind, address, inForce, json, draft, isManager, now, timeZone } = loaded
  const result = useActionData<typeof action>()
  const whom = kind === "organization" ? "everyone" : kind === "team" ? "the team and its parts" : "one person"
  return (
    <>
      <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1">
          <p className="flex items-center gap-1 text-sm text-ink-faint">
            <Link to={paths.policies()} className="hover:text-ink hover:underline">
              Policy
            </Link>
            <ChevronRight aria-hidden className="size-3.5" />
            <span>binds {whom}</span>
          </p>
          <h1 className="mt-1 text-xl font-semibold tracking-tight break-words">{title}</h1>
          <p className="mt-1 text-ink-soft">
            {inForce === null
              ? "Nothing is in force."
              : `Version ${inForce.version} is in force since ${formatInstant(inForce.publishedAt, timeZone)}, published by ${inForce.publishedBy ?? "a former member"}.`}
          </p>
        </div>
        {isManager && (
          <Link to={paths.policyEdit(address)} className={buttonClass("primary")}>
            <PenLine aria-hidden className="size-3.5" />
            {draft === null ? (inForce === null ? "Write it" : "Change it") : "Open the draft"}
          </Link>
        )}
      </header>
      <div className="mt-4 space-y-6">
        {result?.error && <Notice tone="bad">{result.error}</Notice>}
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        {draft !== null && <DraftSection {...loaded} draft={draft} />}
        {inForce !== null && (
          <section aria-labelledby="in-force">
            <h2 id="in-force" className="text-lg font-semibold">
              What it says
            </h2>
            <div className="mt-2 rounded-md border border-line bg-surface p-4">
              <Facts facts={inForce.facts} />
            </div>
            {json !== null && (
              <details className="mt-2">
                <summary className="cursor-pointer text-sm text-ink-soft hover:text-ink">As JSON</summary>
                <div className="mt-2 flex justify-end">
                  <CopyButton label="the policy as JSON" text={json} />
                </div>
                <pre className="mt-2 overflow-x-auto rounded-md border border-line bg-sunken p-3 font-mono text-xs">
                  {json}
                </pre>
              </details>
            )}
          </section>
        )}
        {loaded.shown !== null && loaded.shown.version !== inForce?.version && (
          <section aria-labelledby="said" className="scroll-mt-4">
            <h2 id="said" className="text-lg font-semibold">
              What version {loaded.shown.version} said
            </h2>
            <p className="mt-1 text-sm text-ink-soft">
              Published {formatInstant(loaded.shown.publishedAt, timeZone)} by{" "}
              {loaded.shown.publishedBy ?? "a former member"}; not in force now.
            </p>
            <div className="mt-2 rounded-md border border-line bg-surface p-4">
              <Facts facts={loaded.shown.facts} />
            </div>
          </section>
        )}
        {loaded.comparison !== null && inForce !== null && (
          <section aria-labelledby="comparison">
            <h2 id="comparison" className="text-lg font-semibold">
              From version {loaded.comparison.version} to version {inForce.version}
            </h2>
            <div className="mt-2 rounded-md border border-line bg-surface p-4">
              <Comparison
                {...loaded.comparison}
                as={loaded.as}
                titles={[`Version ${loaded.comparison.version}`, `Version ${inForce.version}, in force`]}
              />
            </div>
          </section>
        )}
        {loaded.versions.length > 0 && (
          <section aria-labelledby="versions">
            <h2 id="versions" className="text-lg font-semibold">
              Versions
            </h2>
            <div className="mt-2">
              <Table
                caption="Versions"
                titles={["Version", "Published", "By", "Note", "(Actions)"]}
                figures={["Version"]}
              >
                {loaded.versions.map((version) => (
                  <tr key={version.version} className={ROW}>
                    <th scope="row" className={`${FIGURE_CELL} font-medium`}>
                      {version.version}
                    </th>
                    <td className={CELL} title={formatInstant(version.publishedAt, timeZone)}>
                      {formatAge(version.publishedAt, now)}
                    </td>
                    <td className={CELL}>{version.publishedBy ?? "a former member"}</td>
                    <td className={TEXT_CELL}>
                      {version.restoredVersion === null ? "" : `Version ${version.restoredVersion} again. `}
                      {version.note ?? ""}
                    </td>
                    <td className={`${CELL} space-x-4 text-right`}>
                      <Link
                        to={paths.policyVersion(address, version.version)}
                        preventScrollReset
                        aria-label={`Read what version ${version.version} says`}
                        className={rowActionClass("quiet")}
                      >
                        Read
                      </Link>
                      {version.version === inForce?.version ? (
                        <span className="text-sm text-good">in force</span>
                      ) : (
                        <>
                          <Link
                            to={paths.policyCompare(address, version.version)}
                            preventScrollReset
                            aria-label={`Compare version ${version.version} with the one in force`}
                            className={rowActionClass("quiet")}
                          >
                            Compare
                          </Link>
                          {isManager && (
                            <Confirm
                              trigger="Put in force"
                              triggerLabel={`Put in force: version ${version.version}`}
                              triggerClass={rowActionClass("quiet")}
                              title={`Put version ${version.version} in force again?`}
                              description="It becomes the newest version, at once. You can put the present one in force again in the same way."
                              action="Put in force"
                              fields={{ intent: "roll_back", version: String(version.version) }}
                            >
                              <Field label="Why" name="note" maxLength={500} />
                            </Confirm>
                          )}
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </Table>
            </div>
            {loaded.next !== null && (
              <Link to={`${paths.policy(address)}?before=${loaded.next}`} className={buttonClass("quiet", "mt-3")}>
                Older versions
              </Link>
            )}
          </section>
        )}
      </div>
    </>
  )
}

type Loaded = ReturnType<typeof useLoaderData<typeof loader>>

function DraftSection(loaded: Loaded & { draft: NonNullable<Loaded["draft"]> }) {
  const { draft, needsReview, isOwnDraft, hasMoved, inForce, now } = loaded
  const fields = { revision: String(draft.revision) }
  const waits = draft.submittedAt !== null
  const mayPublish = !hasMoved && draft.changes.length > 0 && (!needsReview || (waits && !isOwnDraft))
  return (
    <section aria-labelledby="draft" className="rounded-md border border-line-strong bg-surface p-4">
      <h2 id="draft" className="text-lg font-semibold">
        The draft
      </h2>
      <p className="mt-1 text-sm text-ink-soft">
        Saved {formatAge(draft.savedAt, now)} by {draft.writtenBy ?? "a former member"}
        {waits && `, handed in for review by ${draft.submittedBy ?? "a former member"}`}.{" "}
        {draft.changes.length > 0 && `${plural(draft.changes.length, "change")}:`}
      </p>
      <div className="mt-2">
        <Comparison
          {...draft}
          as={loaded.as}
          titles={[inForce === null ? "Now" : `Version ${inForce.version}, in force`, "Draft"]}
        />
      </div>
      {hasMoved && (
        <p className="mt-3 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
          Another version was published since it was begun. Open the draft and save it once you have seen what differs.
        </p>
      )}
      <div className="mt-4 flex flex-wrap gap-2">
        <Link to={paths.dryRun(loaded.address)} className={buttonClass("quiet")}>
          <FlaskConical aria-hidden className="size-3.5" />
          Dry run
        </Link>
        {mayPublish && (
          <Confirm
            trigger="Publish"
            triggerClass={buttonClass("primary")}
            title="Publish the draft?"
            description="It binds from now on. Every version is kept, and an earlier one can be put in force again."
            action="Publish"
            fields={{ intent: "publish", ...fields }}
          >
            <Field label="What changes, and why" name="note" maxLength={500} />
          </Confirm>
        )}
        {needsReview && !waits && (
          <Confirm
            trigger="Hand in for review"
            triggerClass={buttonClass("primary")}
            title="Hand the draft in for review?"
            description="A second person looks at it and publishes it."
            action="Hand in"
            fields={{ intent: "submit", ...fields }}
          />
        )}
        {waits && (
          <Confirm
            trigger="Take back"
            triggerClass={buttonClass("quiet")}
            title="Take the draft back from review?"
            description="It stays as it is, and is handed in again when it is ready."
            action="Take back"
            fields={{ intent: "withdraw", ...fields }}
          />
        )}
        <Confirm
          trigger="Throw away"
          triggerClass={buttonClass("danger")}
          title="Throw the draft away?"
          description="What was published stays in force. The draft cannot be had back."
          action="Throw away"
          cancel="Keep"
          fields={{ intent: "discard", ...fields }}
        />
      </div>
      {needsReview && waits && isOwnDraft && (
        <p className="mt-3 text-sm text-ink-soft">You wrote it, so a second person publishes it.</p>
      )}
    </section>
  )
}
