/** The teams as choices, sub-teams under their own team. */
export function TeamOptions(props: {
  teams: readonly { readonly id: string; readonly name: string; readonly parentId: string | null }[]
}) {
  return props.teams.map((team) => (
    <option key={team.id} value={team.id}>
      {team.parentId === null ? team.name : `\u2003${team.name}`}
    </option>
  ))
}
