import { randomBytes } from "node:crypto"
import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"
import { dayOf } from "../ingest/partitions.ts"
import type { IngestMeter } from "../ingest/meter.ts"
import { summarize } from "../ingest/arrivals.ts"
import type { Signal } from "../ingest/signal.ts"
import type { SignalStore } from "../ingest/signal-store.ts"
import { forgetRollups } from "../rollup/rebuild.ts"
import type { Served } from "../serve.ts"
import { createAccount } from "../team/bootstrap.ts"
import { ensureDeveloper } from "../team/developers.ts"
import { DEMO_ACCOUNTS } from "./accounts.ts"
import { changesOf, type DemoChange, insertChanges } from "./changes.ts"
import { type DemoDeveloper, generateDay, generateNow } from "./history.ts"
import { reportClient, reportClients } from "./clients.ts"
import { DEMO_DRAFT, DEMO_VERSIONS } from "./policies.ts"
import { createProgressBar } from "./progress.ts"
import { createRandom } from "./random.ts"
import { DEMO_CHANGES, DEMO_PARENT, DEMO_TEAMS } from "./stories.ts"

export const DEMO_ORGANIZATION = "Northwind (demo)"
const HISTORY_DAYS = 56
/** The `change` that says that a day's history is there. */
const HISTORY_LOADED = "demo_history"
const DEVELOPERS_PER_TEAM = 8
const DAY_MS = 86_400_000
const TRICKLE_EVERY_MS = 1500
/** What is older than this when it comes in is late to the detector. */
const PART_NANOS = 2n * 3_600_000_000_000n
/** Of the day: before work begins. */
const CHANGED_AT_MS = 6 * 3_600_000

const NAMES = [
  "noor",
  "ada",
  "ben",
  "chen",
  "dana",
  "eli",
  "fay",
  "gil",
  "hana",
  "ivo",
  "jun",
  "kim",
  "lea",
  "mio",
  "nia",
  "omar",
  "pia",
  "quin",
  "rui",
  "sam",
  "tess",
  "uma",
  "vic",
  "wes",
  "xena",
  "yara",
  "zoe",
  "alex",
  "bo",
  "cleo",
  "dov",
  "enzo",
  "finn",
  "gaia",
  "hugo",
  "inga",
  "jack",
  "kora",
  "liam",
  "mara",
]
const LANGUAGES = ["typescript", "python", "go", "kotlin", "swift"] as const

const DEMO_DEVELOPERS: readonly DemoDeveloper[] = NAMES.map((name, index) => ({
  email: `${name}@northwind.example`,
  team: DEMO_TEAMS[Math.floor(index / DEVELOPERS_PER_TEAM)] ?? DEMO_TEAMS[0],
  language: LANGUAGES[index % LANGUAGES.length] ?? LANGUAGES[0],
  agentTool: index % 3 === 0 ? "codex" : "claude-code",
}))

interface DemoOptions {
  readonly orgId: string
  /** Acts as the owner: the demo's people are made here, not by what agents send. */
  readonly owner: Kysely<DB>
  /** A store with a clock of its own: the history comes in when it happened. */
  readonly openStore: (now: () => Date) => SignalStore
  readonly now: () => Date
}

/** Fills the demo organization with eight weeks of history through the code that stores telemetry, once a day. */
export async function loadDemo(options: DemoOptions): Promise<void> {
  const now = options.now()
  await ensurePeople(options.owner, options.orgId, now)
  if (!(await hasTodaysHistory(options.owner, options.orgId, now))) await loadHistory(options, now)
}

/** Keeps signals of the demo's people, and what their agents say of the policy, trickling in until the returned function is called. */
export function startTrickle(options: {
  orgId: string
  /** Acts as `belay_app`. */
  db: Kysely<DB>
  served: Pick<Served, "store" | "arrivals">
  meter: IngestMeter
  now: () => Date
  log: (message: string, error: unknown) => void
}): () => Promise<void> {
  const { orgId, db, served, meter, log } = options
  const random = createRandom("trickle")
  const send = async () => {
    const place = random.between(0, DEMO_DEVELOPERS.length - 1)
    const developer = DEMO_DEVELOPERS[place]
    if (developer === undefined) return
    const now = options.now()
    await reportClient(db, { orgId, clients: DEMO_DEVELOPERS, place, now })
    const signals = generateNow(developer, now)
    await served.store.store(orgId, { signals, unrecognized: [] })
    const tools = summarize(signals)
    meter.received(orgId, { rejected: [], unrecognized: [], late: 0, tools })
    meter.request(orgId, "stored")
    served.arrivals.announce(orgId, tools)
  }
  const trickle = setInterval(() => {
    send().catch((error: unknown) => log("demo trickle failed", error))
  }, TRICKLE_EVERY_MS)
  return async () => clearInterval(trickle)
}

