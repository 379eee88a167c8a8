import path from "node:path"
import type { Host } from "../home.ts"
import { type Edit, editJson, type Setting, valueAt } from "./edit-json.ts"
import { editToml } from "./edit-toml.ts"

/** Where a tool's telemetry goes, and how it calls the hook. */
export interface Connection {
  /** Of the OTLP receiver, without a path and without a slash at its end. */
  readonly endpoint: string
  readonly key: string
  readonly enduserId: string | undefined
  /** Whether the tool's hooks decide on actions before they are done. */
  readonly isDeciding: boolean
  /** The command line of `belay`, quoted for a shell. */
  readonly belay: string
}

export interface FileChange {
  readonly file: string
  readonly edit: Edit
}

export interface Plan {
  /** Whether the tool seems to be there: the folder of its settings. */
  readonly folder: string
  readonly changes: readonly FileChange[]
  /** Variables that no file of the tool has a place for. */
  readonly environment: Readonly<Record<string, string>>
  readonly notes: readonly string[]
}

/** What connecting each tool means. The names of settings are the tools' own, as on Belay's page Connect. */
export const PLANS: Readonly<Record<string, (connection: Connection, host: Host) => Plan>> = {
  "claude-code": claudeCode,
  codex,
  "gemini-cli": geminiCli,
  "qwen-code": qwenCode,
  opencode: openCode,
  kilo,
  cursor,
  "vscode-copilot": vscodeCopilot,
  "copilot-cli": copilotCli,
}

/** Seconds. A hook takes a tenth of one; a tool that waits for a stuck one shall not wait long. */
const HOOK_TIMEOUT = 5

/** All that Claude Code's rules of a policy can be about. */
const CLAUDE_TOOLS =
  "Agent|Bash|Edit|Glob|Grep|LS|MultiEdit|NotebookEdit|NotebookRead|PowerShell|Read|Task|WebFetch|WebSearch|Write|mcp__.*"

function claudeCode(connection: Connection, host: Host): Plan {
  const folder = host.env["CLAUDE_CONFIG_DIR"] ?? path.join(host.home, ".claude")
  return {
    folder,
    changes: [
      {
        file: path.join(folder, "settings.json"),
        edit: editJson((current) => [
          ...settingsOf(["env"], {
            CLAUDE_CODE_ENABLE_TELEMETRY: "1",
            CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: "1",
            OTEL_LOGS_EXPORTER: "otlp",
            OTEL_METRICS_EXPORTER: "otlp",
            OTEL_TRACES_EXPORTER: "otlp",
            OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
            ...standardVariables(connection, valueAt(current, ["env", "OTEL_RESOURCE_ATTRIBUTES"])),
          }),
          ...groupedHook(current, "PostToolUse", "Edit|MultiEdit|NotebookEdit|Write", {
            type: "command",
            command: hookCommand(connection, "claude-code"),
            timeout: HOOK_TIMEOUT,
          }),
          ...decidingHook(connection, current, "PreToolUse", CLAUDE_TOOLS, {
            type: "command",
            command: hookCommand(connection, "claude-code"),
            timeout: HOOK_TIMEOUT,
          }),
        ]),
      },
    ],
    environment: {},
    notes: [],
  }
}

function codex(connection: Connection, host: Host): Plan {
  const folder = host.env["CODEX_HOME"] ?? path.join(host.home, ".codex")
  const exporter = (signal: string) => ({
    "otlp-http": {
      endpoint: `${connection.endpoint}/v1/${signal}`,
      protocol: "binary",
      headers: { Authorization: `Bearer ${connection.key}` },
    },
  })
  return {
    folder,
    changes: [
      {
        file: path.join(folder, "config.toml"),
        edit: editToml("otel", {
          log_user_prompt: false,
          exporter: exporter("logs"),
          trace_exporter: exporter("traces"),
          // Belay needs none, and without a word they go to the vendor.
          metrics_exporter: "none",
        }),
      },
      {
        file: path.join(folder, "hooks.json"),
        edit: editJson((current) => [
          ...groupedHook(current, "PostToolUse", "apply_patch", {
            type: "command",
            command: hookCommand(connection, "codex"),
            timeout: HOOK_TIMEOUT,
          }),
          ...decidingHook(connection, current, "PreToolUse", ".*", {
            type: "command",
            command: hookCommand(connection, "codex"),
            timeout: HOOK_TIMEOUT,
          }),
        ]),
      },
    ],
    environment: resourceVariable(connection),
    notes: ["Codex runs a new hook only after you have looked at it with /hooks."],
  }
}

