import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { makeOrganization, NOW } from "../../test/factories.ts"
import { detectAll } from "../detect/loop.ts"
import { asTenant } from "../db/tenant.ts"
import { openSignalStore } from "../ingest/signal-store.ts"
import { placeJoinedOperations } from "../outcomes/place.ts"
import { getChanges } from "../outcomes/review-queries.ts"
import { countAll } from "../rollup/loop.ts"
import { loadDemo } from "./demo.ts"

test(
  "the detector finds the demo's stories, each in its place with its cause, and nothing else",
  {
    timeout: 240_000,
  },
  async ({ database }) => {
    const { owner, worker, ingest, url } = database
    const orgId = await makeOrganization(database)
    const openStore = (clock: () => Date) => openSignalStore({ url, db: ingest, now: clock })
    await loadDemo({ orgId, owner, openStore, now: () => NOW })
    await countAll(worker, NOW)
    await detectAll({ db: worker, now: NOW })
    const incidents = await owner
      .selectFrom("incident as i")
      .leftJoin("team as t", "t.id", "i.team_id")
      .innerJoin("org as o", "o.id", "i.org_id")
      .select(["i.kind", "i.rung", "i.also_rungs", "i.cause", "i.state", "i.people", "o.min_group_size"])
      .select(["t.name as team", "i.developer_id", "i.client", "i.model", "i.language", "i.mode", "i.recovered_after"])
      .orderBy("i.started_at")
      .execute()
    const anywhere = { team: null, developer_id: null, client: null, model: null, language: null, mode: null }
    const breakage = { ...anywhere, kind: "breakage", also_rungs: [], state: "open", recovered_after: null }
    expect(incidents.map(({ people: _people, min_group_size: _size, ...incident }) => incident)).toEqual([
      {
        ...breakage,
        rung: "orchestration",
        team: "Platform",
        cause: "permission",
        state: "recovered",
        recovered_after: expect.objectContaining({ kind: "policy" }),
      },
      { ...breakage, rung: "autocomplete", team: "Checkout", cause: "latency" },
      { ...breakage, rung: "agent", client: "claude-code@2.1.240", cause: "wrong_path" },
    ])
    // So that nothing of them is withheld.
    expect(incidents.filter(({ people, min_group_size: k }) => people < k)).toEqual([])

    // One team's runs outgrow its reviewers, and nobody else's do.
    await asTenant(database.app, orgId, (tx) => placeJoinedOperations(tx, { now: NOW }))
    const range = { from: new Date(NOW.getTime() - 21 * 86_400_000), to: NOW, now: NOW, teamId: null, timeZone: "UTC" }
    const limit = { lines: 400, files: null, isFromPolicy: false }
    const changes = await asTenant(database.app, orgId, (tx) => getChanges(tx, { ...range, limit }))
    const teams = await owner.selectFrom("team").select(["id", "name"]).execute()
    const inDebt = changes.teams.flatMap(({ teamId, rung, merged, mergedUnreviewed }) =>
      merged !== null && mergedUnreviewed !== null && mergedUnreviewed / merged > 0.2
        ? [[teams.find(({ id }) => id === teamId)?.name, rung]]
        : [],
    )
    expect(inDebt).toEqual([["Payments", "orchestration"]])

    // Tomorrow's history takes the place of today's, with what was found in it.
    await loadDemo({ orgId, owner, openStore, now: () => new Date(NOW.getTime() + 86_400_000) })
    expect(await owner.selectFrom("incident").select("id").execute()).toEqual([])
    const waiting = await owner.selectFrom("arrived_delivery").select("arrived_hour").execute()
    expect(waiting).toEqual([])
    expect(await owner.selectFrom("joined_operation").select("operation_id").execute()).toEqual([])
  },
)