async function ensurePeople(owner: Kysely<DB>, orgId: string, now: Date): Promise<void> {
  await owner.transaction().execute(async (tx) => {
    await tx.selectFrom("org").select("id").where("id", "=", orgId).forUpdate().execute()
    const existing = await tx.selectFrom("team").select("id").where("org_id", "=", orgId).executeTakeFirst()
    if (existing) return
    for (const account of DEMO_ACCOUNTS) {
      const name = nameOf(account.email)
      await createAccount(tx, { orgId, ...account, name, password: randomBytes(24).toString("base64url") })
    }
    const since = dayOf(now, -HISTORY_DAYS - 1)
    const makeTeam = (name: string, parentId: string | null) =>
      tx
        .insertInto("team")
        .values({ org_id: orgId, name, parent_team_id: parentId })
        .returning("id")
        .executeTakeFirstOrThrow()
    const parent = await makeTeam(DEMO_PARENT.name, null)
    for (const name of DEMO_TEAMS) {
      const isPart = DEMO_PARENT.parts.some((part) => part === name)
      const team = await makeTeam(name, isPart ? parent.id : null)
      for (const { email } of DEMO_DEVELOPERS.filter((developer) => developer.team === name)) {
        const developerId = await ensureDeveloper(tx, { orgId, email })
        await tx
          .insertInto("account")
          .values({ org_id: orgId, email, name: nameOf(email), role: "developer", developer_id: developerId })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        await tx
          .insertInto("team_member")
          .values({ org_id: orgId, developer_id: developerId, team_id: team.id, valid_from: new Date(since) })
          .execute()
      }
    }
    await manageEverything(tx, orgId)
  })
}

/** The manager of the demo reads all of it. */
async function manageEverything(tx: Kysely<DB>, orgId: string): Promise<void> {
  await tx
    .insertInto("team_manager")
    .columns(["org_id", "account_id", "team_id"])
    .expression((eb) =>
      eb
        .selectFrom("account as a")
        .innerJoin("team as t", "t.org_id", "a.org_id")
        .select(["a.org_id", "a.id as account_id", "t.id as team_id"])
        .where("a.org_id", "=", orgId)
        .where("a.role", "=", "manager")
        .where("t.parent_team_id", "is", null),
    )
    .execute()
}

function nameOf(email: string): string {
  const name = email.split("@")[0] ?? ""
  return name.charAt(0).toUpperCase() + name.slice(1)
}

/** The stories are told in days before today, so another day's history is another history. */
async function hasTodaysHistory(owner: Kysely<DB>, orgId: string, now: Date): Promise<boolean> {
  const loaded = await owner
    .selectFrom("change")
    .select("id")
    .where("org_id", "=", orgId)
    .where("kind", "=", HISTORY_LOADED)
    .where("subject", "=", dayOf(now, 0))
    .executeTakeFirst()
  return loaded !== undefined
}

