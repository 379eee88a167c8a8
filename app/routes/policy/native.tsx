import type { MetaFunction } from "@remix-run/node"
import { Form, Link, useLoaderData } from "@remix-run/react"
import { FileCode } from "lucide-react"
import { NATIVE_TOOLS } from "#sdk/policy/native/compile-native.ts"
import { NATIVE_PATH } from "#server/policy/native-files.ts"
import { plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { useFind } from "../../lib/use-find.ts"
import { buttonClass } from "../../ui/button.ts"
import { CopyButton } from "../../ui/copy.tsx"
import { Field } from "../../ui/field.tsx"
import { Select } from "../../ui/select.tsx"
import { CELL, ROW, Table, TEXT_CELL } from "../../ui/table.tsx"
import { loadNative } from "./native.server.ts"
import { PolicyTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Policy as agents' own files · Belay" }]

export const loader = guard("policy.manage", async ({ viewer, request, context }) => {
  const { asked, files } = await loadNative({ viewer, request, context })
  return {
    tool: asked.tool,
    tools: NATIVE_TOOLS,
    hook: asked.hook ?? "",
    compiled: files,
    address: `${context.publicUrl}${NATIVE_PATH}${asked.tool}`,
  }
})

export default function Native() {
  const { tool, tools, hook, compiled, address } = useLoaderData<typeof loader>()
  const find = useFind()
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Agents' own files</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {compiled === null
            ? "There is no policy to write as files yet."
            : `${plural(compiled.files.length, "file")} for ${tool}, ${compiled.losses.length === 0 ? "with nothing lost" : `and ${plural(compiled.losses.length, "rule")} that it cannot say exactly`}.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          The organization's policy in the form that a tool reads by itself, for machines without the hook. It is never
          looser than the policy, but where the list below says so.
        </p>
      </header>
      <PolicyTabs isManager />
      {compiled === null ? (
        <div className="mt-4 rounded-md border border-line bg-surface px-4 py-12 text-center">
          <FileCode aria-hidden className="mx-auto size-6 text-ink-faint" />
          <p className="mx-auto mt-3 max-w-md text-ink-soft">
            <Link to={paths.policies()} className="text-accent underline underline-offset-2">
              Publish the organization's policy
            </Link>{" "}
            first.
          </p>
        </div>
      ) : (
        <div className="mt-4 space-y-6">
          <Form method="get" className="grid max-w-2xl gap-4 sm:grid-cols-2" {...find}>
            <Select
              label="Agent tool"
              name="tool"
              defaultValue={tool}
              hint={`Of the policy's version ${compiled.version}.`}
            >
              {tools.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </Select>
            <Field
              label="Command of the hook"
              name="hook"
              defaultValue={hook}
              placeholder="/usr/local/bin/belay"
              hint="As it is called on the machines; without it the files have no hook."
            />
          </Form>
          <Delivery address={address} hook={hook} files={compiled.files} />
          {compiled.files.map((file) => (
            <section key={file.name} aria-label={file.name}>
              <div className="flex flex-wrap items-center gap-2">
                <h2 className="font-mono text-sm font-medium">{file.name}</h2>
                <CopyButton label={file.name} text={file.contents} />
                <a
                  href={`${paths.policyNativeFile()}?${new URLSearchParams({ tool, file: file.name, ...(hook !== "" && { hook }) })}`}
                  download={file.name}
                  className={buttonClass("quiet")}
                >
                  Download
                </a>
              </div>
              <dl className="mt-1 text-xs text-ink-faint">
                {Object.entries(file.paths).map(([platform, path]) => (
                  <div key={platform} className="flex gap-2">
                    <dt className="w-16 shrink-0">{platform}</dt>
                    <dd className="min-w-0 font-mono break-all">{path}</dd>
                  </div>
                ))}
              </dl>
              <pre
                // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached
                tabIndex={0}
                className="mt-2 max-h-96 overflow-auto rounded-md border border-line bg-sunken p-3 font-mono text-xs"
              >
                {file.contents}
              </pre>
            </section>
          ))}
          {compiled.notes.length > 0 && (
            <ul className="max-w-3xl list-disc space-y-1 pl-5 text-sm text-ink-soft">
              {compiled.notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          )}
          {compiled.losses.length > 0 && (
            <Table caption="What the tool cannot say" titles={["Rule", "Here", "There", "What is lost", "Hook"]}>
              {compiled.losses.map((loss) => (
                <tr key={`${loss.layer} ${loss.ruleId} ${loss.what}`} className={ROW}>
                  <th scope="row" className={`${CELL} text-left font-medium`}>
                    {loss.ruleId === null ? "Every rule" : <code className="font-mono text-xs">{loss.ruleId}</code>}
                  </th>
                  <td className={CELL}>{loss.effect}</td>
                  <td className={`${CELL} ${loss.direction === "looser" ? "text-bad" : "text-ink-soft"}`}>
                    {loss.nativeEffect ?? "–"} ({loss.direction})
                  </td>
                  <td className={TEXT_CELL}>{loss.what}</td>
                  <td className={CELL}>{loss.isCoveredByHook ? "holds it" : "does not"}</td>
                </tr>
              ))}
            </Table>
          )}
        </div>
      )}
    </>
  )
}

/** How machines fetch the files by themselves, at addresses that stay. */
function Delivery(props: { address: string; hook: string; files: readonly { readonly name: string }[] }) {
  const query = props.hook === "" ? "" : `?${new URLSearchParams({ hook: props.hook })}`
  return (
    <section aria-labelledby="delivery">
      <h2 id="delivery" className="text-sm font-medium">
        Managed delivery
      </h2>
      <p className="mt-1 max-w-3xl text-sm text-ink-soft">
        Device management fetches each file from an address that stays, with a{" "}
        <Link to={paths.keys()} className="text-accent underline underline-offset-2">
          key
        </Link>{" "}
        that may read policies. The answer has an ETag, and 304 while nothing changed; the header belay-enduser asks for
        a person's own policy.
      </p>
      <ul className="mt-2 space-y-2">
        {props.files.map(({ name }) => {
          const command = `curl --fail --header "Authorization: Bearer $BELAY_KEY" --output ${name} "${props.address}/${name}${query}"`
          return (
            <li key={name} className="flex items-start gap-2">
              <code className="min-w-0 flex-1 rounded-md border border-line bg-sunken px-3 py-2 font-mono text-xs break-all">
                {command}
              </code>
              <CopyButton label={`the command for ${name}`} text={command} />
            </li>
          )
        })}
      </ul>
    </section>
  )
}
