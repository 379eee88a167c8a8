/** Qwen Code's system settings. */
import { type Dialect, filled, toAllowedServers, toPermissionLists } from "./claude-code.ts"
import { type Compiling, type NativeFile, rulesOn, toJson } from "./native-file.ts"
import { reportModels } from "./model-plan.ts"
import { toMcpForm } from "./target-forms.ts"
import { reportSections } from "./tool-policy.ts"

const QWEN_CODE: Dialect = {
  every: {
    shell: ["Bash"],
    edit: ["Edit"],
    read: ["Read"],
    web: ["WebFetch"],
    mcp: ["mcp__*"],
    subagent: ["Agent"],
    model: [],
  },
  // A flag or a variable of the person's can start it in a mode that asks for nothing.
  unmatched: {
    shell: "allow",
    edit: "allow",
    read: "allow",
    web: "allow",
    mcp: "allow",
    subagent: "allow",
    model: "allow",
  },
  hasOpenAllows: false,
  flow: {},
  outside: {
    edit: { effect: "allow", what: "The tool's rules cannot say it." },
    read: { effect: "allow", what: "The tool's rules cannot say it." },
  },
}

/**
 * Compiles to the system's `settings.json`.
 *
 * @see bundled/qc-helper/docs/configuration/settings.md of the npm package @qwen-code/qwen-code 0.24.4. How its rules
 * take commands of several parts is not documented there, hence no allow with a star.
 */
export function compileQwenCode(compiling: Compiling): readonly NativeFile[] {
  const { bundle, policy, models, report } = compiling
  const lists = toPermissionLists(compiling, QWEN_CODE)
  const allowed = toAllowedServers(compiling)
  const excluded = rulesOn(policy, "mcp")
    .filter(({ effect }) => effect === "deny")
    .map(({ pattern }) => toMcpForm(pattern))
    .filter(({ server, tool }) => tool === "*" && !server.includes("*"))
    .map(({ server }) => server)
  reportModels(models, report, "The tool's settings list models to offer; they refuse none.")
  reportSections(bundle, report, null)
  report.note("Flags and environment variables rank above this file in Qwen Code: start it through a wrapper.")
  const settings = {
    permissions: filled(lists),
    ...((allowed !== null || excluded.length > 0) && {
      mcp: { ...(allowed !== null && { allowed }), ...(excluded.length > 0 && { excluded }) },
    }),
  }
  return [
    {
      name: "settings.json",
      paths: {
        linux: "/etc/qwen-code/settings.json",
        macos: "/Library/Application Support/QwenCode/settings.json",
        windows: "C:\\ProgramData\\qwen-code\\settings.json",
      },
      format: "json",
      contents: toJson(settings),
      delivery: "By device management, writable for administrators alone.",
    },
  ]
}
