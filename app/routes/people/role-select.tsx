import { useState } from "react"
import { ROLE_HINTS, ROLE_LABELS } from "../../lib/roles.ts"
import { Select } from "../../ui/select.tsx"

/** A choice of roles that says what the chosen one may do. */
export function RoleSelect(props: { roles: readonly string[]; defaultValue: string; isDisabled?: boolean }) {
  const [role, setRole] = useState(props.defaultValue)
  return (
    <Select
      label="Role"
      name="role"
      value={role}
      onChange={(event) => setRole(event.currentTarget.value)}
      disabled={props.isDisabled}
      hint={`May see and do: ${ROLE_HINTS[role]}.`}
    >
      {props.roles.map((choice) => (
        <option key={choice} value={choice}>
          {ROLE_LABELS[choice]}
        </option>
      ))}
    </Select>
  )
}
