import { Form, useNavigation } from "@remix-run/react"
import { Check, Pin } from "lucide-react"
import { useId } from "react"
import { buttonClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { CopyButton } from "../../ui/copy.tsx"
import { Field } from "../../ui/field.tsx"
import { Select } from "../../ui/select.tsx"
import { formatCount, plural } from "../../lib/format.ts"
import { useInBrowser } from "../../lib/use-in-browser.ts"
import { CAUSE_LABELS, describeLevel, formatHour, SIGNAL_LABELS, type When } from "./incident-words.ts"
import type { IncidentData } from "./load.server.ts"

/** Who looks into it, and who took it for normal. */
export function Acknowledgement({ incident, when }: { incident: IncidentData["incident"]; when: When }) {
  const { acknowledgedAt, acknowledgedByEmail, acceptedAt, acceptedByEmail, reopened } = incident
  const said = [
    acknowledgedAt === null
      ? null
      : `Acknowledged by ${acknowledgedByEmail ?? "somebody who is gone"}, ${formatHour(acknowledgedAt, when)}.`,
    acceptedAt === null
      ? null
      : `Accepted as the new normal by ${acceptedByEmail ?? "somebody who is gone"}, ${formatHour(acceptedAt, when)}.`,
    reopened === 0 ? null : reopened === 1 ? "It came back once." : `It came back ${reopened} times.`,
  ].filter((sentence) => sentence !== null)
  return said.length === 0 ? null : <p className="mt-1 max-w-3xl text-ink-soft wrap-anywhere">{said.join(" ")}</p>
}

/** What can be done about its state, for who may; and the link to it for everyone. */
export function IncidentActions({ data }: { data: IncidentData }) {
  const { incident, canManage } = data
  const isBusy = useNavigation().state === "submitting"
  const isInBrowser = useInBrowser()
  const isCurrent = incident.state === "open" || incident.state === "recovering"
  const isNote = incident.kind === "data_quality"
  return (
    <div className="mt-4 flex flex-wrap gap-2">
      {canManage && incident.acknowledgedAt === null && (isCurrent || isNote) && (
        <Form method="post" preventScrollReset>
          <input type="hidden" name="intent" value="acknowledge" />
          <button type="submit" disabled={isBusy} className={buttonClass("primary")}>
            <Check aria-hidden className="size-3.5" />
            Acknowledge
          </button>
        </Form>
      )}
      {canManage &&
        !isNote &&
        incident.state !== "recovered" &&
        incident.acceptedAt === null &&
        incident.proposedAt === null && <Accept />}
      {canManage && !isNote && !isCurrent && (
        <Confirm
          trigger="Reopen"
          triggerClass={buttonClass("quiet")}
          title="Reopen this incident?"
          description="It counts as open again, and closes by itself once things are as before."
          action="Reopen the incident"
          fields={{ intent: "reopen" }}
        />
      )}
      {isInBrowser && <CopyButton text={location.origin + location.pathname} label="link" title="Copy link" />}
    </div>
  )
}

function Accept() {
  return (
    <Confirm
      trigger="Accept as the new normal"
      triggerClass={buttonClass("quiet")}
      title="Accept this as the new normal?"
      description="The incident is closed, and what is usual from now on is how things are now. Reopen it to take this back."
      action="Accept"
      fields={{ intent: "accept" }}
    />
  )
}

/** That it stays as it is, to be accepted or declined by who may. */
export function Proposal({ data, when }: { data: IncidentData; when: When }) {
  const { incident, canManage, proposeDays } = data
  const isBusy = useNavigation().state === "submitting"
  if (incident.proposedAt === null) return null
  const signal = incident.leadingSignal === null ? "it" : `“${SIGNAL_LABELS[incident.leadingSignal].toLowerCase()}”`
  const level = incident.proposedRatio === null ? "where it is" : `at ${describeLevel(incident.proposedRatio)}`
  return (
    <section aria-labelledby="proposal" className="mt-4 max-w-3xl rounded-md border border-line-strong bg-surface p-4">
      <h2 id="proposal" className="flex items-center gap-2 font-semibold">
        <Pin aria-hidden className="size-4 shrink-0 text-ink-soft" />
        Is this the new normal?
      </h2>
      <p className="mt-1 text-ink-soft">
        For {plural(proposeDays, "working day")} {signal} has stayed {level} and moves no more. Proposed{" "}
        {formatHour(incident.proposedAt, when)}.
        {canManage && ` Declined, it is not proposed again for ${plural(proposeDays, "working day")}.`}
      </p>
      {canManage && (
        <div className="mt-3 flex flex-wrap gap-2">
          <Accept />
          <Form method="post" preventScrollReset>
            <input type="hidden" name="intent" value="decline" />
            <button type="submit" disabled={isBusy} className={buttonClass("quiet")}>
              Decline
            </button>
          </Form>
        </div>
      )}
    </section>
  )
}

/** What somebody found out, for the history. */
export function NoteForm({ data }: { data: IncidentData }) {
  const { history, noteLengthMax } = data
  const isBusy = useNavigation().state === "submitting"
  const id = useId()
  return (
    // A new one once a note is kept.
    <Form method="post" preventScrollReset className="mt-4" key={history.events.length}>
      <input type="hidden" name="intent" value="note" />
      <label htmlFor={id} className="block text-sm font-medium">
        Add a note
      </label>
      <textarea
        id={id}
        name="text"
        required
        rows={3}
        maxLength={noteLengthMax}
        aria-describedby={`${id}-hint`}
        className="mt-1 block w-full rounded-md border border-line-strong bg-surface px-3 py-2 text-base text-ink"
      />
      <p id={`${id}-hint`} className="mt-1 text-xs text-ink-faint">
        At most {formatCount(noteLengthMax)} characters. It stays in the history with your name, for everyone who sees
        this incident.
      </p>
      <button type="submit" disabled={isBusy} className={buttonClass("quiet", "mt-2")}>
        Add the note
      </button>
    </Form>
  )
}

/** What it was, by who knows: kept beside what the detector said. */
export function LabelForm({ data }: { data: IncidentData }) {
  const { ownLabel, commentLengthMax } = data
  const isBusy = useNavigation().state === "submitting"
  return (
    <section aria-labelledby="label" className="mt-10 max-w-3xl">
      <h2 id="label" className="text-lg font-semibold">
        What was it?
      </h2>
      <p className="mt-1 text-ink-soft">
        Your answer is kept beside the incident and is what detection is measured against. It changes nothing by itself.
      </p>
      <Form
        method="post"
        preventScrollReset
        className="mt-3 flex flex-wrap items-end gap-3"
        key={ownLabel?.at.getTime() ?? "none"}
      >
        <input type="hidden" name="intent" value="label" />
        <Select
          label="Was it real?"
          name="verdict"
          className="min-w-32"
          defaultValue={ownLabel === null ? "real" : ownLabel.isReal ? "real" : "not_real"}
        >
          <option value="real">Real</option>
          <option value="not_real">Not real</option>
        </Select>
        <Select label="Cause" name="cause" className="min-w-44" defaultValue={ownLabel?.cause ?? ""}>
          <option value="">I do not say</option>
          {Object.entries(CAUSE_LABELS).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </Select>
        <Field
          label="Comment"
          name="comment"
          maxLength={commentLengthMax}
          defaultValue={ownLabel?.comment ?? ""}
          className="min-w-56 flex-1"
        />
        <button type="submit" disabled={isBusy} className={buttonClass("quiet", "h-10")}>
          {ownLabel === null ? "Keep the label" : "Change the label"}
        </button>
      </Form>
    </section>
  )
}
