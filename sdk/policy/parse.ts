/** Policy documents as YAML and JSON, in and out; what is read, written and read again is the same document. */
import { isAlias, isNode, LineCounter, parseDocument, stringify, visit } from "yaml"
import type { z } from "zod"
import { type PolicyDocument, policyDocumentSchema } from "./document.ts"

/** What is wrong with a document, and what to do. */
export interface PolicyProblem {
  /** Where, such as `permissions.rules[2].effect`; empty for the document as a whole. */
  readonly path: string
  /** The line of the source, from 1; null where there is no source. */
  readonly line: number | null
  /** The column in that line, from 1; null where there is no source. */
  readonly column: number | null
  /** What is wrong and what to write instead, in a sentence or two. */
  readonly message: string
}

/** A document, or all that is wrong with it. */
export type ParsedPolicy =
  | { readonly ok: true; readonly document: PolicyDocument }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

type Path = readonly PropertyKey[]
type Located = (path: Path) => { readonly line: number | null; readonly column: number | null }

const NOWHERE: Located = () => ({ line: null, column: null })

/** Reads a policy document from YAML or JSON (which is YAML). Never throws. */
export function parsePolicy(source: string): ParsedPolicy {
  const lines = new LineCounter()
  const yaml = parseDocument(source, { lineCounter: lines, prettyErrors: false, schema: "core" })
  const syntax = [...yaml.errors, ...yaml.warnings]
  if (syntax.length > 0) {
    const problems = syntax.map((error) => {
      const { line, col } = lines.linePos(error.pos[0])
      return { path: "", line, column: col, message: `This is not YAML or JSON: ${error.message}` }
    })
    return { ok: false, problems }
  }
  // What points elsewhere in the text has no line of its own to tell of, and can be made to grow without end.
  let alias: number | undefined
  visit(yaml, (_, node) => {
    if (!isAlias(node)) return undefined
    alias = node.range?.[0] ?? 0
    return visit.BREAK
  })
  if (alias !== undefined) {
    const { line, col } = lines.linePos(alias)
    const message = "References (*name) are not read. Write the value out where it is needed."
    return { ok: false, problems: [{ path: "", line, column: col, message }] }
  }
  return check(yaml.toJS(), (path) => {
    for (let length = path.length; length >= 0; length--) {
      const at: unknown = length === 0 ? yaml.contents : yaml.getIn(path.slice(0, length), true)
      if (!isNode(at) || !at.range) continue
      const { line, col } = lines.linePos(at.range[0])
      return { line, column: col }
    }
    return { line: 1, column: 1 }
  })
}

/** Checks a policy document that is a value already. Never throws. */
export function checkPolicy(value: unknown): ParsedPolicy {
  return check(value, NOWHERE)
}

/** The document as JSON, indented by two spaces. */
export function policyToJson(document: PolicyDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`
}

/** The document as YAML. */
export function policyToYaml(document: PolicyDocument): string {
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 0, schema: "core" })
}

function check(value: unknown, located: Located): ParsedPolicy {
  const problem = (path: Path, message: string): PolicyProblem => ({ path: toPath(path), ...located(path), message })
  const parsed = policyDocumentSchema.safeParse(value)
  if (!parsed.success) return { ok: false, problems: parsed.error.issues.map((issue) => fromIssue(issue, problem)) }
  const problems = [
    ...duplicates(parsed.data.permissions?.rules, ["permissions", "rules"], problem),
    ...duplicates(parsed.data.budgets, ["budgets"], problem),
  ]
  return problems.length > 0 ? { ok: false, problems } : { ok: true, document: parsed.data }
}

function fromIssue(issue: z.core.$ZodIssue, problem: (path: Path, message: string) => PolicyProblem): PolicyProblem {
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys
    const names = issue.keys.map((name) => `"${name}"`).join(", ")
    return problem(
      [...issue.path, key],
      `${names} is not part of a policy here. Take it out, or look for its spelling in the schema.`,
    )
  }
  const own = ownWords(issue)
  if (own === null && issue.code === "invalid_value")
    return problem(issue.path, `Write one of ${issue.values.map(String).join(", ")}.`)
  if (own === null && issue.code === "invalid_type")
    return problem(issue.path, `This has to be ${withArticle(issue.expected)}.`)
  return problem(issue.path, issue.message)
}

function duplicates(
  items: readonly { readonly id: string }[] = [],
  path: Path,
  problem: (path: Path, message: string) => PolicyProblem,
): readonly PolicyProblem[] {
  const first = new Map<string, number>()
  return items.flatMap(({ id }, at) => {
    const earlier = first.get(id)
    if (earlier === undefined) {
      first.set(id, at)
      return []
    }
    return [
      problem([...path, at, "id"], `"${id}" is the id of ${toPath([...path, earlier])} as well. Give each its own.`),
    ]
  })
}

/** What the schema says of this mistake, where it says more than zod does. */
function ownWords({ message }: z.core.$ZodIssue): string | null {
  return message.startsWith("Invalid ") ? null : message
}

function withArticle(type: string): string {
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`
}

function toPath(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`
    return text === "" ? String(key) : `${text}.${String(key)}`
  }, "")
}
