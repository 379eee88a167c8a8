import { type ReactNode, useId, useState } from "react"
import type { PolicyDocument, PolicyList } from "#sdk/policy/document.ts"
import { Select } from "../../../ui/select.tsx"

/** What every part of the form is given. */
export interface FormProps {
  readonly document: PolicyDocument
  /** Puts sections in the place of those of the same name; undefined takes one out. */
  readonly change: (of: Partial<PolicyDocument>) => void
}

export function Section({ title, hint, children }: { title: string; hint: string; children: ReactNode }) {
  const id = useId()
  return (
    <section aria-labelledby={id}>
      <h2 id={id} className="text-lg font-semibold">
        {title}
      </h2>
      <p className="mt-0.5 max-w-3xl text-sm text-ink-soft">{hint}</p>
      <div className="mt-3 space-y-4 rounded-md border border-line bg-surface p-4">{children}</div>
    </section>
  )
}

/** The object without what is undefined; undefined when nothing is left, so that the section is unset. */
export function settled<Section extends object>(section: Section): Section | undefined {
  const entries = Object.entries(section).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Section)
}

/** A choice of which the first means that nothing is said. */
export function Choice<Value extends string>(props: {
  label: string
  value: Value | undefined
  unset: string
  options: readonly (readonly [value: Value, label: string])[]
  onChange: (value: Value | undefined) => void
  hint?: string
}) {
  return (
    <Select
      label={props.label}
      value={props.value ?? ""}
      {...(props.hint !== undefined && { hint: props.hint })}
      onChange={(event) => props.onChange(props.options.find(([value]) => value === event.target.value)?.[0])}
    >
      <option value="">{props.unset}</option>
      {props.options.map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </Select>
  )
}

/** Names, one a line; none of them is that nothing is said. */
export function Lines(props: {
  label: string
  values: readonly string[] | undefined
  onChange: (values: string[] | undefined) => void
  hint?: string
}) {
  const id = useId()
  // As typed: a line that is begun is no name yet.
  const [text, setText] = useState((props.values ?? []).join("\n"))
  return (
    <div>
      <label htmlFor={id} className="block text-sm font-medium">
        {props.label}
      </label>
      <textarea
        id={id}
        value={text}
        rows={Math.min(8, Math.max(2, text.split("\n").length))}
        spellCheck={false}
        aria-describedby={props.hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => {
          setText(event.target.value)
          const values = event.target.value.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]))
          props.onChange(values.length === 0 ? undefined : values)
        }}
        className="mt-1 block w-full rounded-md border border-line-strong bg-surface px-3 py-2 font-mono text-sm text-ink"
      />
      {props.hint !== undefined && (
        <p id={`${id}-hint`} className="mt-1 text-xs text-ink-faint">
          {props.hint}
        </p>
      )}
    </div>
  )
}

const LIST_KINDS = [
  ["none", "None at all"],
  ["list", "Only those named"],
] as const

/** A list that is unset, none, or names with what happens to what is new. */
export function ListField(props: {
  label: string
  items: string
  value: PolicyList | undefined
  onChange: (value: PolicyList | undefined) => void
}) {
  const { label, items, value, onChange } = props
  return (
    <div className="space-y-3">
      <Choice
        label={label}
        value={value?.kind}
        unset="Nothing is said (unset)"
        options={LIST_KINDS}
        onChange={(kind) => {
          if (kind === undefined) onChange(undefined)
          else onChange(kind === "none" ? { kind } : { kind, items: [], future: "deny" })
        }}
      />
      {value?.kind === "list" && (
        <div className="grid gap-3 sm:grid-cols-2">
          <Lines
            label={items}
            values={value.items}
            hint="One a line; * stands for any part."
            onChange={(given) => onChange({ ...value, items: given ?? [] })}
          />
          <Select
            label="What does not exist yet"
            value={value.future}
            onChange={(event) => onChange({ ...value, future: event.target.value === "allow" ? "allow" : "deny" })}
          >
            <option value="deny">is denied</option>
            <option value="allow">is allowed</option>
          </Select>
        </div>
      )}
    </div>
  )
}
