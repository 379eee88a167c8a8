import { createRandom, type Random } from "#server/demo/random.ts"
import type { Attributes, AttributeValue, OtlpRequest, OtlpSignal } from "#server/ingest/otlp/types.ts"
import { type Body, CONTENT } from "./check.ts"
import type { Corpus } from "./corpus.ts"

/** One body in so many is as large as a body may be for the promise on time. */
const LARGE_EVERY = 20_000
export const LARGE_BYTES = 4 * 1024 * 1024
/** One in so many is a fixture as it was sent. */
const ORIGINAL_EVERY = 200

/** The body with this number: of the same seed and number it is always the same. */
export function makeBody(corpus: Corpus, seed: string, number: number): Body {
  const random = createRandom(`${seed}:${number}`)
  if (number % LARGE_EVERY === LARGE_EVERY - 1) return makeLarge(corpus, random)
  if (number % ORIGINAL_EVERY === 0) return mutateBytes(random.pick(corpus.originals), corpus, random)
  const encoding = random.chance(0.5) ? "protobuf" : "json"
  if (random.chance(0.35)) return mutateBytes(random.pick(corpus.bodies[encoding]), corpus, random)
  const { request, now } = random.pick(corpus.seeds)
  let changed = request
  for (let count = random.between(1, 3); count > 0; count--) changed = mutateRequest(changed, corpus, random)
  const body: Body = { signal: request.signal, encoding, bytes: corpus.encode(changed, encoding), now }
  return random.chance(0.25) ? mutateBytes(body, corpus, random) : body
}

// What is said, in a body that is well-formed.

const TEXTS: readonly [string, ...string[]] = [
  "",
  " ",
  "\0",
  "claude\0code",
  "\ud800",
  "half \udc00 a character",
  "\ufeffmark",
  "\u202egnp.exe",
  "x".repeat(80),
  "x".repeat(81),
  "x".repeat(161),
  "x".repeat(5000),
  "😀".repeat(41),
  "ü".repeat(80),
  "é".repeat(20),
  CONTENT,
  `run ${CONTENT}`,
  `git commit -m "${CONTENT}" && rm -rf / ; $(curl secret) | tee /etc/secret`,
  `{"command":"${CONTENT}","file_path":"/home/secret/x.ts","pattern":"secret"}`,
  '{"a":'.repeat(40),
  "[".repeat(2000),
  "{".repeat(2000),
  '"'.repeat(500),
  "\\".repeat(500),
  "$(".repeat(500),
  "mcp__".repeat(20),
  "mcp__server one__tool two",
  "secret@example.com",
  "SECRET@EXAMPLE.COM ",
  "/home/secret/project/file.ts",
  "C:\\Users\\secret",
  "https://secret.example.com/?q=1",
  "NaN",
  "Infinity",
  "-1",
  "1e999",
  "1e-999",
  "99999999999999999999999999999999",
  "0x10",
  "12 34",
  "true",
  "null",
  "undefined",
  "__proto__",
  "constructor",
  "toString",
  "accept",
  "reject",
  "Edit",
  "Bash",
  "execute_tool",
  "invoke_agent",
  "chat",
  "<secret>",
  "'; drop table signal; --",
  "a b c d",
  "a b c d e",
  "1.2.3",
  "00000000000000000000000000000000",
  "2026-11-20T12:00:00.000Z",
  "+275761-01-01T00:00:00Z",
]

const NUMBERS: readonly [number, ...number[]] = [
  0,
  -0,
  1,
  -1,
  0.1,
  -0.5,
  1e-7,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  1e9,
  1e12,
  999_999.999_999_9,
  999_999.5,
  1e308,
  -1e308,
  5e-324,
  Number.NaN,
  Infinity,
  -Infinity,
  16_777_217,
  3.4e38,
  4e38,
]

const TIMES: readonly [bigint, ...bigint[]] = [
  0n,
  1n,
  999n,
  2n ** 63n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
  8_640_000_000_000_000_000n,
]

