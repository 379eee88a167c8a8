import type { AppLoadContext } from "@remix-run/node"
import { asTenant } from "#server/db/tenant.ts"
import { createLink, type LinkPurpose } from "#server/sign-in/links.ts"
import { byViewer, type Viewer } from "#server/sign-in/sessions.ts"
import { getPerson } from "#server/team/people.ts"
import { getOrganization, getToday } from "#server/team/queries.ts"
import { trySend } from "../../lib/mail.server.ts"
import { paths } from "../../lib/paths.ts"

export interface GivenLink {
  readonly purpose: LinkPurpose
  readonly email: string
  readonly url: string
  readonly expiresAt: Date
  readonly isMailed: boolean
}

/** Makes a one-time link for a person and mails it where Belay can. Null when there is no such person. */
export async function giveLink(
  viewer: Viewer,
  context: AppLoadContext,
  args: { accountId: string; purpose: LinkPurpose },
): Promise<GivenLink | null> {
  const { accountId, purpose } = args
  const now = context.now()
  const by = byViewer(viewer, context.requestId, now)
  const made = await asTenant(context.db, viewer.orgId, async (tx) => {
    const person = await getPerson(tx, accountId, await getToday(tx, now), now)
    // A person of a higher rank could be taken over through their link.
    if (person === null || (person.role === "owner" && viewer.role !== "owner")) return null
    const link = await createLink(tx, { accountId, purpose, by })
    const organization = await getOrganization(tx)
    return link === null ? null : { ...link, email: person.email, organization: organization.name }
  })
  if (made === null) return null
  const url = `${context.publicUrl}${paths.signInLink(made.token)}`
  const { email, expiresAt, organization } = made
  // The link is shown too, so a mail server that is away costs a sentence and not the invitation.
  const isMailed = await trySend(context, {
    to: email,
    subject: purpose === "invitation" ? `Join ${organization} on Belay` : "A new password for Belay",
    text:
      purpose === "invitation"
        ? `${viewer.email} invites you to ${organization} on Belay, which shows where a team stands with its AI agents.\n\nSet a password here, within seven days:\n${url}\n`
        : `${viewer.email} made you a link with which you set a new password for Belay, within an hour:\n${url}\n`,
  })
  return { purpose, email, url, expiresAt, isMailed }
}
