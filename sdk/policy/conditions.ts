/** The circumstances under which a rule or an exception counts. */
import type { PolicyContext } from "./action.ts"
import type { PolicyConditions } from "./document.ts"
import { MAYBE, NO, starsToRegex, type Verdict, YES } from "./wildcard.ts"

/** Whether one circumstance is given; `MAYBE` when it is not known. */
export type Condition = (context: PolicyContext) => Verdict

/** Compiles what has to hold; nothing has to when `conditions` is undefined. */
export function compileConditions(conditions: PolicyConditions | undefined): readonly Condition[] {
  if (conditions === undefined) return []
  const { rung, agentTool, mode, surface, repository, repositoryLabel, isolated, dataPractice } = conditions
  const compiled: Condition[] = []
  if (rung) compiled.push(oneOf(rung, (context) => context.rung))
  if (agentTool) compiled.push(oneOf(agentTool, (context) => context.agentTool))
  if (mode) compiled.push(oneOf(mode, (context) => context.mode))
  if (surface) compiled.push(oneOf(surface, (context) => context.surface))
  if (repository) compiled.push(isRepository(repository))
  if (repositoryLabel) compiled.push(hasLabel(repositoryLabel))
  if (dataPractice) compiled.push(oneOf(dataPractice, (context) => context.dataPractice))
  if (isolated !== undefined)
    compiled.push(({ isIsolated }) => (isIsolated === undefined ? MAYBE : isIsolated === isolated ? YES : NO))
  return compiled
}

/** Whether all hold. */
export function holdsAll(conditions: readonly Condition[], context: PolicyContext): Verdict {
  let verdict: Verdict = YES
  for (const condition of conditions) {
    const answer = condition(context)
    if (answer === NO) return NO
    if (answer === MAYBE) verdict = MAYBE
  }
  return verdict
}

/** Whether the repository is one of these by name, with `*` for any text. */
export function isRepository(patterns: readonly string[]): Condition {
  const tests = patterns.map((pattern) => starsToRegex(pattern, "is"))
  return ({ repository }) => {
    if (repository === undefined) return MAYBE
    return tests.some((test) => test.test(repository)) ? YES : NO
  }
}

/** Whether the repository has one of these labels. */
export function hasLabel(labels: readonly string[]): Condition {
  const wanted = new Set(labels)
  return ({ repositoryLabels }) => {
    if (repositoryLabels === undefined) return MAYBE
    return repositoryLabels.some((label) => wanted.has(label)) ? YES : NO
  }
}

function oneOf(values: readonly string[], of: (context: PolicyContext) => string | undefined): Condition {
  const wanted = new Set(values.map((value) => value.toLowerCase()))
  return (context) => {
    const value = of(context)
    if (value === undefined) return MAYBE
    return wanted.has(value.toLowerCase()) ? YES : NO
  }
}
