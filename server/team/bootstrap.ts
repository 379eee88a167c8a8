import { randomBytes } from "node:crypto"
import { type Kysely, sql } from "kysely"
import type { AccountRole, DB } from "../db/types.ts"
import { generateIngestKey, hashIngestKey, prefixOf } from "./ingest-keys.ts"
import { hashPassword } from "../sign-in/passwords.ts"
import { ensureDeveloper } from "./developers.ts"

export interface FirstStart {
  readonly orgId: string
  readonly adminEmail: string
  /** Known only to the start that created the account; null afterwards. */
  readonly adminPassword: string | null
  /** Known only to the start that created the key; null afterwards. */
  readonly ingestKey: string | null
}

/**
 * Makes sure that there is an organization with a first admin and an ingest key. Two processes starting together make
 * one. Takes the owner's database, because nobody else may create organizations.
 *
 * A given password or key is only used when the account or key is created.
 */
export function ensureOrganization(
  db: Kysely<DB>,
  args: {
    name: string
    isDemo: boolean
    adminEmail: string
    adminPassword?: string | undefined
    ingestKey?: string | undefined
  },
): Promise<FirstStart> {
  return db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtext('belay_first_start'))`.execute(tx)
    const existing = await tx.selectFrom("org").select("id").where("is_demo", "=", args.isDemo).executeTakeFirst()
    const orgId = existing?.id ?? (await createOrganization(tx, args))

    const admin = await tx
      .selectFrom("account")
      .select("email")
      .where("org_id", "=", orgId)
      .where("role", "in", ["owner", "admin"])
      .orderBy("created_at")
      .executeTakeFirst()
    const adminPassword = admin === undefined ? (args.adminPassword ?? randomBytes(12).toString("base64url")) : null
    if (adminPassword !== null) {
      await createAccount(tx, { orgId, email: args.adminEmail, role: "owner", password: adminPassword })
    }

    await linkDevelopers(tx, orgId)

    const keys = await tx.selectFrom("ingest_key").select("key_hash").where("org_id", "=", orgId).execute()
    const given = args.ingestKey
    const isGivenNew = given !== undefined && !keys.some((row) => row.key_hash.equals(hashIngestKey(given)))
    const created = isGivenNew ? given : keys.length === 0 ? generateIngestKey() : null
    if (created !== null) {
      await tx
        .insertInto("ingest_key")
        .values({ org_id: orgId, name: "First key", prefix: prefixOf(created), key_hash: hashIngestKey(created) })
        .execute()
    }
    return { orgId, adminEmail: admin?.email ?? args.adminEmail, adminPassword, ingestKey: created ?? given ?? null }
  })
}

/** An organization with the developer who stands for everyone whom no source names. */
export async function createOrganization(db: Kysely<DB>, args: { name: string; isDemo: boolean }): Promise<string> {
  const org = await db
    .insertInto("org")
    .values({ name: args.name, is_demo: args.isDemo, pseudonym_key: randomBytes(32) })
    .returning("id")
    .executeTakeFirstOrThrow()
  await db
    .insertInto("developer")
    .values({ org_id: org.id, pseudonym: "unattributed", is_unattributed: true })
    .execute()
  return org.id
}

/** Accounts of before people were linked with their telemetry. */
async function linkDevelopers(db: Kysely<DB>, orgId: string): Promise<void> {
  const rows = await db
    .selectFrom("account")
    .select(["id", "email"])
    .where("org_id", "=", orgId)
    .where("developer_id", "is", null)
    .execute()
  for (const { id, email } of rows) {
    const developerId = await ensureDeveloper(db, { orgId, email })
    await db.updateTable("account").set({ developer_id: developerId }).where("id", "=", id).execute()
  }
}

/** A person who can sign in. Takes the owner's database; returns the account's and the user's id. */
export async function createAccount(
  db: Kysely<DB>,
  args: { orgId: string; email: string; role: AccountRole; password: string; name?: string },
): Promise<{ accountId: string; userId: string }> {
  const { orgId, role, name = "" } = args
  const email = args.email.toLowerCase()
  const user = await db
    .insertInto("auth_user")
    .values({ email, name, email_verified: true })
    .returning("id")
    .executeTakeFirstOrThrow()
  await db
    .insertInto("auth_credential")
    .values({
      user_id: user.id,
      provider_id: "credential",
      account_id: user.id,
      password: await hashPassword(args.password),
    })
    .execute()
  const developerId = await ensureDeveloper(db, { orgId, email })
  const account = await db
    .insertInto("account")
    .values({ org_id: orgId, email, name, role, user_id: user.id, developer_id: developerId })
    .returning("id")
    .executeTakeFirstOrThrow()
  return { accountId: account.id, userId: user.id }
}
