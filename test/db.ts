import { randomUUID } from "node:crypto"

import { type Kysely, sql } from "kysely"
import { inject, test as base } from "vitest"

import { openDatabase } from "#server/db/client.ts"
import type { DB } from "#server/db/types.ts"
import { createCitusDatabase, dropCitusDatabase } from "./citus.ts"
import { openSignalStore, type SignalStore } from "#server/ingest/signal-store.ts"

/** The clock of a test's own store: it stands still. */
const STORE_NOW = new Date("2026-11-20T12:00:00Z")

/** A fresh database with the newest schema. The handles connect when they are used. */
export interface TestDatabase {
  /** As its owner, a superuser, whom row-level security does not stop: for looking behind the scenes. */
  readonly url: string
  readonly owner: Kysely<DB>
  readonly app: Kysely<DB>
  readonly auth: Kysely<DB>
  readonly ingest: Kysely<DB>
  readonly worker: Kysely<DB>
  /** What telemetry goes through. */
  readonly store: SignalStore
}

/**
 * `test` with a database of its own for each test, cloned from the migrated template and dropped afterwards.
 *
 * `db` is opened as the application's role, because a superuser would walk through row-level security. `database`
 * has the other roles and the URL. With `BELAY_TEST_CITUS_URL`, the coordinator of a Citus cluster as a superuser, every
 * test gets a database on all of its nodes instead.
 */
export const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from it which fixtures are used
  .extend("server", { scope: "worker" }, async ({}, { onCleanup }) => {
    const { adminUrl, template } = inject("postgres")
    const admin = openDatabase({ url: adminUrl, max: 4, applicationName: "test admin" })
    const drops: Promise<unknown>[] = []
    onCleanup(async () => {
      await Promise.all(drops)
      await admin.close()
    })
    if (template === null) {
      return {
        createDatabase: (name: string) => createCitusDatabase(admin.kysely, adminUrl, name),
        dropDatabase(name: string): void {
          drops.push(dropCitusDatabase(admin.kysely, adminUrl, name))
        },
      }
    }
    return {
      async createDatabase(name: string): Promise<string> {
        await sql`create database ${sql.id(name)} template ${sql.id(template)} strategy file_copy`.execute(admin.kysely)
        return Object.assign(new URL(adminUrl), { pathname: `/${name}` }).href
      },
      /** In the background: Postgres waits 100 ms for connections that are about to close. */
      dropDatabase(name: string): void {
        drops.push(sql`drop database ${sql.id(name)} with (force)`.execute(admin.kysely))
      },
    }
  })
  .extend("database", async ({ server }, { onCleanup }): Promise<TestDatabase> => {
    const name = `test_${randomUUID().replaceAll("-", "")}`
    const url = await server.createDatabase(name)
    const open = (role?: string) =>
      openDatabase({ url, max: 10, applicationName: role ?? "test owner", ...(role !== undefined && { role }) })
    const handles = [open(), open("belay_app"), open("belay_auth"), open("belay_ingest"), open("belay_worker")] as const
    const [owner, app, auth, ingest, worker] = handles
    const store = openSignalStore({ url, db: ingest.kysely, now: () => STORE_NOW })
    onCleanup(async () => {
      await store.close()
      await Promise.all(handles.map((handle) => handle.close()))
      server.dropDatabase(name)
    })
    return {
      url,
      owner: owner.kysely,
      app: app.kysely,
      auth: auth.kysely,
      ingest: ingest.kysely,
      worker: worker.kysely,
      store,
    }
  })
  .extend("db", ({ database }): Kysely<DB> => database.app)
