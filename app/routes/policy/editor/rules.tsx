import { Plus } from "lucide-react"
import { RUNGS } from "#sdk/ladder.ts"
import type { PermissionsSection, PolicyConditions, PolicyRule } from "#sdk/policy/document.ts"
import { AVAILABILITIES, EFFECTS, RULE_ACTIONS, type RuleAction } from "#sdk/policy/vocabulary.ts"
import { buttonClass, rowActionClass } from "../../../ui/button.ts"
import { Field } from "../../../ui/field.tsx"
import { Select } from "../../../ui/select.tsx"
import { Choice, type FormProps, Lines, Section, settled } from "./form.tsx"
import { ACTION_LABELS, PATTERN_HINTS } from "./words.ts"

export function RulesForm({ document, change }: FormProps) {
  const permissions = document.permissions ?? {}
  const rules = permissions.rules ?? []
  const set = (of: Partial<PermissionsSection>) => change({ permissions: settled({ ...permissions, ...of }) })
  const setRules = (all: PolicyRule[]) => set({ rules: all.length === 0 ? undefined : all })
  const put = (at: number, of: Partial<PolicyRule>) =>
    setRules(
      rules.map((rule, index) => {
        if (index !== at) return rule
        const merged = settled({ ...rule, ...of }) ?? rule
        return merged
      }),
    )
  const add = () => {
    const used = new Set(rules.map(({ id }) => id))
    let number = rules.length + 1
    while (used.has(`rule-${number}`)) number++
    setRules([...rules, { id: `rule-${number}`, effect: "ask", action: "shell", pattern: "git push *" }])
  }
  return (
    <Section title="Permissions" hint="Deny beats ask beats allow; the order of rules has no meaning.">
      {rules.length === 0 && <p className="text-sm text-ink-soft">No rule yet.</p>}
      {rules.map((rule, at) => (
        <Rule
          // oxlint-disable-next-line react/no-array-index-key -- its id is what is being typed
          key={at}
          rule={rule}
          onChange={(of) => put(at, of)}
          onRemove={() => setRules(rules.filter((_, index) => index !== at))}
        />
      ))}
      <button type="button" onClick={add} className={buttonClass("quiet")}>
        <Plus aria-hidden className="size-3.5" /> Add a rule
      </button>
      <details>
        <summary className="cursor-pointer text-sm text-ink-soft hover:text-ink">
          Where no rule matches, and where there is no policy to go by
        </summary>
        <div className="mt-3 grid gap-3 sm:grid-cols-2">
          {RULE_ACTIONS.map((action) => (
            <DefaultsOf key={action} action={action} permissions={permissions} set={set} />
          ))}
        </div>
      </details>
    </Section>
  )
}

function DefaultsOf(props: {
  action: RuleAction
  permissions: PermissionsSection
  set: (of: Partial<PermissionsSection>) => void
}) {
  const { action, permissions, set } = props
  return (
    <fieldset className="grid grid-cols-2 gap-2">
      <legend className="mb-1 text-sm font-medium">{ACTION_LABELS[action]}</legend>
      <Choice
        label="No rule"
        value={permissions.defaults?.[action]}
        unset="the tool's own"
        options={EFFECTS.map((effect) => [effect, effect] as const)}
        onChange={(effect) => set({ defaults: settled({ ...permissions.defaults, [action]: effect }) })}
      />
      <Choice
        label="No policy"
        value={permissions.unavailable?.[action]}
        unset="ask"
        options={AVAILABILITIES.map((availability) => [availability, availability] as const)}
        onChange={(availability) =>
          set({ unavailable: settled({ ...permissions.unavailable, [action]: availability }) })
        }
      />
    </fieldset>
  )
}