function nest(depth: number, value: AttributeValue): AttributeValue {
  let nested = value
  for (let level = 0; level < depth; level++) nested = level % 2 === 0 ? [nested] : new Map([["k", nested]])
  return nested
}

function makeValue(corpus: Corpus, random: Random): AttributeValue {
  const kind = random.between(0, 9)
  if (kind < 4) return random.pick(TEXTS)
  if (kind < 6) return random.pick(NUMBERS)
  if (kind === 6) return random.pick([true, false, null, [], new Map(), new Uint8Array([0, 255])])
  if (kind === 7) return nest(random.between(1, 40), random.pick(TEXTS))
  if (kind === 8) return random.pick(NUMBERS) * random.next()
  // Something that another source says.
  const other = attributesOf(random.pick(corpus.seeds).request, random)
  return [...other][random.between(0, Math.max(0, other.size - 1))]?.[1] ?? null
}

function itemsOf(request: OtlpRequest): readonly { readonly attributes: Attributes }[] {
  return request.groups[0]?.items ?? []
}

function attributesOf(request: OtlpRequest, random: Random): Attributes {
  const items = itemsOf(request)
  const item = items[random.between(0, Math.max(0, items.length - 1))]
  return item === undefined || random.chance(0.2) ? (request.groups[0]?.resource ?? new Map()) : item.attributes
}

function keysOf(attributes: Attributes): readonly string[] {
  return Array.from(attributes, ([key]) => key)
}

function mutateAttributes(attributes: Attributes, corpus: Corpus, random: Random): Attributes {
  const changed = new Map(attributes)
  const keys = keysOf(attributes)
  const key = keys[random.between(0, Math.max(0, keys.length - 1))] ?? "k"
  const way = random.between(0, 9)
  if (way < 6) changed.set(key, makeValue(corpus, random))
  else if (way === 6) changed.delete(key)
  else if (way === 7) changed.set(random.pick(TEXTS), makeValue(corpus, random))
  else if (way === 8 && random.chance(0.02)) for (let index = 0; index < 513; index++) changed.set(`k${index}`, index)
  else {
    const others = keysOf(attributesOf(random.pick(corpus.seeds).request, random))
    changed.set(others[random.between(0, Math.max(0, others.length - 1))] ?? "k", makeValue(corpus, random))
  }
  return changed
}

/** A time as telemetry may have it: on the edge of what is taken, or from another world. */
function mutateTime(time: bigint, random: Random): bigint {
  if (random.chance(0.3)) return random.pick(TIMES)
  return time + BigInt(Math.round((random.next() - 0.5) * 4e15))
}

function mutateRequest(request: OtlpRequest, corpus: Corpus, random: Random): OtlpRequest {
  // Each of the three has one group, and the same is done to it.
  const group = request.groups[0]
  if (group === undefined) return request
  const way = random.between(0, 19)
  if (way === 0)
    return {
      ...request,
      groups: [{ ...group, resource: mutateAttributes(group.resource, corpus, random) }],
    } as OtlpRequest
  if (way === 1) {
    const scope = {
      name: random.chance(0.5) ? random.pick(TEXTS) : scopeOf(corpus, random),
      version: random.pick(TEXTS),
    }
    return { ...request, groups: [{ ...group, scope }] } as OtlpRequest
  }
  if (way === 2) return { ...request, groups: [...request.groups, ...request.groups] } as OtlpRequest
  const at = random.between(0, Math.max(0, group.items.length - 1))
  const items = group.items.map((item, index) => (index === at ? mutateItem({ ...item }, corpus, random) : item))
  return { ...request, groups: [{ ...group, items }] } as OtlpRequest
}

function scopeOf(corpus: Corpus, random: Random): string {
  return random.pick(corpus.seeds).request.groups[0]?.scope.name ?? ""
}