async function loadHistory({ orgId, owner, openStore }: DemoOptions, now: Date): Promise<void> {
  const today = new Date(dayOf(now, 0))
  const progress = createProgressBar("Loading eight weeks of demo history", HISTORY_DAYS)
  await sql`
    select belay_make_signal_partitions(${dayOf(now, -HISTORY_DAYS - 1)}::date, ${dayOf(now, 1)}::date)`.execute(owner)
  await forgetHistory(owner, orgId)
  await owner
    .insertInto("change")
    .values(
      DEMO_CHANGES.map(({ kind, subject, daysAgo }) => {
        const at = new Date(today.getTime() - daysAgo * DAY_MS + CHANGED_AT_MS)
        return { org_id: orgId, kind, subject, occurred_at: at, recorded_at: at }
      }),
    )
    .execute()
  await publishPolicies(owner, orgId, today)
  const changes: DemoChange[] = []
  let clock = today
  const store = openStore(() => clock)
  try {
    for (let daysAgo = HISTORY_DAYS; daysAgo >= 0; daysAgo--) {
      const day = new Date(today.getTime() - daysAgo * DAY_MS)
      const signals = DEMO_DEVELOPERS.flatMap((developer) => {
        const own = generateDay(developer, day, today, now)
        changes.push(...changesOf(developer, { signals: own, day, today, now }))
        return own
      })
      for (const part of partsOf(signals)) {
        clock = part.receivedAt
        await store.store(orgId, { signals: part.signals, unrecognized: [] })
      }
      progress.advance(HISTORY_DAYS - daysAgo)
    }
  } finally {
    await store.close()
  }
  await insertChanges(owner, { orgId, changes, now })
  const releasedAt = DEMO_VERSIONS.map(({ daysAgo }) => releaseTime(today, daysAgo))
  await reportClients(owner, { orgId, clients: DEMO_DEVELOPERS, releasedAt, now })
  await sql`analyze signal`.execute(owner)
  await owner
    .insertInto("change")
    .values({ org_id: orgId, kind: HISTORY_LOADED, subject: dayOf(now, 0), occurred_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  progress.finish()
}

function releaseTime(today: Date, daysAgo: number): Date {
  return new Date(today.getTime() - daysAgo * DAY_MS + CHANGED_AT_MS)
}

/** What was published when, and what somebody is writing. */
async function publishPolicies(owner: Kysely<DB>, orgId: string, today: Date): Promise<void> {
  const at = (daysAgo: number) => releaseTime(today, daysAgo)
  const author = await owner
    .selectFrom("account")
    .select("id")
    .where("org_id", "=", orgId)
    .where("role", "=", "admin")
    .orderBy("email")
    .executeTakeFirst()
  const by = author?.id ?? null
  const layers = new Map<string | null, string>()
  for (const [index, { team, version, daysAgo, note, document }] of DEMO_VERSIONS.entries()) {
    let layerId = layers.get(team)
    if (layerId === undefined) {
      const found = await owner
        .selectFrom("team")
        .select("id")
        .where("org_id", "=", orgId)
        .where("name", "=", team)
        .executeTakeFirst()
      const kind = team === null ? ("organization" as const) : ("team" as const)
      const made = await owner
        .insertInto("policy_layer")
        .values({ org_id: orgId, kind, team_id: found?.id ?? null, developer_id: null })
        .returning("id")
        .executeTakeFirstOrThrow()
      layers.set(team, (layerId = made.id))
    }
    const published = { layer_id: layerId, version, note, written_by: by, published_by: by, published_at: at(daysAgo) }
    await owner
      .insertInto("policy_version")
      .values({ org_id: orgId, document, ...published })
      .execute()
    await owner.updateTable("policy_layer").set({ version_in_force: version }).where("id", "=", layerId).execute()
    await owner
      .insertInto("policy_release")
      .values({
        org_id: orgId,
        version: index + 1,
        released_at: at(daysAgo),
        cause: "published",
        layer_id: layerId,
        layer_version: version,
      })
      .execute()
  }
  const layerId = layers.get(null)
  if (layerId === undefined) return
  await owner
    .insertInto("policy_draft")
    .values({
      org_id: orgId,
      layer_id: layerId,
      document: DEMO_DRAFT,
      base_version: 2,
      revision: 1,
      written_by: by,
      saved_at: at(1),
    })
    .execute()
}

/** Another day's history and what was found in it. */
async function forgetHistory(owner: Kysely<DB>, orgId: string): Promise<void> {
  await owner.deleteFrom("signal").where("org_id", "=", orgId).execute()
  await forgetRollups(owner, orgId)
  const policies = [
    "policy_draft",
    "policy_version",
    "policy_layer",
    "policy_release",
    "policy_suggestion_dismissal",
    "policy_client",
    "policy_adoption",
  ] as const
  const found = ["incident_label", "incident_event", "incident", "detector_state"] as const
  const waiting = ["arrived_suggestion", "arrived_operation", "arrived_presence", "arrived_delivery"] as const
  const became = ["change_request", "joined_operation"] as const
  for (const table of [...policies, ...found, ...waiting, ...became, "change" as const]) {
    await owner.deleteFrom(table).where("org_id", "=", orgId).execute()
  }
}

/** Signals by when they came in, earliest first: those of two hours together, with the last of them. */
function partsOf(signals: readonly Signal[]): { receivedAt: Date; signals: Signal[] }[] {
  const parts = Map.groupBy(signals, ({ observedUnixNano }) => observedUnixNano / PART_NANOS)
  return [...parts]
    .toSorted(([a], [b]) => Number(a - b))
    .map(([, part]) => {
      const last = part.reduce((max, { observedUnixNano }) => (observedUnixNano > max ? observedUnixNano : max), 0n)
      return { receivedAt: new Date(Number(last / 1_000_000n)), signals: part }
    })
}
