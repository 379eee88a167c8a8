import { Plus } from "lucide-react"
import { RUNGS } from "#sdk/ladder.ts"
import type { AutonomySection, ModelsSection, PolicyBudget, ReviewSection } from "#sdk/policy/document.ts"
import { BUDGET_PERIODS, BUDGET_SCOPES, LIMIT_EFFECTS, REVIEW_LINES } from "#sdk/policy/vocabulary.ts"
import { buttonClass, rowActionClass } from "../../../ui/button.ts"
import { Field } from "../../../ui/field.tsx"
import { Select } from "../../../ui/select.tsx"
import { Choice, type FormProps, Lines, ListField, Section, settled } from "./form.tsx"

export function ModelsForm({ document, change }: FormProps) {
  const models = document.models ?? {}
  const set = (of: Partial<ModelsSection>) => change({ models: settled({ ...models, ...of }) })
  return (
    <Section title="Models" hint="By canonical name: prefixes, dates and a cloud's own ids make no difference.">
      <ListField label="Models" items="Models" value={models.allowed} onChange={(allowed) => set({ allowed })} />
      <Lines
        label="Models that may never be used"
        values={models.denied}
        hint="One a line."
        onChange={(denied) => set({ denied })}
      />
      <ListField
        label="Providers"
        items="Providers"
        value={models.providers}
        onChange={(providers) => set({ providers })}
      />
      <Lines
        label="Providers that may never be used"
        values={models.deniedProviders}
        hint="One a line, such as openrouter."
        onChange={(deniedProviders) => set({ deniedProviders })}
      />
      <Lines
        label="Names of your own for models"
        values={Object.entries(models.aliases ?? {}).map(([alias, name]) => `${alias} = ${name}`)}
        hint="One a line, as: our-name = claude-opus-4-5"
        onChange={(lines) => {
          const pairs = (lines ?? []).map((line) => line.split("=").map((part) => part.trim()))
          const aliases = pairs.flatMap(([alias = "", name = ""]) =>
            alias === "" || name === "" ? [] : [[alias, name]],
          )
          set({ aliases: aliases.length === 0 ? undefined : Object.fromEntries(aliases) })
        }}
      />
    </Section>
  )
}

export function AutonomyForm({ document, change }: FormProps) {
  const autonomy = document.autonomy ?? {}
  const set = (of: Partial<AutonomySection>) => change({ autonomy: settled({ ...autonomy, ...of }) })
  const setIsolation = (of: AutonomySection["isolation"]) =>
    set({ isolation: of === undefined ? undefined : settled({ ...autonomy.isolation, ...of }) })
  return (
    <Section title="Autonomy" hint="How far up the ladder agents act, and which of them approve their own actions.">
      <div className="grid gap-3 sm:grid-cols-2">
        <Choice
          label="Highest rung"
          value={autonomy.highestRung}
          unset="Nothing is said (unset)"
          options={RUNGS.map((rung) => [rung, rung] as const)}
          onChange={(highestRung) => set({ highestRung })}
        />
        <Choice
          label="Outside these bounds"
          value={autonomy.effect}
          unset="deny, unless said otherwise"
          options={[
            ["ask", "ask"],
            ["deny", "deny"],
          ]}
          onChange={(effect) => set({ effect })}
        />
      </div>
      <ListField
        label="Modes in which an agent approves its own actions"
        items="Modes, by the tool's own name"
        value={autonomy.autoApproveModes}
        onChange={(autoApproveModes) => set({ autoApproveModes })}
      />
      <div className="grid gap-3 sm:grid-cols-2">
        <Lines
          label="Repositories where agents have to be isolated"
          values={autonomy.isolation?.repositories}
          hint="One a line, such as acme/*."
          onChange={(repositories) => setIsolation({ repositories })}
        />
        <Lines
          label="The same, by label"
          values={autonomy.isolation?.labels}
          hint="One a line, such as production."
          onChange={(labels) => setIsolation({ labels })}
        />
      </div>
    </Section>
  )
}

