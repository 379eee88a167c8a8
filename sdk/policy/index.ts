export type {
  ActionOf,
  AgentAction,
  EditAction,
  McpAction,
  ModelAction,
  PolicyContext,
  ReadAction,
  ShellAction,
  SubagentAction,
  WebAction,
} from "./action.ts"
export { budgetKey } from "./action.ts"
export { type CompiledPolicy, compilePolicy } from "./compile.ts"
export { type ConsideredRule, decide, explain, type ExplainedPart, type Explanation } from "./decide.ts"
export type { PolicyDecision, PolicyWarning } from "./decision.ts"
export type { PolicyBundle, PolicyDocument, PolicyException, PolicyRule } from "./document.ts"
export { policyBundleSchema, policyDocumentSchema, policyJsonSchema } from "./document.ts"
export { checkPolicy, type ParsedPolicy, parsePolicy, type PolicyProblem, policyToJson, policyToYaml } from "./parse.ts"
export { policySource } from "./source.ts"