function geminiCli(connection: Connection, host: Host): Plan {
  const hook = {
    name: "belay",
    type: "command",
    command: hookCommand(connection, "gemini-cli"),
    timeout: HOOK_TIMEOUT * 1000, // milliseconds, here
  }
  const plan = geminiLike(connection, path.join(host.home, ".gemini"), (current) => [
    ...groupedHook(current, "AfterTool", "replace|write_file", hook),
    ...decidingHook(connection, current, "BeforeTool", ".*", hook),
  ])
  // Without it the command line is part of everything that is sent, and with it a prompt given after -p.
  return { ...plan, environment: { ...plan.environment, OTEL_NODE_RESOURCE_DETECTORS: "env" } }
}

function qwenCode(connection: Connection, host: Host): Plan {
  return geminiLike(connection, path.join(host.home, ".qwen"), () => [])
}

function geminiLike(connection: Connection, folder: string, hooks: (current: unknown) => readonly Setting[]): Plan {
  return {
    folder,
    changes: [
      {
        file: path.join(folder, "settings.json"),
        edit: editJson((current) => [
          ...settingsOf(["telemetry"], {
            enabled: true,
            target: "local",
            otlpEndpoint: connection.endpoint,
            otlpProtocol: "http",
            logPrompts: false,
          }),
          ...hooks(current),
        ]),
      },
    ],
    environment: {
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${connection.key}`,
      ...resourceVariable(connection),
    },
    notes: [],
  }
}

function openCode(connection: Connection, host: Host): Plan {
  const folder = path.join(host.env["XDG_CONFIG_HOME"] ?? path.join(host.home, ".config"), "opencode")
  return {
    folder,
    changes: [
      {
        file: path.join(folder, "opencode.json"),
        edit: editJson(() => [{ path: ["experimental", "openTelemetry"], value: true }]),
      },
    ],
    environment: standardVariables(connection),
    notes: ["Its telemetry does not tell who allowed what."],
  }
}

function kilo(connection: Connection, host: Host): Plan {
  const folder = path.join(host.env["XDG_CONFIG_HOME"] ?? path.join(host.home, ".config"), "kilo")
  const notes = ["Its telemetry does not tell who allowed what."]
  return { folder, changes: [], environment: standardVariables(connection), notes }
}

/** All that it has: its hooks are the only source of signals. */
const CURSOR_EVENTS = [
  "sessionStart",
  "beforeSubmitPrompt",
  "postToolUse",
  "postToolUseFailure",
  "afterFileEdit",
  "afterTabFileEdit",
  "subagentStop",
  "preCompact",
  "stop",
] as const

/** Those that it waits for an answer to. */
const CURSOR_DECIDING_EVENTS = [
  "beforeShellExecution",
  "beforeMCPExecution",
  "beforeReadFile",
  "subagentStart",
  "preToolUse",
] as const

function cursor(connection: Connection, host: Host): Plan {
  const folder = path.join(host.home, ".cursor")
  const hook = { command: hookCommand(connection, "cursor"), timeout: HOOK_TIMEOUT }
  return {
    folder,
    changes: [
      {
        file: path.join(folder, "hooks.json"),
        edit: editJson((current) => [
          { path: ["version"], value: 1 },
          ...[...CURSOR_EVENTS, ...CURSOR_DECIDING_EVENTS].flatMap((event) => {
            const hooks = listAt(current, ["hooks", event])
            const others = hooks.filter((other) => !isOurs(other, "cursor"))
            const isWanted = connection.isDeciding || !CURSOR_DECIDING_EVENTS.some((deciding) => deciding === event)
            return replaced(["hooks", event], hooks, others, isWanted ? hook : null)
          }),
        ]),
      },
    ],
    environment: {},
    notes: [],
  }
}

function vscodeCopilot(connection: Connection, host: Host): Plan {
  const folder = path.join(vscodeFolder(host), "User")
  const prefix = "github.copilot.chat.otel."
  return {
    folder,
    changes: [
      {
        file: path.join(folder, "settings.json"),
        edit: editJson((current) => {
          const resource = valueAt(current, [`${prefix}resourceAttributes`])
          const values = {
            enabled: true,
            exporterType: "otlp-http",
            protocol: "http/protobuf",
            otlpEndpoint: connection.endpoint,
            headers: { Authorization: `Bearer ${connection.key}` },
            ...(connection.enduserId !== undefined && {
              resourceAttributes: {
                ...(typeof resource === "object" ? resource : {}),
                "enduser.id": connection.enduserId,
              },
            }),
            captureContent: false,
          }
          return Object.entries(values).map(([name, value]) => ({ path: [prefix + name], value }))
        }),
      },
    ],
    environment: {},
    notes: [],
  }
}

function vscodeFolder({ platform, home, env }: Host): string {
  if (platform === "darwin") return path.join(home, "Library", "Application Support", "Code")
  if (platform === "win32") return path.join(env["APPDATA"] ?? path.join(home, "AppData", "Roaming"), "Code")
  return path.join(env["XDG_CONFIG_HOME"] ?? path.join(home, ".config"), "Code")
}

function copilotCli(connection: Connection, host: Host): Plan {
  return {
    folder: path.join(host.home, ".copilot"),
    changes: [],
    environment: {
      COPILOT_OTEL_ENABLED: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      ...standardVariables(connection),
    },
    notes: [],
  }
}

function settingsOf(at: readonly string[], values: Readonly<Record<string, unknown>>): readonly Setting[] {
  return Object.entries(values).map(([name, value]) => ({ path: [...at, name], value }))
}

function standardVariables(connection: Connection, resource?: unknown): Readonly<Record<string, string>> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: connection.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${connection.key}`,
    ...resourceVariable(connection, resource),
  }
}

/** Whose signals these are, beside what the variable says already. */
function resourceVariable({ enduserId }: Connection, current?: unknown): Readonly<Record<string, string>> {
  if (enduserId === undefined) return {}
  const others = (typeof current === "string" ? current : "")
    .split(",")
    .filter((pair) => pair.trim() !== "" && !pair.trim().startsWith("enduser.id="))
  return { OTEL_RESOURCE_ATTRIBUTES: [...others, `enduser.id=${enduserId}`].join(",") }
}

function hookCommand({ belay }: Connection, tool: string): string {
  return `${belay} hook ${tool}`
}

/** A hook that decides; none of ours where hooks shall not. */
function decidingHook(
  { isDeciding }: Connection,
  current: unknown,
  event: string,
  matcher: string,
  hook: Readonly<Record<string, unknown>>,
): readonly Setting[] {
  return groupedHook(current, event, matcher, hook, isDeciding)
}

/** A hook in the form that Claude Code brought up: groups by what they match, each with its hooks. */
function groupedHook(
  current: unknown,
  event: string,
  matcher: string,
  hook: Readonly<Record<string, unknown>>,
  isWanted = true,
): readonly Setting[] {
  const tool = String(hook["command"]).split(" ").at(-1) ?? ""
  const groups = listAt(current, ["hooks", event])
  const others = groups.flatMap((group) => {
    const hooks = listAt(group, ["hooks"])
    const kept = hooks.filter((other) => !isOurs(other, tool))
    if (kept.length === hooks.length) return [group]
    return kept.length === 0 ? [] : [{ ...(group as object), hooks: kept }]
  })
  return replaced(["hooks", event], groups, others, isWanted ? { matcher, hooks: [hook] } : null)
}

/**
 * `value` at the end of a list, null for none: as an addition where nothing of ours has to go, since that leaves comments
 * alone.
 */
function replaced(
  path: readonly string[],
  current: readonly unknown[],
  others: readonly unknown[],
  value: unknown,
): readonly Setting[] {
  const isNew = current.length === others.length && current.every((item, index) => item === others[index])
  if (value === null) return isNew ? [] : [{ path, value: others.length === 0 ? undefined : others }]
  return isNew ? [{ path: [...path, -1], value }] : [{ path, value: [...others, value] }]
}

/** Whether it is a hook that an earlier connect wrote, from wherever the command lay then. */
function isOurs(hook: unknown, tool: string): boolean {
  const command = valueAt(hook, ["command"])
  return typeof command === "string" && command.includes("belay") && command.endsWith(` hook ${tool}`)
}

function listAt(value: unknown, at: readonly string[]): readonly unknown[] {
  const list = valueAt(value, at)
  if (list === undefined) return []
  if (!Array.isArray(list)) throw new Error(`its ${at.join(".")} is no list`)
  return list
}
