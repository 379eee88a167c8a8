import { Link, useFetcher } from "@remix-run/react"
import { clsx } from "clsx"
import { lazy, Suspense, useMemo, useState } from "react"
import type { PolicyBundle, PolicyDocument } from "#sdk/policy/document.ts"
import { comparePolicies } from "#sdk/policy/facts.ts"
import { lintPolicy } from "#sdk/policy/lint.ts"
import { checkPolicy, type PolicyProblem } from "#sdk/policy/parse.ts"
import type { Layer } from "#sdk/policy/vocabulary.ts"
import { plural } from "../../../lib/format.ts"
import { paths, type PolicyOf } from "../../../lib/paths.ts"
import { useInBrowser } from "../../../lib/use-in-browser.ts"
import { buttonClass } from "../../../ui/button.ts"
import { Changes } from "../changes.tsx"
import { RulesForm } from "./rules.tsx"
import { AutonomyForm, BudgetsForm, ModelsForm, ReviewForm } from "./sections.tsx"
import { Tester } from "./tester.tsx"

const CodeView = lazy(() => import("./code.tsx"))

const VIEWS = ["Form", "Code"] as const

/** What came of saving. */
export interface Saved {
  readonly revision: number | null
  readonly error: string | null
}

/** Writes a policy: as a form or as code, tried out and looked over as it is written. */
export function Editor(props: {
  document: PolicyDocument
  revision: number | null
  inForce: PolicyDocument | null
  versionInForce: number | null
  hasMoved: boolean
  address: PolicyOf
  layer: Layer
  wider: PolicyBundle["layers"]
  nowMs: number
}) {
  const { address, inForce, versionInForce, layer, wider, nowMs } = props
  const [document, setDocument] = useState(props.document)
  const [view, setView] = useState<(typeof VIEWS)[number]>("Form")
  const [codeProblems, setCodeProblems] = useState<readonly PolicyProblem[]>([])
  const fetcher = useFetcher<Saved>()
  // What was sent last is what is saved, once the answer has its revision.
  const [sent, setSent] = useState<PolicyDocument | null>(null)
  const isAnswered = fetcher.state === "idle" && fetcher.data?.revision != null
  const revision = fetcher.data?.revision ?? props.revision
  const saved = isAnswered ? sent : props.revision === null ? null : props.document
  const isInBrowser = useInBrowser()

  const checked = useMemo(() => checkPolicy(document), [document])
  const problems = view === "Code" && codeProblems.length > 0 ? codeProblems : checked.ok ? [] : checked.problems
  const findings = useMemo(() => (checked.ok ? lintPolicy(checked.document, nowMs) : []), [checked, nowMs])
  const changes = useMemo(() => (checked.ok ? comparePolicies(inForce, checked.document) : []), [checked, inForce])
  const isSaved = saved !== null && JSON.stringify(saved) === JSON.stringify(document)
  const save = () => {
    setSent(document)
    fetcher.submit({ document: JSON.stringify(document), revision: revision ?? "" }, { method: "post" })
  }
  const change = (of: Partial<PolicyDocument>) => setDocument((before) => withSections(before, of))
  const form = { document, change }
  return (
    <div className="mt-4 grid gap-6 xl:grid-cols-[minmax(0,1fr)_24rem]">
      <div className="min-w-0">
        <div className="flex flex-wrap items-center gap-2">
          <div role="group" aria-label="View" className="flex rounded-md border border-line-strong bg-surface p-0.5">
            {VIEWS.map((name) => (
              <button
                key={name}
                type="button"
                aria-pressed={view === name}
                disabled={!isInBrowser || (name === "Form" && codeProblems.length > 0)}
                title={name === "Form" && codeProblems.length > 0 ? "Put the code right first." : undefined}
                onClick={() => setView(name)}
                className={clsx(
                  "rounded-sm px-2.5 py-1 text-sm transition-colors duration-150 disabled:opacity-50",
                  view === name
                    ? "bg-accent-soft font-medium text-accent"
                    : "text-ink-soft hover:bg-sunken hover:text-ink",
                )}
              >
                {name}
              </button>
            ))}
          </div>
          <p role="status" className="text-sm text-ink-faint">
            {fetcher.state !== "idle" ? "Saving…" : isSaved ? "Saved as a draft." : "Not saved yet."}
          </p>
          <div className="ml-auto flex gap-2">
            {isSaved && (
              <Link to={paths.policy(address)} className={buttonClass("quiet")}>
                To review and publish
              </Link>
            )}
            <button
              type="button"
              disabled={!isInBrowser || problems.length > 0 || isSaved || fetcher.state !== "idle"}
              onClick={save}
              className={buttonClass("primary")}
            >
              Save the draft
            </button>
          </div>
        </div>
        {fetcher.data?.error != null && fetcher.state === "idle" && (
          <p role="alert" className="mt-3 rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
            {fetcher.data.error}
          </p>
        )}
        {props.hasMoved && (
          <p className="mt-3 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
            Version {versionInForce} was published since this draft was begun. What differs from it is on this page;
            save the draft once it is what you want.
          </p>
        )}
        {view === "Form" ? (
          <div className="mt-4 space-y-8">
            <RulesForm {...form} />
            <ModelsForm {...form} />
            <AutonomyForm {...form} />
            <BudgetsForm {...form} />
            <ReviewForm {...form} />
          </div>
        ) : (
          <Suspense fallback={<p className="mt-4 text-ink-faint">Loading the code view…</p>}>
            <CodeView document={document} onChange={setDocument} onProblems={setCodeProblems} />
          </Suspense>
        )}
      </div>
      <aside className="min-w-0 space-y-6 xl:sticky xl:top-4 xl:self-start" aria-label="What the draft does">
        <Problems problems={problems} />
        <Tester document={checked.ok ? checked.document : null} layer={layer} wider={wider} nowMs={nowMs} />
        <section aria-labelledby="lint">
          <h2 id="lint" className="text-lg font-semibold">
            Looked over
          </h2>
          {findings.length === 0 ? (
            <p className="mt-1 text-sm text-ink-soft">{checked.ok ? "Nothing looks wrong." : "Once it can be read."}</p>
          ) : (
            <ul className="mt-2 space-y-2">
              {findings.map(({ code, path, ruleId, message, severity }) => (
                <li key={`${code} ${path}`} className="rounded-md border border-line bg-surface px-3 py-2 text-sm">
                  <span
                    className={clsx(
                      "font-medium",
                      severity === "error" ? "text-bad" : severity === "warning" ? "text-warn" : "text-ink-soft",
                    )}
                  >
                    {SEVERITIES[severity]}
                  </span>{" "}
                  <code className="font-mono text-xs">{ruleId ?? path}</code>
                  <p className="mt-0.5 text-ink-soft">{message}</p>
                </li>
              ))}
            </ul>
          )}
        </section>
        <section aria-labelledby="changes">
          <h2 id="changes" className="text-lg font-semibold">
            What changes
          </h2>
          <p className="mt-1 text-sm text-ink-soft">
            {changes.length === 0 ? "Nothing, against what is in force." : `${plural(changes.length, "change")}.`}
          </p>
          {changes.length > 0 && (
            <Changes
              changes={changes}
              titles={[versionInForce === null ? "Now" : `Version ${versionInForce}`, "Draft"]}
            />
          )}
        </section>
      </aside>
    </div>
  )
}

const SEVERITIES = { error: "Wrong", warning: "Suspicious", hint: "Could say more" }

/** Sections that are given take the place of those of the same name; one that is undefined is unset. */
function withSections(before: PolicyDocument, of: Partial<PolicyDocument>): PolicyDocument {
  const merged: PolicyDocument = { ...before, ...of }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as PolicyDocument
}

function Problems({ problems }: { problems: readonly PolicyProblem[] }) {
  if (problems.length === 0) return null
  return (
    <section aria-labelledby="problems" className="rounded-md bg-bad-soft px-3 py-2">
      <h2 id="problems" className="font-semibold text-bad">
        {plural(problems.length, "thing")} to put right
      </h2>
      <ul className="mt-1 space-y-1 text-sm text-bad">
        {problems.map(({ path, line, message }) => (
          <li key={`${path} ${line ?? ""} ${message}`}>
            {line !== null && `Line ${line}: `}
            {path !== "" && <code className="font-mono text-xs">{path}</code>} {message}
          </li>
        ))}
      </ul>
    </section>
  )
}
