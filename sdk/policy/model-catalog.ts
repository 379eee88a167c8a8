/**
 * The models and providers that are known, by canonical name: the maker's own, without date or cloud. Whatever is not
 * here and not in a policy's `aliases` does not exist yet as far as a list is concerned, and follows its `future`.
 *
 * @see https://docs.claude.com/en/docs/about-claude/models and https://platform.openai.com/docs/models and
 * https://ai.google.dev/gemini-api/docs/models for the makers' names.
 */

/** Canonical names, by maker. */
export const KNOWN_MODELS: Readonly<Record<string, readonly string[]>> = {
  anthropic: [
    "claude-3-haiku",
    "claude-3-opus",
    "claude-3-sonnet",
    "claude-3-5-haiku",
    "claude-3-5-sonnet",
    "claude-3-7-sonnet",
    "claude-haiku-4-5",
    "claude-opus-4",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
  ],
  openai: [
    "codex-mini",
    "gpt-4-turbo",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5",
    "gpt-5-codex",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-5-pro",
    "gpt-5.1",
    "gpt-5.1-codex",
    "gpt-5.1-codex-max",
    "gpt-5.1-codex-mini",
    "gpt-5.2",
    "gpt-5.2-codex",
    "gpt-oss-120b",
    "gpt-oss-20b",
    "o1",
    "o3",
    "o3-mini",
    "o3-pro",
    "o4-mini",
  ],
  google: [
    "gemini-2.0-flash",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash",
    "gemini-3-pro",
  ],
  mistralai: ["codestral", "devstral-medium", "devstral-small", "mistral-large", "mistral-medium"],
  deepseek: ["deepseek-chat", "deepseek-r1", "deepseek-reasoner", "deepseek-v3", "deepseek-v3.1", "deepseek-v3.2"],
  qwen: ["qwen3-coder", "qwen3-coder-plus", "qwen3-coder-480b-a35b", "qwen3-max"],
  "x-ai": ["grok-4", "grok-4-fast", "grok-code-fast-1"],
  "meta-llama": ["llama-3.3-70b", "llama-4-maverick", "llama-4-scout"],
  moonshotai: ["kimi-k2", "kimi-k2-thinking"],
  "z-ai": ["glm-4.5", "glm-4.5-air", "glm-4.6"],
}

/** Other names of the same models that no rule of `canonicalModel` gives. */
export const MODEL_ALIASES: Readonly<Record<string, string>> = {
  "claude-3.5-sonnet-v2": "claude-3-5-sonnet",
  "claude-4-opus": "claude-opus-4",
  "claude-4-sonnet": "claude-sonnet-4",
  "claude-4.1-opus": "claude-opus-4-1",
  "claude-4.5-haiku": "claude-haiku-4-5",
  "claude-4.5-opus": "claude-opus-4-5",
  "claude-4.5-sonnet": "claude-sonnet-4-5",
  "claude-4.6-opus": "claude-opus-4-6",
  "claude-4.6-sonnet": "claude-sonnet-4-6",
  "llama-3.3-70b-instruct": "llama-3.3-70b",
  "llama3.3": "llama-3.3-70b",
  "qwen3-coder-480b-a35b-instruct": "qwen3-coder-480b-a35b",
}

/** The names of providers that are known, each with what agents and telemetry call it too. */
export const KNOWN_PROVIDERS: Readonly<Record<string, readonly string[]>> = {
  anthropic: ["claude"],
  "aws.bedrock": ["amazon-bedrock", "amazon_bedrock", "bedrock", "aws_bedrock", "aws"],
  "azure.ai.openai": ["azure", "azure-openai", "azure_openai", "azure.ai.inference", "foundry", "azure-foundry"],
  cerebras: [],
  deepseek: [],
  "gcp.gemini": ["gemini", "google", "google-ai-studio", "google_genai", "gcp.gen_ai"],
  "gcp.vertex_ai": ["vertex", "vertex-ai", "vertex_ai", "google-vertex", "google-vertex-anthropic", "vertexai"],
  "github-copilot": ["copilot", "github_copilot"],
  groq: [],
  lmstudio: ["lm-studio"],
  mistral_ai: ["mistral", "mistralai"],
  moonshot: ["moonshotai"],
  ollama: [],
  openai: ["openai-codex", "codex"],
  openrouter: ["open-router"],
  together: ["together-ai", "togetherai"],
  x_ai: ["xai", "x-ai", "grok"],
}
