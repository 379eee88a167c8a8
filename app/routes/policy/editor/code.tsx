import { autocompletion, type Completion, type CompletionContext } from "@codemirror/autocomplete"
import { yaml } from "@codemirror/lang-yaml"
import { syntaxHighlighting } from "@codemirror/language"
import { type Diagnostic, linter, lintGutter } from "@codemirror/lint"
import { EditorState } from "@codemirror/state"
import { EditorView } from "@codemirror/view"
import { basicSetup } from "codemirror"
import { useEffect, useRef } from "react"
import { policyJsonSchema, type PolicyDocument } from "#sdk/policy/document.ts"
import { parsePolicy, type PolicyProblem, policyToYaml } from "#sdk/policy/parse.ts"
import { CODE_COLORS, CODE_THEME } from "../code-theme.ts"

/** The policy as YAML (or JSON, which is YAML), with what is wrong beside its line and the schema's words to choose from. */
export default function CodeView(props: {
  document: PolicyDocument
  onChange: (document: PolicyDocument) => void
  onProblems: (problems: readonly PolicyProblem[]) => void
}) {
  const place = useRef<HTMLDivElement>(null)
  const latest = useRef(props)
  useEffect(() => {
    latest.current = props
  })
  useEffect(() => {
    if (place.current === null) return
    const read = (text: string) => {
      const parsed = parsePolicy(text)
      latest.current.onProblems(parsed.ok ? [] : parsed.problems)
      if (parsed.ok) latest.current.onChange(parsed.document)
    }
    const view = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: policyToYaml(latest.current.document),
        extensions: [
          basicSetup,
          yaml(),
          lintGutter(),
          linter(({ state }) => diagnose(state), { delay: 200 }),
          autocompletion({ override: [complete] }),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": "The policy as YAML" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) read(update.state.doc.toString())
          }),
          CODE_THEME,
          THEME,
          syntaxHighlighting(CODE_COLORS),
        ],
      }),
    })
    return () => {
      view.destroy()
      latest.current.onProblems([])
    }
  }, [])
  return <div ref={place} className="mt-4 overflow-hidden rounded-md border border-line-strong bg-surface text-sm" />
}

const THEME = EditorView.theme({ ".cm-content": { minHeight: "20rem" } })

function diagnose(state: EditorState): Diagnostic[] {
  const parsed = parsePolicy(state.doc.toString())
  if (parsed.ok) return []
  return parsed.problems.map(({ line, column, path, message }) => {
    const at = state.doc.line(Math.min(Math.max(line ?? 1, 1), state.doc.lines))
    const from = Math.min(at.from + Math.max((column ?? 1) - 1, 0), at.to)
    return {
      from,
      to: Math.max(from, at.to),
      severity: "error",
      message: path === "" ? message : `${path}: ${message}`,
    }
  })
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly description?: string
}

/** The keys of the schema at the cursor's place, and the values of its key: the place is found by indentation. */
function complete(context: CompletionContext) {
  const word = context.matchBefore(/[\w-]*/)
  if (word === null || (word.from === word.to && !context.explicit)) return null
  const line = context.state.doc.lineAt(context.pos)
  const before = line.text.slice(0, word.from - line.from)
  const ofValue = /^[\s-]*([\w-]+):\s*$/.exec(before)
  const path = pathAt(context.state, line.number, before)
  const node = find(policyJsonSchema(), ofValue?.[1] === undefined ? path : [...path, ofValue[1]])
  const options = ofValue === null ? keysOf(node) : valuesOf(node)
  return options.length === 0 ? null : { from: word.from, options }
}

/** The keys above a line, outermost first. */
function pathAt(state: EditorState, number: number, before: string): string[] {
  let indent = /^[\s-]*/.exec(before)?.[0].length ?? 0
  const path: string[] = []
  for (let at = number - 1; at >= 1 && indent > 0; at--) {
    const found = /^([\s-]*)([\w-]+):\s*$/.exec(state.doc.line(at).text)
    if (found === null) continue
    const own = found[1]?.length ?? 0
    if (own >= indent) continue
    path.unshift(found[2] ?? "")
    indent = own
  }
  return path
}

function alternatives(node: SchemaNode): readonly SchemaNode[] {
  return [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])]
}

function find(root: SchemaNode, path: readonly string[]): readonly SchemaNode[] {
  return path.reduce<readonly SchemaNode[]>(
    (nodes, key) =>
      nodes.flatMap((node) => {
        const next = node.properties?.[key]
        return next === undefined
          ? []
          : alternatives(next).flatMap((one) => (one.items ? alternatives(one.items) : [one]))
      }),
    [root],
  )
}

function keysOf(nodes: readonly SchemaNode[]): Completion[] {
  const keys = new Map<string, Completion>()
  for (const node of nodes) {
    for (const [label, { description }] of Object.entries(node.properties ?? {})) {
      keys.set(label, {
        label,
        apply: `${label}: `,
        type: "property",
        ...(description !== undefined && { info: description }),
      })
    }
  }
  return [...keys.values()]
}

function valuesOf(nodes: readonly SchemaNode[]): Completion[] {
  const values = nodes.flatMap((node) =>
    node.enum !== undefined ? node.enum : node.const !== undefined ? [node.const] : [],
  )
  return values.filter((value) => typeof value === "string").map((label) => ({ label, type: "enum" }))
}
