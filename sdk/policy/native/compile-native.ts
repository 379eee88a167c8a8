/** Compiles a policy to the files that agent tools read themselves, and tells what is lost on the way. */
import type { PolicyBundle, PolicyDocument } from "../document.ts"
import { RULE_ACTIONS, type RuleAction } from "../vocabulary.ts"
import { compileClaudeCode } from "./claude-code.ts"
import { compileCodex } from "./codex.ts"
import { compileCopilotCli, compileVscodeCopilot } from "./copilot.ts"
import { compileCursor } from "./cursor.ts"
import { compileGeminiCli } from "./gemini-cli.ts"
import { toModelPlan } from "./model-plan.ts"
import type { Compiling, NativeFile, NativeOptions } from "./native-file.ts"
import { compileOpenCode } from "./open-code.ts"
import { compileQwenCode } from "./qwen-code.ts"
import { type HookReach, type NativeLoss, NO_HOOK, Report } from "./report.ts"
import { toToolPolicy } from "./tool-policy.ts"

/** The agent tools that a policy compiles to, by the names that `belay connect` has for them. */
export const NATIVE_TOOLS = [
  "claude-code",
  "codex",
  "gemini-cli",
  "qwen-code",
  "opencode",
  "kilo",
  "copilot-cli",
  "vscode-copilot",
  "cursor",
] as const
/** One of `NATIVE_TOOLS`. */
export type NativeTool = (typeof NATIVE_TOOLS)[number]

/** What a policy is in one tool's own terms. */
export interface NativePolicy {
  /** The files, for an administrator to download and deliver. */
  readonly files: readonly NativeFile[]
  /** Everything that the files do not say as the policy does. Empty where they say it all. */
  readonly losses: readonly NativeLoss[]
  /** What else whoever delivers the files has to know. */
  readonly notes: readonly string[]
}

interface Target {
  readonly compile: (compiling: Compiling) => readonly NativeFile[]
  /** What the hook of the tool is asked about, as `sdk/cli/hook` reads its events. */
  readonly hook: HookReach
  /** What conditions of rules call the tool; the first is what telemetry calls it. */
  readonly names: readonly string[]
}

function hook(actions: readonly RuleAction[], canAllow: boolean): HookReach {
  return { actions: new Set(actions), canAllow }
}

const BUT_MODELS = RULE_ACTIONS.filter((action) => action !== "model")

const TARGETS: Readonly<Record<NativeTool, Target>> = {
  "claude-code": { compile: compileClaudeCode, hook: hook(BUT_MODELS, true), names: ["claude-code"] },
  // It reads by commands, which the hook sees.
  codex: { compile: compileCodex, hook: hook(["shell", "edit", "read", "mcp"], true), names: ["codex"] },
  "gemini-cli": {
    compile: compileGeminiCli,
    hook: hook(["shell", "edit", "read", "web", "mcp"], false),
    names: ["gemini-cli"],
  },
  "qwen-code": { compile: compileQwenCode, hook: NO_HOOK, names: ["qwen-code"] },
  opencode: { compile: (compiling) => compileOpenCode(compiling, "opencode"), hook: NO_HOOK, names: ["opencode"] },
  kilo: { compile: (compiling) => compileOpenCode(compiling, "kilo"), hook: NO_HOOK, names: ["kilo"] },
  "copilot-cli": { compile: compileCopilotCli, hook: NO_HOOK, names: ["copilot", "copilot-cli"] },
  "vscode-copilot": { compile: compileVscodeCopilot, hook: NO_HOOK, names: ["copilot", "vscode-copilot"] },
  cursor: {
    compile: compileCursor,
    hook: hook(["shell", "edit", "read", "mcp", "subagent"], true),
    names: ["cursor"],
  },
}

/**
 * Compiles a policy to the native files of an agent tool.
 *
 * The files are never looser than `decide`, except where `losses` has an entry of direction `looser` for the rule and
 * the action. What a tool cannot say exactly becomes something stricter, or is left out and told. An allow that a tool
 * would take for more than the engine does is left out. Within a file everything stands by the tool's own precedence.
 *
 * Takes a bundle, or one document as the organization's, that `checkPolicy` has accepted. Pure; no clock, no I/O. The
 * work is linear in the rules but for allows of commands, each of which is held against every other rule on commands.
 *
 * @see docs/policy-native.md for what each tool can say, with sources.
 */
export function compileNative(
  tool: NativeTool,
  policy: PolicyBundle | PolicyDocument,
  options: NativeOptions,
): NativePolicy {
  const bundle: PolicyBundle =
    "layers" in policy ? policy : { version: 1, layers: [{ layer: "organization", version: 1, document: policy }] }
  const { compile, hook: reach, names } = TARGETS[tool]
  const report = new Report(reach)
  const files = compile({
    bundle,
    policy: toToolPolicy(bundle, names, options.nowMs, report),
    models: toModelPlan(bundle, names[0] ?? tool, options.nowMs),
    options,
    report,
  })
  return { files, losses: report.losses, notes: report.notes }
}
