/** What others did to a person's account or data, in words; an action without any is shown by its name. */
export const ACCESS_WORDS: Readonly<Record<string, string>> = {
  "account.add": "added this account",
  "account.invite": "made an invitation link",
  "account.password_reset_link": "made a link for a new password",
  "account.change_role": "changed the role",
  "account.change_managed_teams": "changed the managed teams",
  "team.move_member": "changed the team",
  "identity.merge": "counted an identity of telemetry as this person's",
  "identity.separate": "no longer counts an identity of telemetry as this person's",
  "break_glass.open": "opened these data",
  "break_glass.view": "looked at these data",
  "break_glass.close": "closed these data again",
}
