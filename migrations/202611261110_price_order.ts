import { type Kysely, sql } from "kysely"

/** Two changes of a price in one millisecond have an order too. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table model_price add column sequence bigint generated always as identity`.execute(db)
}
