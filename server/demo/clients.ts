import type { Kysely } from "kysely"
import { asTenant } from "../db/tenant.ts"
import type { DB } from "../db/types.ts"
import { type ClientReport, findByEnduser, noteClient } from "../policy/clients.ts"
import { DEMO_VERSIONS } from "./policies.ts"
import { createRandom } from "./random.ts"

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

interface DemoClient {
  readonly email: string
  readonly agentTool: string
}

/** What a client of the demo says of itself, and when. */
interface Report extends Pick<ClientReport, "state" | "version" | "refusal" | "canary"> {
  readonly at: Date
}

/** By their place among the people: whose hook was taken out, who was sent a policy that is not ours, who is away. */
const UNHOOKED = 19
const REFUSING = 7
const AWAY = 31
const AWAY_DAYS = 5

/** Everyone's agent takes each version within an hour and a half, and reports on most hours since. */
export async function reportClients(
  owner: Kysely<DB>,
  args: {
    readonly orgId: string
    readonly clients: readonly DemoClient[]
    /** When the version of each place was released. */
    readonly releasedAt: readonly Date[]
    readonly now: Date
  },
): Promise<void> {
  const { clients, releasedAt, now } = args
  for (const [place, client] of clients.entries()) {
    const random = createRandom(`client ${client.email}`)
    const taken = releasedAt.map((at, index) => ({
      at: new Date(at.getTime() + random.between(1, 90) * MINUTE_MS),
      version: index + 1,
    }))
    const last = new Date(now.getTime() - random.between(1, 180) * MINUTE_MS)
    for (const { at, version } of taken) {
      if (at < last && isTaken(place, version)) await report(owner, { ...args, client, report: { ...OK, at, version } })
    }
    const at = place === AWAY ? new Date(now.getTime() - AWAY_DAYS * DAY_MS) : last
    await report(owner, { ...args, client, report: { ...standingOf(place), at } })
  }
}

/** A client that is heard of now. */
export async function reportClient(
  owner: Kysely<DB>,
  args: { readonly orgId: string; readonly clients: readonly DemoClient[]; readonly place: number; readonly now: Date },
): Promise<void> {
  const client = args.clients[args.place]
  if (client === undefined || args.place === AWAY) return
  await report(owner, { ...args, client, report: { ...standingOf(args.place), at: args.now } })
}

const LATEST = DEMO_VERSIONS.length
const OK = { state: "in_force", version: LATEST, refusal: null, canary: "deny" } as const

function isTaken(place: number, version: number): boolean {
  return place !== REFUSING || version < LATEST
}

function standingOf(place: number): Omit<Report, "at"> {
  if (place === UNHOOKED) return { ...OK, canary: "allow" }
  if (place === REFUSING) return { ...OK, state: "last_good", version: LATEST - 1, refusal: "wrong_signature" }
  return OK
}

async function report(
  owner: Kysely<DB>,
  args: { readonly orgId: string; readonly client: DemoClient; readonly report: Report },
): Promise<void> {
  const { orgId, client } = args
  const { at, ...said } = args.report
  await asTenant(owner, orgId, async (tx) => {
    const key = await tx.selectFrom("ingest_key").select("id").where("org_id", "=", orgId).executeTakeFirst()
    // Without a key nobody asks for a policy.
    if (key === undefined) return
    await noteClient(tx, {
      orgId,
      developerId: await findByEnduser(tx, client.email),
      keyId: key.id,
      now: at,
      report: {
        ...said,
        id: `demo-${client.email.split("@")[0]}`,
        agentTool: client.agentTool,
        agentVersion: null,
        belayVersion: null,
      },
    })
  })
}
