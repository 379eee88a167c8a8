/** What a model is called by its maker, however an agent, a cloud or a router names it. */
import { createMemo } from "./memo.ts"
import { KNOWN_MODELS, KNOWN_PROVIDERS, MODEL_ALIASES } from "./model-catalog.ts"

/** Which model and which provider a name means. */
export interface ResolvedModel {
  /** The canonical name: `claude-opus-4-5`. What is left of the name when it is not a known one. */
  readonly name: string
  /** Whether the name is in the catalog or among the aliases. */
  readonly isKnown: boolean
  /** Who runs it; null when neither the name nor the agent says. */
  readonly provider: string | null
  /** Whether the provider is in the catalog. */
  readonly isKnownProvider: boolean
  /** What rules know it by: its name, and with who runs it, `provider/name`. */
  readonly names: readonly string[]
}

/** What is known of models and providers, with an organization's own names. */
export interface ModelCatalog {
  /** Resolves a name as the agent gives it, and the provider where it is given apart. */
  resolve(model: string, provider?: string): ResolvedModel
  /** The canonical name of a provider; the name itself where it is not known. */
  provider(name: string): string
}

/** Names are remembered; an agent uses few. */
const REMEMBERED_MAX = 500

const INFERENCE_PROFILE = /^arn:aws[^:]*:bedrock:.*\//
const BEDROCK_REGION = /^(?:us-gov|us|eu|apac|ap|jp|au|ca|global)\.(?=[a-z0-9-]+\.)/
/** `anthropic.` in front of a name; a maker's name has no dot after letters alone, as in `gpt-4.1`. */
const BEDROCK_MAKER = /^(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|moonshot|openai|qwen|writer|zai)\./

/** What may follow a name without making it another model, tried one after the other while the name is not known. */
const ENDINGS: readonly RegExp[] = [
  // Claude Code's window of a million tokens.
  /\[[^\]]*\]$/,
  // Vertex: @20251101, @latest, @default.
  /@[a-z0-9-]+$/,
  // Routers' variants and Ollama's tags: :free, :latest; Bedrock's revision: -v1:0.
  /-v\d+:\d+$/,
  /:[a-z0-9._-]+$/,
  /-latest$/,
  /-20\d{2}-?\d{2}-?\d{2}$/,
  /-(?:exp|preview)(?:-\d{2}-(?:\d{2}|20\d{2}))?$/,
  /-\d{3,4}$/,
  /-v\d+$/,
]

/** Canonical names by the names that stand for them. */
const BUILT_IN_NAMES: ReadonlyMap<string, string> = new Map([
  ...Object.values(KNOWN_MODELS).flatMap((models) => models.map((name) => [squash(name), name] as const)),
  ...Object.entries(MODEL_ALIASES).map(([alias, name]) => [squash(alias), name] as const),
])
const PROVIDER_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(KNOWN_PROVIDERS).flatMap(([name, others]) => [name, ...others].map((other) => [other, name] as const)),
)

/** A catalog with an organization's own names; they win over the built-in ones. */
export function createModelCatalog(aliases: Readonly<Record<string, string>> = {}): ModelCatalog {
  const names = new Map(BUILT_IN_NAMES)
  const know = (name: string, canonical: string): void => {
    names.set(squash(name), canonical)
  }
  for (const [alias, name] of Object.entries(aliases)) {
    // What it stands for may be a full id itself, or a model that is known here alone.
    const canonical = strip(name, names) ?? lastOf(clean(name))
    know(canonical, canonical)
    know(alias, canonical)
  }
  const providers = PROVIDER_NAMES
  const resolve = (model: string, provider?: string): ResolvedModel => {
    const cleaned = clean(model)
    const own = names.get(squash(cleaned))
    const given = provider === undefined ? providerIn(cleaned, providers) : clean(provider)
    const known = given === null ? undefined : providers.get(given)
    const canonical = own ?? strip(model, names)
    const name = canonical ?? lastOf(cleaned)
    const runBy = known ?? given
    return {
      name,
      isKnown: canonical !== null,
      provider: runBy,
      isKnownProvider: known !== undefined,
      names: runBy === null ? [name] : [name, `${runBy}/${name}`],
    }
  }
  const remembered = createMemo<string, ResolvedModel>(REMEMBERED_MAX)
  return {
    resolve(model, provider) {
      const key = provider === undefined ? model : `${provider}\n${model}`
      const earlier = remembered.get(key)
      if (earlier) return earlier
      const resolved = resolve(model, provider)
      remembered.set(key, resolved)
      return resolved
    },
    provider: (name) => providers.get(clean(name)) ?? clean(name),
  }
}

function clean(name: string): string {
  return name.normalize("NFKC").trim().toLowerCase()
}

/** `claude-sonnet-4.5` and `claude-sonnet-4-5` are one model. */
function squash(name: string): string {
  return name.replace(/[._\s]+/g, "-")
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1)
}

/** The known name that this one is, or null. */
function strip(model: string, names: ReadonlyMap<string, string>): string | null {
  let name = lastOf(clean(model).replace(INFERENCE_PROFILE, ""))
  const lookUp = (): string | undefined => names.get(squash(name))
  if (lookUp() === undefined) name = name.replace(BEDROCK_REGION, "").replace(BEDROCK_MAKER, "")
  for (let round = 0; round < ENDINGS.length; round++) {
    const known = lookUp()
    if (known !== undefined) return known
    const ending = ENDINGS.find((candidate) => candidate.test(name))
    if (ending === undefined) return null
    name = name.replace(ending, "")
  }
  return null
}

/** Who runs a model that is named with its provider or by a cloud's own id. */
function providerIn(name: string, providers: ReadonlyMap<string, string>): string | null {
  if (INFERENCE_PROFILE.test(name) || BEDROCK_MAKER.test(name.replace(BEDROCK_REGION, ""))) return "aws.bedrock"
  if (name.startsWith("projects/") || /^claude-[a-z0-9-]+@/.test(name)) return "gcp.vertex_ai"
  const first = name.includes("/") ? name.slice(0, name.indexOf("/")) : null
  if (first === null || first === "models") return null
  return providers.get(first) ?? first
}
