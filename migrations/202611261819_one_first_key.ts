import { type Kysely, sql } from "kysely"

/**
 * Two clients that asked at once could each have a first signing key made, until that was locked. The one that signs stays:
 * every client since believes it. The other is in nobody's bundles, and cannot come about again. Safe to run twice.
 */
export async function up<Schema>(db: Kysely<Schema>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `update policy_signing_key k set retired_at = now()
   where k.retired_at is null and k.signs_from = k.made_at and exists (
     select from policy_signing_key o
     where o.org_id = k.org_id and o.retired_at is null and o.signs_from = o.made_at
       and (o.signs_from, o.id) > (k.signs_from, k.id)
   )`,
  `create unique index if not exists policy_signing_key_first on policy_signing_key (org_id)
   where retired_at is null and signs_from = made_at`,
]
