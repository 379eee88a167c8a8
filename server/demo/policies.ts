import { type CompiledPolicy, compilePolicy } from "#sdk/policy/compile.ts"
import type { PolicyBudget, PolicyDocument, PolicyRule } from "#sdk/policy/document.ts"
import { type DemoTeam, STORM_OVER_DAYS, STORM_SINCE_DAYS } from "./stories.ts"

/** What the demo organization published, in order. Times are whole days before today. */

interface DemoVersion {
  /** Null for the organization. */
  readonly team: DemoTeam | null
  /** Of its layer. */
  readonly version: number
  readonly daysAgo: number
  readonly note: string
  readonly document: PolicyDocument
}

const BASE: readonly PolicyRule[] = [
  {
    id: "no-force-push",
    effect: "deny",
    action: "shell",
    pattern: "git push --force *",
    reason: "History is shared",
    owner: "Platform",
  },
  { id: "secrets", effect: "deny", action: "shell", pattern: "cat .env*", reason: "Secrets stay with their owners" },
  {
    id: "deploys",
    effect: "ask",
    action: "shell",
    pattern: "kubectl apply *",
    reason: "Somebody looks at what goes live",
    owner: "Platform",
  },
]
const NO_REMOVAL: PolicyRule = {
  id: "no-removal",
  effect: "deny",
  action: "shell",
  pattern: "rm -rf *",
  reason: "Agents removed work that was not in git",
}

/** It warns and stops nothing, so that what agents did stays what they did. */
const BUDGETS: readonly PolicyBudget[] = [
  { id: "month", scope: "organization", period: "month", limit: { unit: "usd", amount: 140 }, hard: "warn" },
  { id: "team-week", scope: "team", period: "week", limit: { unit: "usd", amount: 6 }, hard: "warn" },
]

const documentOf = (rules: readonly PolicyRule[], defaults?: { readonly shell: "ask" }): PolicyDocument => ({
  schema: "belay.policy/1",
  permissions: { rules: [...rules], ...(defaults !== undefined && { defaults }) },
})

/** Their place is their release. */
export const DEMO_VERSIONS: readonly DemoVersion[] = [
  { team: null, version: 1, daysAgo: 55, note: "What nobody's agent does", document: documentOf(BASE) },
  {
    team: "Platform",
    version: 1,
    daysAgo: STORM_SINCE_DAYS,
    note: "Ask before every command",
    document: documentOf([], { shell: "ask" }),
  },
  {
    team: "Platform",
    version: 2,
    daysAgo: STORM_OVER_DAYS,
    note: "Ask before commands that leave the workspace",
    document: documentOf([
      { id: "pushes", effect: "ask", action: "shell", pattern: "git push *", reason: "It leaves the workspace" },
    ]),
  },
  {
    team: null,
    version: 2,
    daysAgo: 12,
    note: "No recursive removals",
    document: { ...documentOf([...BASE, NO_REMOVAL]), budgets: [...BUDGETS] },
  },
]

/** What somebody is about to publish for the organization. */
export const DEMO_DRAFT: PolicyDocument = {
  ...documentOf([
    ...BASE.map((rule) =>
      rule.id === "deploys"
        ? { ...rule, effect: "deny" as const, reason: "Deployments go through the pipeline" }
        : rule,
    ),
    NO_REMOVAL,
    { id: "packages", effect: "ask", action: "shell", pattern: "npm install *", reason: "New packages are looked at" },
    { id: "tests", effect: "allow", action: "shell", pattern: "npm test *" },
  ]),
  budgets: [...BUDGETS],
}

/** What agents are about to run. */
export const DEMO_COMMANDS = [
  "git status -s",
  "git push origin HEAD",
  "git push --force",
  "npm test",
  "npm test -- --run",
  "npm install left-pad",
  "kubectl apply -f deploy.yaml",
  "rm -rf build",
  "cat .env",
  "docker compose up",
  "gh pr create",
] as const

/** The release in force on a day, and what it binds a team to; null before the first. */
export function demoPolicyOf(
  team: DemoTeam,
  daysAgo: number,
): { readonly release: number; readonly policy: CompiledPolicy } | null {
  return COMPILED.get(`${team} ${releaseOn(daysAgo)}`) ?? null
}

function releaseOn(daysAgo: number): number {
  return DEMO_VERSIONS.filter((version) => version.daysAgo >= daysAgo).length
}

const COMPILED = new Map(
  (["Checkout", "Mobile", "Payments", "Platform", "Search"] as const).flatMap((team) =>
    DEMO_VERSIONS.map((_, index) => {
      const release = index + 1
      const known = DEMO_VERSIONS.slice(0, release)
      const layers = [null, team].flatMap((of) => {
        const last = known.findLast((version) => version.team === of)
        if (last === undefined) return []
        const layer = of === null ? ("organization" as const) : ("team" as const)
        return [{ layer, version: last.version, document: last.document }]
      })
      return [`${team} ${release}`, { release, policy: compilePolicy({ version: release, layers }) }] as const
    }),
  ),
)
