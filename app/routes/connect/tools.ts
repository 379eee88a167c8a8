/** What to paste where, per agent tool. Names of settings are the tools' own, read from their sources and documentation. */

export interface Endpoint {
  /** Without a path. */
  readonly url: string
  readonly key: string
  /** The viewer's e-mail address: how their own signals find their own page. */
  readonly email: string
}

export interface Snippet {
  readonly title: string
  readonly note?: string
  readonly code: string
}

export interface AgentTool {
  readonly id: string
  readonly name: string
  /** The name under which its signals are stored; null when the author chooses. */
  readonly agentTool: string | null
  readonly gives: string
  readonly lacks: string
  readonly snippets: (endpoint: Endpoint) => readonly Snippet[]
}

const headers = (endpoint: Endpoint) => `Authorization=Bearer ${endpoint.key}`
const exports = (variables: Record<string, string>) =>
  Object.entries(variables)
    .map(([name, value]) => `export ${name}=${/[\s=@]/.test(value) ? `"${value}"` : value}`)
    .join("\n")
const json = (value: unknown) => JSON.stringify(value, null, 2)

const standardVariables = (endpoint: Endpoint) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.url,
  OTEL_EXPORTER_OTLP_HEADERS: headers(endpoint),
  OTEL_RESOURCE_ATTRIBUTES: `enduser.id=${endpoint.email}`,
})

const claudeVariables = (endpoint: Endpoint) => ({
  CLAUDE_CODE_ENABLE_TELEMETRY: "1",
  CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: "1",
  OTEL_LOGS_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "otlp",
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
  ...standardVariables(endpoint),
})

/** Gemini CLI and Qwen Code share their settings; the key goes through OpenTelemetry's own variable. */
const geminiLike = (folder: string, more: Record<string, string>) => (endpoint: Endpoint) => [
  {
    title: `~/${folder}/settings.json`,
    code: json({
      telemetry: {
        enabled: true,
        target: "local",
        otlpEndpoint: endpoint.url,
        otlpProtocol: "http",
        logPrompts: false,
      },
    }),
  },
  {
    title: "Environment",
    note: "The settings file has no place for the key.",
    code: exports({
      OTEL_EXPORTER_OTLP_HEADERS: headers(endpoint),
      OTEL_RESOURCE_ATTRIBUTES: `enduser.id=${endpoint.email}`,
      ...more,
    }),
  },
]

