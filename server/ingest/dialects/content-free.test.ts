import * as fc from "fast-check"
import { expect, test } from "vitest"
import { type Normalized, normalize } from "../normalize.ts"
import type { AttributeValue, Attributes, LogRecord, MetricPoint, OtlpRequest, Span } from "../otlp/types.ts"
import { isFields, isList } from "./attributes.ts"
import { type Folder, listFixtures, readFixture, SENT_AT } from "./fixtures.ts"

const fixtures = (["captured", "written"] as const).flatMap((folder) =>
  listFixtures(folder).map((file) => ({ folder, file, request: readFixture(folder, file) })),
)

/** Attributes that hold what people and agents wrote or worked on, in some source. */
const CONTENT_KEYS: ReadonlySet<string> = new Set([
  "ai.prompt",
  "ai.prompt.messages",
  "ai.prompt.tools",
  "ai.response.text",
  "ai.response.toolCalls",
  "ai.toolCall.args",
  "ai.toolCall.result",
  "arguments",
  "db.query.text",
  "error",
  "error.message",
  "errorMessage",
  "exception.message",
  "exception.stacktrace",
  "function_args",
  "gen_ai.agent.description",
  "gen_ai.evaluation.explanation",
  "gen_ai.input.messages",
  "gen_ai.output.messages",
  "gen_ai.system_instructions",
  "gen_ai.tool.call.arguments",
  "gen_ai.tool.call.result",
  "gen_ai.tool.definitions",
  "output",
  "phases",
  "prompt",
  "reasoning",
  "request_text",
  "response",
  "response_text",
  "user_prompt",
])

type Replace = (key: string, value: string) => string

function replaceStrings(request: OtlpRequest, replace: Replace): OtlpRequest {
  const inAttributes = (attributes: Attributes): Attributes =>
    new Map([...attributes].map(([key, value]) => [key, inValue(key, value)]))
  const inValue = (key: string, value: AttributeValue): AttributeValue => {
    if (typeof value === "string") return replace(key, value)
    if (isList(value)) return value.map((item) => inValue(key, item))
    return isFields(value) ? inAttributes(value) : value
  }
  const inSpan = (span: Span): Span => ({
    ...span,
    name: replace("(name)", span.name),
    attributes: inAttributes(span.attributes),
    events: span.events.map((event) => ({ ...event, attributes: inAttributes(event.attributes) })),
  })
  const inRecord = (record: LogRecord): LogRecord => ({
    ...record,
    eventName: replace("(name)", record.eventName),
    body: inValue("(body)", record.body),
    attributes: inAttributes(record.attributes),
  })
  const inPoint = (point: MetricPoint): MetricPoint => ({ ...point, attributes: inAttributes(point.attributes) })
  const inGroup =
    <Item>(inItem: (item: Item) => Item) =>
    (group: { resource: Attributes; scope: { name: string; version: string }; items: readonly Item[] }) => ({
      ...group,
      resource: inAttributes(group.resource),
      items: group.items.map(inItem),
    })
  if (request.signal === "traces") return { signal: "traces", groups: request.groups.map(inGroup(inSpan)) }
  if (request.signal === "logs") return { signal: "logs", groups: request.groups.map(inGroup(inRecord)) }
  return { signal: "metrics", groups: request.groups.map(inGroup(inPoint)) }
}

/** All text that leaves normalization, but for the person, who is keyed and hashed before anything is stored. */
function textsOf(result: Normalized): readonly string[] {
  const fields = result.signals.flatMap((signal) => [...Object.values(signal), signal.occurrence?.id])
  // The person and the occurrence are records.
  const texts = fields.filter((value) => typeof value === "string")
  return [...texts, ...result.unrecognized.map((item) => item.name)]
}

function normalizeAt(folder: Folder, request: OtlpRequest): Normalized {
  return normalize(request, SENT_AT[folder])
}