export function BudgetsForm({ document, change }: FormProps) {
  const budgets = document.budgets ?? []
  const set = (all: PolicyBudget[]) => change({ budgets: all.length === 0 ? undefined : all })
  const put = (at: number, of: Partial<PolicyBudget>) =>
    set(budgets.map((budget, index) => (index === at ? { ...budget, ...of } : budget)))
  const add = () => {
    const used = new Set(budgets.map(({ id }) => id))
    const id = ["monthly", ...budgets.map((_, at) => `budget-${at + 2}`)].find((name) => !used.has(name)) ?? "budget"
    set([...budgets, { id, scope: "team", period: "month", limit: { unit: "usd", amount: 1000 }, hard: "warn" }])
  }
  return (
    <Section title="Budgets" hint="A warning at 50, 75 and 90 % of each, and what happens once it is used up.">
      {budgets.length === 0 && <p className="text-sm text-ink-soft">No budget: use is counted and not limited.</p>}
      {budgets.map((budget, at) => (
        <fieldset
          // oxlint-disable-next-line react/no-array-index-key -- its id is what is being typed
          key={at}
          className="grid grid-cols-2 items-end gap-3 border-b border-line pb-4 last:border-b-0 last:pb-0 sm:grid-cols-3"
        >
          <legend className="sr-only">Budget {budget.id}</legend>
          <Field label="Name" value={budget.id} onChange={(event) => put(at, { id: event.target.value })} />
          <Select
            label="For each"
            value={budget.scope}
            onChange={(event) => put(at, { scope: BUDGET_SCOPES.find((one) => one === event.target.value) ?? "team" })}
          >
            {BUDGET_SCOPES.map((scope) => (
              <option key={scope}>{scope}</option>
            ))}
          </Select>
          <Select
            label="A"
            value={budget.period}
            onChange={(event) =>
              put(at, { period: BUDGET_PERIODS.find((one) => one === event.target.value) ?? "month" })
            }
          >
            {BUDGET_PERIODS.map((period) => (
              <option key={period}>{period}</option>
            ))}
          </Select>
          <Field
            label="Limit"
            type="number"
            min={1}
            step="any"
            value={budget.limit.amount}
            onChange={(event) => put(at, { limit: { ...budget.limit, amount: event.target.valueAsNumber } })}
          />
          <Select
            label="Of"
            value={budget.limit.unit}
            onChange={(event) =>
              put(at, { limit: { ...budget.limit, unit: event.target.value === "tokens" ? "tokens" : "usd" } })
            }
          >
            <option value="usd">US dollars</option>
            <option value="tokens">tokens</option>
          </Select>
          <Select
            label="Then"
            value={budget.hard}
            onChange={(event) => put(at, { hard: LIMIT_EFFECTS.find((one) => one === event.target.value) ?? "warn" })}
          >
            {LIMIT_EFFECTS.map((effect) => (
              <option key={effect}>{effect}</option>
            ))}
          </Select>
          <button
            type="button"
            aria-label={`Take out the budget ${budget.id}`}
            onClick={() => set(budgets.filter((_, index) => index !== at))}
            className={`${rowActionClass("danger")} col-span-full justify-self-end`}
          >
            Take out
          </button>
        </fieldset>
      ))}
      <button type="button" onClick={add} className={buttonClass("quiet")}>
        <Plus aria-hidden className="size-3.5" /> Add a budget
      </button>
    </Section>
  )
}

export function ReviewForm({ document, change }: FormProps) {
  const { review } = document
  const set = (of: Partial<ReviewSection>) => change({ review: { effect: "warn", ...review, ...of } })
  return (
    <Section title="Review" hint="How large a change may grow before a person has looked at it.">
      <Choice
        label="A change that is larger"
        value={review?.effect}
        unset="Nothing is said (unset)"
        options={LIMIT_EFFECTS.map((effect) => [effect, effect] as const)}
        onChange={(effect) => (effect === undefined ? change({ review: undefined }) : set({ effect }))}
      />
      {review !== undefined && (
        <div className="grid gap-3 sm:grid-cols-2">
          <Field
            label="Changed lines at most"
            type="number"
            min={1}
            placeholder={String(REVIEW_LINES)}
            hint={`${REVIEW_LINES} unless said otherwise: about what a person reviews in one sitting.`}
            value={review.changedLines ?? ""}
            onChange={(event) => set({ changedLines: toNumber(event.target.value) })}
          />
          <Field
            label="Changed files at most"
            type="number"
            min={1}
            placeholder="any number"
            value={review.files ?? ""}
            onChange={(event) => set({ files: toNumber(event.target.value) })}
          />
        </div>
      )}
    </Section>
  )
}

function toNumber(text: string): number | undefined {
  return text === "" ? undefined : Number(text)
}
