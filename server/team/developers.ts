import { type Kysely, sql } from "kysely"
import type { DB } from "../db/types.ts"
import { identityHash, pseudonymOf } from "./pseudonyms.ts"

/**
 * The developer that telemetry of an e-mail address is counted under, made when there is none yet. Of identities that
 * were merged it is the person they turned out to be.
 */
export async function ensureDeveloper(tx: Kysely<DB>, args: { orgId: string; email: string }): Promise<string> {
  const { orgId } = args
  const org = await tx.selectFrom("org").select("pseudonym_key").where("id", "=", orgId).executeTakeFirstOrThrow()
  const hashed = identityHash(org.pseudonym_key, { kind: "email", value: args.email })
  const known = await findDeveloper(tx, orgId, hashed)
  if (known !== null) return known
  const pseudonym = pseudonymOf(hashed)
  await tx
    .insertInto("developer")
    .values({ org_id: orgId, pseudonym })
    .onConflict((conflict) => conflict.columns(["org_id", "pseudonym"]).doNothing())
    .execute()
  await tx
    .insertInto("developer_identity")
    .columns(["org_id", "identity_hash", "kind", "developer_id"])
    .expression((eb) =>
      eb
        .selectFrom("developer")
        .select((row) => [row.val(orgId).as("org_id"), row.val(Buffer.from(hashed, "hex")).as("hash")])
        .select([sql.lit("email").as("kind"), "id"])
        .where("org_id", "=", orgId)
        .where("pseudonym", "=", pseudonym),
    )
    .onConflict((conflict) => conflict.columns(["org_id", "identity_hash"]).doNothing())
    .execute()
  const made = await findDeveloper(tx, orgId, hashed)
  if (made === null) throw new Error("The developer that was just made is not there.")
  return made
}

async function findDeveloper(tx: Kysely<DB>, orgId: string, hashed: string): Promise<string | null> {
  const row = await tx
    .selectFrom("developer_identity as i")
    .innerJoin("developer as d", "d.id", "i.developer_id")
    .select((eb) => eb.fn.coalesce("d.merged_into_id", "d.id").as("id"))
    .where("i.org_id", "=", orgId)
    .where("i.identity_hash", "=", Buffer.from(hashed, "hex"))
    .executeTakeFirst()
  return row?.id ?? null
}
