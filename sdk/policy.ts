import type { Clock } from "./clock.ts"
import type { Core } from "./core.ts"
import type { Rung, Surface } from "./ladder.ts"
import type { AgentAction } from "./policy/action.ts"
import { attempt } from "./safety.ts"

/** What an agent is about to do. */
export interface PolicyAction {
  /** Content-free: `git push`, a tool, `server/tool`. */
  readonly action: string
  /** The rung that the agent acts on. */
  readonly rung: Rung
  /** The conversation that it belongs to, by the host's own id. */
  readonly sessionId?: string | undefined
  /** The agent's mode, by the tool's own name. */
  readonly mode?: string | undefined
  /** The absolute path of the folder that is worked in. It stays with the policy and is never sent. */
  readonly workspace?: string | undefined
  /** The action itself, for the policy to judge: the command, the path. It stays with the policy and is never sent. */
  readonly what?: AgentAction | undefined
}

/** What was decided on an action. */
export interface Decision {
  /** Whether the agent may act, has to ask the person, or may not. */
  readonly effect: "allow" | "ask" | "deny"
  /**
   * `rule` or `default` of a policy; `unset` when it says nothing and the agent's own settings hold; `unsure` when what
   * decides is not known; `no_policy` when there is none to go by, so that what the last one said of that holds, or else
   * `onPolicyUnavailable`; `error` when it could not be asked.
   */
  readonly because: "rule" | "default" | "unset" | "unsure" | "no_policy" | "error"
  /** The rule that decided; null when none did. */
  readonly ruleId: string | null
  /** For the person who is asked or refused. */
  readonly reason: string | null
  /** The layer of policies that the rule is in; null when no rule decided. */
  readonly layer: string | null
  /** The policy's version; null without a policy. */
  readonly version: number | null
}

/** Who decides. Answers at once, from what is in memory. */
export interface PolicySource {
  /** Decides; null where there is no policy to go by. What it throws counts as a policy that could not be asked. */
  decide(action: PolicyAction): Decision | null
}

/** A policy that is kept up to date until it is closed. */
export interface StartedPolicy extends PolicySource {
  /** Ends what keeps it up to date; decides by what there is afterwards. */
  close(): void
}

/** What `startBelay` tells a policy that it starts. */
export interface PolicyConnection {
  /** Of Belay, without a path. */
  readonly endpoint: string
  /** A key with the scope `policy:read`. */
  readonly ingestKey: string
  /** The person on whose behalf the agent acts. */
  readonly user: string | undefined
  /** The agent tool. */
  readonly agent: {
    /** Its name. */
    readonly name: string
    /** Its version. */
    readonly version?: string | undefined
  }
  /** Where the agent is used. */
  readonly surface: Surface | undefined
  /** `owner/name` of the repository that is worked on. */
  readonly repository: string | undefined
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number
  /** What is done without a policy. */
  readonly onPolicyUnavailable: "allow" | "ask" | "deny"
  /** Time and chance. */
  readonly clock: Clock
  /** Is told of problems, in words for a log. */
  readonly report: (problem: string) => void
}

/** Starts a policy; `publishedPolicy()` of `@belay/sdk/policy-client` makes one. */
export type StartPolicy = (connection: PolicyConnection) => StartedPolicy

/** Asks the person; resolves to whether they allow it. */
export type OnPrompt = (action: PolicyAction, decision: Decision) => Promise<boolean>

/** Belay's policy, as the agent asks it. */
export interface Policy {
  /** Decides, and signals what was decided. Never throws. */
  decide(action: PolicyAction): Decision
  /**
   * Decides, and asks the person through `onPrompt` where the decision is `ask`. Without an `onPrompt`, or when it
   * fails, nobody allowed it. Never rejects.
   */
  check(action: PolicyAction): Promise<Checked>
}

/** What came of an action that was decided on, by a person where the policy says so. */
export interface Checked {
  /** Whether the agent may act. */
  readonly isAllowed: boolean
  /** What the policy decided. */
  readonly decision: Decision
}

export interface PolicyOptions {
  readonly source: PolicySource | null
  /** Where there is no policy to go by. */
  readonly onPolicyUnavailable: "allow" | "ask" | "deny"
  readonly onPrompt: OnPrompt | null
}

export function createPolicy(core: Core, options: PolicyOptions): Policy {
  const { source, onPolicyUnavailable, onPrompt } = options
  const unavailable = (because: "no_policy" | "error"): Decision => ({
    effect: onPolicyUnavailable,
    because,
    ruleId: null,
    reason: null,
    layer: null,
    version: null,
  })

  const decide = (action: PolicyAction): Decision => {
    const decision = attempt(
      () => source?.decide(action) ?? unavailable("no_policy"),
      () => unavailable("error"),
    )
    attempt(
      () =>
        core.emit?.({
          ...fieldsOf(core, action),
          kind: "policy_decision",
          policyEffect: decision.effect,
          policyBecause: decision.because,
          policyRuleId: decision.ruleId ?? undefined,
          policyLayer: decision.layer ?? undefined,
          policyVersion: decision.version ?? undefined,
        }),
      () => {},
    )
    return decision
  }

  return {
    decide,
    async check(action) {
      const decision = decide(action)
      if (decision.effect !== "ask") return { isAllowed: decision.effect === "allow", decision }
      if (onPrompt === null) return { isAllowed: false, decision }
      const askedAt = core.clock.elapsed()
      const isAllowed = await new Promise<boolean>((resolve) => {
        resolve(onPrompt(action, decision))
      }).catch(() => null)
      attempt(
        () =>
          core.emit?.({
            ...fieldsOf(core, action),
            kind: "permission",
            outcome: isAllowed === null ? "ignored" : isAllowed ? "accepted" : "rejected",
            origin: isAllowed === null ? "dismissed" : "human",
            waitMs: core.clock.elapsed() - askedAt,
            policyVersion: decision.version ?? undefined,
          }),
        () => {},
      )
      return { isAllowed: isAllowed === true, decision }
    },
  }
}

function fieldsOf(core: Core, { action, rung, sessionId, mode }: PolicyAction) {
  return { action, rung, sessionId, mode, surface: core.surface, repository: core.repository }
}