export const AGENT_TOOLS: readonly [AgentTool, ...AgentTool[]] = [
  {
    id: "claude-code",
    name: "Claude Code",
    agentTool: "claude-code",
    gives: "model calls with cost, every permission decision with who made it, edits, waiting time, modes, sub-agents",
    lacks: "lines of an edit, reverts, suggestions that were ignored",
    snippets: (endpoint) => [
      { title: "Environment", code: exports(claudeVariables(endpoint)) },
      {
        title: "or ~/.claude/settings.json",
        note: "The same for every session; as managed-settings.json for a whole team.",
        code: json({ env: claudeVariables(endpoint) }),
      },
    ],
  },
  {
    id: "codex",
    name: "Codex",
    agentTool: "codex",
    gives: "model calls, time to first token, approvals with who made them, tool calls",
    lacks: "lines of an edit, waiting time",
    snippets: (endpoint) => {
      const exporter = (path: string) =>
        `{ otlp-http = { endpoint = "${endpoint.url}/v1/${path}", protocol = "binary", headers = { "Authorization" = "Bearer ${endpoint.key}" } } }`
      return [
        {
          title: "~/.codex/config.toml",
          note: "Belay needs no metrics of Codex; without the last line they go to the vendor.",
          code: [
            "[otel]",
            "log_user_prompt = false",
            `exporter = ${exporter("logs")}`,
            `trace_exporter = ${exporter("traces")}`,
            'metrics_exporter = "none"',
          ].join("\n"),
        },
        {
          title: "Environment",
          note: "Says whose signals these are; Codex takes the endpoint and the key from its file only.",
          code: exports({ OTEL_RESOURCE_ATTRIBUTES: `enduser.id=${endpoint.email}` }),
        },
      ]
    },
  },
  {
    id: "gemini-cli",
    name: "Gemini CLI",
    agentTool: "gemini-cli",
    gives: "model calls, edits with lines and who accepted them, reverts, modes, sub-agents",
    lacks: "cost, time to first token, waiting time of a prompt",
    // Without the last, the command line is part of everything sent, and with it a prompt given after -p.
    snippets: geminiLike(".gemini", { OTEL_NODE_RESOURCE_DETECTORS: "env" }),
  },
  {
    id: "qwen-code",
    name: "Qwen Code",
    agentTool: "qwen-code",
    gives: "model calls, edits with lines and who accepted them, waiting time, sub-agents",
    lacks: "cost",
    snippets: geminiLike(".qwen", {}),
  },
  {
    id: "opencode",
    name: "OpenCode",
    agentTool: "opencode",
    gives: "model calls, tool calls, edits",
    lacks: "who accepted an edit or answered a prompt",
    snippets: (endpoint) => [
      { title: "Environment", code: exports(standardVariables(endpoint)) },
      {
        title: "opencode.json",
        note: "Adds tokens and times to model calls. OpenCode then sends prompts and answers as well, which Belay drops.",
        code: json({ experimental: { openTelemetry: true } }),
      },
    ],
  },
  {
    id: "kilo",
    name: "Kilo Code",
    agentTool: "kilo",
    gives: "model calls, tool calls, edits",
    lacks: "tokens and times of a model call, who accepted an edit or answered a prompt",
    snippets: (endpoint) => [{ title: "Environment", code: exports(standardVariables(endpoint)) }],
  },
  {
    id: "vscode-copilot",
    name: "Copilot Chat in VS Code",
    agentTool: "copilot",
    gives: "each accepted and rejected hunk with lines and language, survival, model calls",
    lacks: "inline suggestions, who approved a tool call",
    snippets: (endpoint) => [
      {
        title: "settings.json of VS Code",
        code: json({
          "github.copilot.chat.otel.enabled": true,
          "github.copilot.chat.otel.exporterType": "otlp-http",
          "github.copilot.chat.otel.protocol": "http/protobuf",
          "github.copilot.chat.otel.otlpEndpoint": endpoint.url,
          "github.copilot.chat.otel.headers": { Authorization: `Bearer ${endpoint.key}` },
          "github.copilot.chat.otel.resourceAttributes": { "enduser.id": endpoint.email },
          "github.copilot.chat.otel.captureContent": false,
        }),
      },
    ],
  },
  {
    id: "copilot-cli",
    name: "Copilot CLI",
    agentTool: "copilot",
    gives: "model calls, tool calls, edits, permissions it asked for with the answer and the wait, lines of a session",
    lacks: "who accepted an edit, what was allowed or forbidden without asking, lines of an edit, cost in money",
    snippets: (endpoint) => [
      {
        title: "Environment",
        code: exports({
          COPILOT_OTEL_ENABLED: "true",
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
          ...standardVariables(endpoint),
        }),
      },
    ],
  },
  {
    id: "opentelemetry",
    name: "Your own agent",
    agentTool: null,
    gives: "whatever follows OpenTelemetry's GenAI conventions: agent runs, model calls, tool calls",
    lacks: "human decisions, unless it sends the belay.* attributes",
    snippets: (endpoint) => [
      {
        title: "Environment of any OpenTelemetry SDK",
        note: "The Vercel AI SDK, LangChain and others follow the GenAI conventions once their telemetry is switched on.",
        code: exports({
          OTEL_SERVICE_NAME: "my-agent",
          OTEL_TRACES_EXPORTER: "otlp",
          OTEL_LOGS_EXPORTER: "otlp",
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
          ...standardVariables(endpoint),
        }),
      },
      {
        title: "or in Node.js",
        code: [
          'import { NodeSDK } from "@opentelemetry/sdk-node"',
          'import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto"',
          "",
          "new NodeSDK({",
          '  serviceName: "my-agent",',
          "  traceExporter: new OTLPTraceExporter({",
          `    url: "${endpoint.url}/v1/traces",`,
          `    headers: { Authorization: "Bearer ${endpoint.key}" },`,
          "  }),",
          "}).start()",
        ].join("\n"),
      },
    ],
  },
]