function mutateItem(item: { readonly attributes: Attributes }, corpus: Corpus, random: Random): object {
  if (random.chance(0.75)) return { ...item, attributes: mutateAttributes(item.attributes, corpus, random) }
  const changed: Record<string, unknown> = { ...item }
  const keys = Object.keys(changed).filter((key) => key !== "attributes")
  const key = keys[random.between(0, keys.length - 1)] ?? "name"
  const value = changed[key]
  if (key === "body") changed[key] = makeValue(corpus, random)
  else if (/^(trace|span|parentSpan)Id$/.test(key))
    changed[key] = random.pick([
      "",
      "00",
      "0".repeat(16),
      "0".repeat(32),
      "ab".repeat(8),
      "ab".repeat(16),
      "AB".repeat(16),
    ])
  else if (typeof value === "bigint") changed[key] = mutateTime(value, random)
  else if (typeof value === "string") changed[key] = key === "temporality" ? "cumulative" : random.pick(TEXTS)
  else if (typeof value === "number") changed[key] = key === "statusCode" ? random.between(0, 3) : random.pick(NUMBERS)
  return changed
}

// Bytes, whatever they say.

/** A tag's field and wire type, lengths and varints as no exporter writes them. */
const RAW: readonly [Buffer, ...Buffer[]] = [
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
  Buffer.from([0x0a, 0x00]),
  Buffer.from([0x0b]),
  Buffer.from([0x07]),
  Buffer.from([0x00]),
  Buffer.from([0xc0, 0x80]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xf8, 0x88, 0x80, 0x80, 0x80]),
  Buffer.from([0xef, 0xbb, 0xbf]),
]

const TOKENS: readonly [string, ...string[]] = [
  "null",
  "true",
  "{}",
  "[]",
  "[[]]",
  "-0",
  "1e999",
  "-1e999",
  "1E400",
  "123456789012345678901234567890",
  "-1",
  "0.5",
  '"\\ud800"',
  '"\\u0000"',
  '"\\uFEFF"',
  '"18446744073709551616"',
  '"-9223372036854775809"',
  '"0x1f"',
  '"NaN"',
  '"__proto__"',
  '{"__proto__":{"stringValue":"x"}}',
  '{"stringValue":"a","intValue":"1"}',
  `${"[".repeat(200)}${"]".repeat(200)}`,
  `${'{"arrayValue":{"values":['.repeat(40)}${"]}}".repeat(40)}`,
  "[".repeat(3000),
]

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/g

function mutateBytes(body: Body, corpus: Corpus, random: Random): Body {
  let { bytes } = body
  for (let count = random.chance(0.6) ? 1 : random.between(2, 4); count > 0; count--) {
    bytes =
      body.encoding === "json" && random.chance(0.5)
        ? mutateTokens(bytes, random)
        : mutateOnce(bytes, random.pick(corpus.bodies[body.encoding]).bytes, random)
  }
  // Now and then sent to where it does not belong.
  const signal: OtlpSignal = random.chance(0.03) ? random.pick(["traces", "logs", "metrics"]) : body.signal
  return { ...body, signal, bytes }
}

function mutateOnce(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const place = () => random.between(0, Math.max(0, bytes.length - 1))
  switch (random.between(0, 8)) {
    case 0: {
      const changed = Buffer.from(bytes)
      for (let count = random.between(1, 4); count > 0; count--) {
        const at = place()
        changed[at] = (changed[at] ?? 0) ^ (1 << random.between(0, 7))
      }
      return changed
    }
    case 1: {
      const changed = Buffer.from(bytes)
      changed[place()] = random.between(0, 255)
      return changed
    }
    case 2:
      return bytes.subarray(0, place())
    case 3:
      return Buffer.concat([
        bytes.subarray(0, place()),
        other.subarray(random.between(0, Math.max(0, other.length - 1))),
      ])
    case 4: {
      // A small number is likely a length.
      const changed = Buffer.from(bytes)
      const at = place()
      changed[at] = Math.max(0, Math.min(127, (changed[at] ?? 0) + random.between(-3, 3)))
      return changed
    }
    case 5: {
      const [from, to] = [place(), place()].toSorted((a, b) => a - b)
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)])
    }
    case 6: {
      const [from, to] = [place(), place()].toSorted((a, b) => a - b)
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
    }
    case 7: {
      const at = place()
      return Buffer.concat([bytes.subarray(0, at), random.pick(RAW), bytes.subarray(at)])
    }
    default: {
      const changed = Buffer.from(bytes)
      random.pick(RAW).copy(changed, place())
      return changed
    }
  }
}

