import { useMemo, useState } from "react"
import { RUNGS, type Rung } from "#sdk/ladder.ts"
import type { AgentAction } from "#sdk/policy/action.ts"
import { compilePolicy } from "#sdk/policy/compile.ts"
import { explain } from "#sdk/policy/decide.ts"
import type { PolicyDecision } from "#sdk/policy/decision.ts"
import type { PolicyBundle, PolicyDocument } from "#sdk/policy/document.ts"
import { type Effect, type Layer, RULE_ACTIONS, type RuleAction } from "#sdk/policy/vocabulary.ts"
import { Field } from "../../../ui/field.tsx"
import { Select } from "../../../ui/select.tsx"
import { ACTION_LABELS } from "./words.ts"

const EXAMPLES: Record<RuleAction, string> = {
  shell: "git push --force origin main",
  edit: "src/server.ts",
  read: ".env",
  web: "https://example.com/page",
  mcp: "github/create_issue",
  subagent: "reviewer",
  model: "claude-opus-4-5",
}

/** Tries an action on the draft as it stands: what is decided, by which rule of which layer, and why. */
export function Tester(props: {
  document: PolicyDocument | null
  layer: Layer
  wider: PolicyBundle["layers"]
  nowMs: number
}) {
  const { document, layer, wider, nowMs } = props
  const [kind, setKind] = useState<RuleAction>("shell")
  const [text, setText] = useState(EXAMPLES.shell)
  const [rung, setRung] = useState<Rung>("agent")
  const policy = useMemo(
    () =>
      document === null
        ? null
        : compilePolicy({
            version: 1,
            layers: [...wider.filter((of) => of.layer !== layer), { layer, version: 1, document }],
          }),
    [document, layer, wider],
  )
  const explained = useMemo(() => {
    if (policy === null || text.trim() === "") return null
    const context = { nowMs, rung, workspace: "/workspace", home: "/home/me" }
    return explain(policy, toAction(kind, text), context)
  }, [policy, kind, text, rung, nowMs])
  return (
    <section aria-labelledby="tester">
      <h2 id="tester" className="text-lg font-semibold">
        Try it
      </h2>
      <div className="mt-2 space-y-3 rounded-md border border-line bg-surface p-4">
        <div className="grid grid-cols-2 gap-2">
          <Select
            label="What"
            value={kind}
            onChange={(event) => {
              const next = RULE_ACTIONS.find((action) => action === event.target.value) ?? "shell"
              if (text === EXAMPLES[kind]) setText(EXAMPLES[next])
              setKind(next)
            }}
          >
            {RULE_ACTIONS.map((action) => (
              <option key={action} value={action}>
                {ACTION_LABELS[action]}
              </option>
            ))}
          </Select>
          <Select
            label="At"
            value={rung}
            onChange={(event) => setRung(RUNGS.find((name) => name === event.target.value) ?? "agent")}
          >
            {RUNGS.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </Select>
        </div>
        <Field
          label={INPUT_LABELS[kind]}
          value={text}
          spellCheck={false}
          autoCapitalize="off"
          onChange={(event) => setText(event.target.value)}
        />
        <div role="status" aria-label="What is decided">
          {explained === null ? (
            <p className="text-sm text-ink-soft">
              {document === null ? "Once the draft can be read." : "Type what an agent might do."}
            </p>
          ) : (
            <>
              <Decided decision={explained.decision} />
              {explained.parts.length > 1 && (
                <ul className="mt-2 space-y-1 text-sm">
                  {explained.parts.map(({ action, subject, decision }, at) => (
                    // oxlint-disable-next-line react/no-array-index-key -- the same command may stand there twice
                    <li key={`${at} ${subject}`} className="flex gap-2">
                      <span className={`w-12 shrink-0 font-medium ${TONES[decision?.effect ?? "allow"]}`}>
                        {decision?.effect ?? "–"}
                      </span>
                      <span className="min-w-0 break-all">
                        <span className="text-ink-faint">{action}</span>{" "}
                        <code className="font-mono text-xs">{subject}</code>
                      </span>
                    </li>
                  ))}
                </ul>
              )}
              {explained.doubts.length > 0 && (
                <p className="mt-2 text-sm text-ink-soft">
                  What cannot be seen: {explained.doubts.map((doubt) => doubt.replaceAll("_", " ")).join(", ")}. So it
                  is never better than ask.
                </p>
              )}
            </>
          )}
        </div>
      </div>
    </section>
  )
}

const INPUT_LABELS: Record<RuleAction, string> = {
  shell: "Command",
  edit: "Path",
  read: "Path",
  web: "Address",
  mcp: "Server and tool, as server/tool",
  subagent: "Name",
  model: "Model",
}

const TONES: Record<Effect, string> = { allow: "text-good", ask: "text-warn", deny: "text-bad" }
const EFFECTS: Record<Effect, string> = { allow: "Allowed", ask: "Asked first", deny: "Denied" }

function Decided({ decision }: { decision: PolicyDecision }) {
  const { effect, because, ruleId, layer, reason } = decision
  return (
    <p>
      <strong className={TONES[effect]}>{because === "unset" ? "Nothing is said of it" : EFFECTS[effect]}</strong>
      <span className="text-sm text-ink-soft">
        {because === "unset" && ": the agent tool's own settings hold."}
        {because === "rule" && (
          <>
            {" "}
            by <code className="font-mono text-xs">{ruleId}</code>, {layer}
            {reason !== null && `: ${reason}`}
          </>
        )}
        {because === "default" && ` by what holds where no rule matches, ${layer ?? ""}`}
        {because === "unsure" && " because what decides cannot be seen"}
      </span>
    </p>
  )
}

function toAction(kind: RuleAction, text: string): AgentAction {
  switch (kind) {
    case "shell":
      return { kind, command: text }
    case "edit":
    case "read":
      return { kind, path: text }
    case "web":
      return { kind, url: text }
    case "mcp": {
      const [server = "", ...tool] = text.split("/")
      return { kind, server, tool: tool.join("/") }
    }
    case "subagent":
      return { kind, name: text }
    case "model":
      return { kind, model: text }
  }
}