function Rule(props: { rule: PolicyRule; onChange: (of: Partial<PolicyRule>) => void; onRemove: () => void }) {
  const { rule, onChange, onRemove } = props
  const text = (value: string) => (value.trim() === "" ? undefined : value)
  const setWhen = (of: Partial<PolicyConditions>) => onChange({ when: settled({ ...rule.when, ...of }) })
  return (
    <fieldset className="border-b border-line pb-4">
      <legend className="sr-only">Rule {rule.id}</legend>
      <div className="grid grid-cols-2 gap-3 md:grid-cols-[6rem_10rem_minmax(0,1fr)]">
        <Select
          label="Effect"
          value={rule.effect}
          onChange={(event) => onChange({ effect: EFFECTS.find((effect) => effect === event.target.value) ?? "ask" })}
        >
          {EFFECTS.map((effect) => (
            <option key={effect}>{effect}</option>
          ))}
        </Select>
        <Select
          label="What"
          value={rule.action}
          onChange={(event) =>
            onChange({ action: RULE_ACTIONS.find((action) => action === event.target.value) ?? "shell" })
          }
        >
          {RULE_ACTIONS.map((action) => (
            <option key={action} value={action}>
              {ACTION_LABELS[action]}
            </option>
          ))}
        </Select>
        <Field
          label="Pattern"
          className="col-span-2 md:col-span-1"
          value={rule.pattern}
          placeholder={PATTERN_HINTS[rule.action]}
          spellCheck={false}
          autoCapitalize="off"
          onChange={(event) => onChange({ pattern: event.target.value })}
        />
      </div>
      <div className="mt-3 grid gap-3 md:grid-cols-2">
        <Field
          label="Why"
          value={rule.reason ?? ""}
          placeholder="For the person who is asked or refused"
          onChange={(event) => onChange({ reason: text(event.target.value) })}
        />
        <Field
          label="Id"
          value={rule.id}
          spellCheck={false}
          onChange={(event) => onChange({ id: event.target.value })}
        />
      </div>
      <details className="mt-3">
        <summary className="cursor-pointer text-sm text-ink-soft hover:text-ink">
          Where it counts, until when, whose it is
        </summary>
        <div className="mt-3 grid gap-3 sm:grid-cols-2">
          <fieldset>
            <legend className="text-sm font-medium">Rungs; every one unless some are chosen</legend>
            <div className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
              {RUNGS.map((rung) => (
                <label key={rung} className="flex items-center gap-1.5 text-sm">
                  <input
                    type="checkbox"
                    className="size-4 accent-(--accent)"
                    checked={rule.when?.rung?.includes(rung) ?? false}
                    onChange={(event) => {
                      const chosen = RUNGS.filter((one) =>
                        one === rung ? event.target.checked : (rule.when?.rung?.includes(one) ?? false),
                      )
                      setWhen({ rung: chosen.length === 0 ? undefined : chosen })
                    }}
                  />
                  {rung}
                </label>
              ))}
            </div>
          </fieldset>
          <Lines
            label="Agent tools"
            values={rule.when?.agentTool}
            hint="One a line, such as claude-code."
            onChange={(agentTool) => setWhen({ agentTool })}
          />
          <Lines
            label="Repositories"
            values={rule.when?.repository}
            hint="One a line, such as acme/*."
            onChange={(repository) => setWhen({ repository })}
          />
          <Choice
            label="Isolated environment"
            value={rule.when?.isolated === undefined ? undefined : rule.when.isolated ? "yes" : "no"}
            unset="either"
            options={[
              ["yes", "only isolated"],
              ["no", "only not isolated"],
            ]}
            onChange={(value) => setWhen({ isolated: value === undefined ? undefined : value === "yes" })}
          />
          <Field
            label="Owner"
            value={rule.owner ?? ""}
            hint="Who answers for it and may grant exceptions."
            onChange={(event) => onChange({ owner: text(event.target.value) })}
          />
          <Field
            label="Until"
            value={rule.expiresAt ?? ""}
            placeholder="2027-01-31T00:00:00Z"
            hint="Date and time with its zone; empty is for good."
            onChange={(event) => onChange({ expiresAt: text(event.target.value) })}
          />
        </div>
      </details>
      <div className="mt-3 text-right">
        <button
          type="button"
          aria-label={`Take out the rule ${rule.id}`}
          onClick={onRemove}
          className={rowActionClass("danger")}
        >
          Take out
        </button>
      </div>
    </fieldset>
  )
}