function mutateTokens(bytes: Uint8Array, random: Random): Uint8Array {
  const text = Buffer.from(bytes).toString("latin1")
  const tokens = [...text.matchAll(TOKEN)]
  if (tokens.length < 2) return bytes
  const pick = () => tokens[random.between(0, tokens.length - 1)]
  const [one, other] = [pick(), pick()]
  if (one === undefined || other === undefined) return bytes
  const replaced = (token: RegExpExecArray, by: string, within: string) =>
    within.slice(0, token.index) + by + within.slice(token.index + token[0].length)
  if (random.chance(0.5)) return Buffer.from(replaced(one, random.pick(TOKENS), text), "latin1")
  const [first, second] = one.index < other.index ? [one, other] : [other, one]
  return Buffer.from(replaced(first, second[0], replaced(second, first[0], text)), "latin1")
}

// As large as can be.

/** What a few bytes may become, again and again. */
const FILLERS: readonly [string, ...string[]] = [
  "a ",
  "(",
  "$(",
  "\\",
  '"',
  "a/",
  "mcp__",
  "@",
  ".",
  "1",
  "{",
  '{"a":',
  "é",
  "😀",
  "-- ",
  "a=b ",
  "|",
  "x",
]

function makeLarge(corpus: Corpus, random: Random): Body {
  const encoding = random.chance(0.5) ? "protobuf" : "json"
  const { request, now } = random.pick(corpus.seeds)
  const group = request.groups[0]
  if (group === undefined) throw new Error("a seed has no items")
  const way = random.between(0, 4)
  const attributes = attributesOf(request, random)
  const keys = keysOf(attributes)
  const key = keys[random.between(0, Math.max(0, keys.length - 1))] ?? "k"
  const room = LARGE_BYTES - 8192
  const withValue = (value: AttributeValue): OtlpRequest => {
    const item = { ...group.items[0], attributes: new Map(attributes).set(key, value) }
    return { ...request, groups: [{ ...group, items: [item] }] } as OtlpRequest
  }
  let made: OtlpRequest
  if (way === 0) {
    const filler = random.pick(FILLERS)
    // A quote or backslash takes two bytes in JSON.
    const size = encoding === "json" ? JSON.stringify(filler).length - 2 : filler.length
    made = withValue(filler.repeat(Math.floor(room / Math.max(size, Buffer.byteLength(filler)))))
  } else if (way === 1) {
    made = withValue(
      Array.from({ length: Math.floor(room / (encoding === "json" ? 24 : 6)) }, (_, index) => index % 100),
    )
  } else if (way === 2) {
    const item = {
      ...group.items[0],
      attributes: new Map(Array.from({ length: Math.floor(room / 64) }, (_, index) => [`key.${index}`, index])),
    }
    made = { ...request, groups: [{ ...group, items: [item] }] } as OtlpRequest
  } else {
    // The same things over and over: what a body of many items takes.
    const one = corpus.encode({ ...request, groups: [group] } as OtlpRequest, encoding).length
    const copies = Math.max(1, Math.floor(room / one))
    const repeated =
      way === 3
        ? [{ ...group, items: Array.from({ length: copies }, () => group.items).flat() }]
        : Array.from({ length: copies }, () => group)
    made = { ...request, groups: repeated } as OtlpRequest
  }
  const bytes = corpus.encode(made, encoding)
  return { signal: request.signal, encoding, bytes: bytes.subarray(0, LARGE_BYTES), now }
}