test.each(fixtures)("nothing that $file says of people's work comes out", ({ folder, request }) => {
  const contents = new Set<string>()
  replaceStrings(request, (key, value) => {
    const isPath = /^[/~]|^\.{1,2}\//.test(value)
    const isProse = value.split(/\s/).length > 4 || /[{}"\n]/.test(value)
    if (value !== "" && (CONTENT_KEYS.has(key) || isPath || isProse)) contents.add(value)
    return value
  })
  const texts = textsOf(normalizeAt(folder, request))
  const leaked = [...contents].filter((content) => texts.some((text) => text.includes(content)))
  expect(leaked).toEqual([])
})

/** The canary: never part of a fixture, and not a word that a name is made of. */
const TOKEN = "zq7canary7xj"

/** What content looks like wherever a source may put it by mistake. */
const secret = fc.constantFrom(
  `/home/dev/${TOKEN}/plan.ts`,
  `~/${TOKEN}`,
  `../${TOKEN}/plan.ts`,
  `C:\\Users\\${TOKEN}`,
  `C:/Users/${TOKEN}`,
  `https://intranet.example/${TOKEN}?q=1`,
  `${TOKEN}@example.com`,
  `please rename ${TOKEN} in the billing code`,
  `Error: ${TOKEN}, twice`,
  `const key = "${TOKEN}"`,
  `${TOKEN}\nand a second line`,
  `${TOKEN} `.repeat(20).trimEnd(),
  TOKEN.repeat(10),
  `naïve ${TOKEN}`,
  `git commit -m "${TOKEN}"`,
  `git push --force origin HEAD:${TOKEN}`,
  `KEY="a ${TOKEN}" make`,
  `cd "x && ${TOKEN} y"`,
  JSON.stringify({ command: `rm -rf ${TOKEN}`, cmd: `cat ${TOKEN}`, full_command: `git push ${TOKEN}` }),
  JSON.stringify({ command: ["bash", "-lc", `deploy --to ${TOKEN}`], bash_command: `/srv/${TOKEN}/run me` }),
  JSON.stringify({ command: ["git", "push", TOKEN], mcp_tool_name: `/tmp/${TOKEN}`, mcp_server_name: `~${TOKEN}` }),
  JSON.stringify({ modelID: `/models/${TOKEN}`, agent: `~/${TOKEN}`, "session.id": `/s/${TOKEN}`, step: 0 }),
)

const NAME_KEYS: ReadonlySet<string> = new Set(["(name)", "event.name"])
/** What a span or event is called is counted by its first word, and one word cannot be told from a name. */
const isName = (key: string, value: string) => NAME_KEYS.has(key) && value.startsWith(`${TOKEN} `)

test.each(fixtures)("a secret put anywhere in $file never comes out", ({ folder, request }) => {
  fc.assert(
    fc.property(secret, fc.infiniteStream(fc.boolean()), (value, coins) => {
      // Some strings stay, so that items are still recognized and give their signals.
      const stuffed = replaceStrings(request, (key, original) => {
        if (isName(key, value)) return original
        return coins.next().value === true ? value : original
      })
      expect(textsOf(normalizeAt(folder, stuffed)).filter((text) => text.includes(TOKEN))).toEqual([])
    }),
    { numRuns: 60 },
  )
})

test.each(fixtures)("a secret put in every string of $file at once never comes out", ({ folder, request }) => {
  fc.assert(
    fc.property(secret, (value) => {
      const stuffed = replaceStrings(request, (key, original) => {
        const isNeeded = key === "event.name" || key === "gen_ai.operation.name" || key === "event.kind"
        return isNeeded || key === "(name)" ? original : value
      })
      expect(textsOf(normalizeAt(folder, stuffed)).filter((text) => text.includes(TOKEN))).toEqual([])
    }),
  )
})

test.each(fixtures)("even one harmless word of content in $file never comes out", ({ folder, request }) => {
  const stuffed = replaceStrings(request, (key, original) =>
    CONTENT_KEYS.has(key) || key === "(body)" ? TOKEN : original,
  )
  expect(textsOf(normalizeAt(folder, stuffed)).filter((text) => text.includes(TOKEN))).toEqual([])
})

test("the canary would be seen if it came out", () => {
  const [first] = fixtures.filter(({ file }) => file === "claude-code.logs.json")
  if (first === undefined) throw new Error("the fixture is gone")
  const named = replaceStrings(first.request, (key, original) => (key === "model" ? TOKEN : original))
  expect(textsOf(normalizeAt("written", named))).toContain(TOKEN)
})
