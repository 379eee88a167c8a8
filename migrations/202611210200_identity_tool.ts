import { type Kysely, sql } from "kysely"

/** Which tool first sent an identity, so that people recognize their own without a search through all signals. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}

const STATEMENTS = [
  `alter table developer_identity add column first_agent_tool text check (char_length(first_agent_tool) <= 80)`,
  `comment on column developer_identity.first_agent_tool is 'the tool that sent it first; null for one that was added by hand'`,
]
