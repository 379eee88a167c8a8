import { parse } from "csv-parse/sync"
import { type Kysely, sql } from "kysely"
import { z } from "zod"
import type { AuditActor } from "../audit/commands.ts"
import { asTenant, type TenantTx } from "../db/tenant.ts"
import type { AccountRole, DB } from "../db/types.ts"
import { addPerson, changeRole, moveToTeam, ROLES, selectPeople } from "./people.ts"
import { getToday } from "./queries.ts"
import { createTeam } from "./teams.ts"

const ROWS_MAX = 5000

/** What one line asks for and what it would change. */
export interface PlannedRow {
  /** Of the file, the header being line 1. */
  readonly line: number
  readonly email: string
  readonly name: string
  readonly role: AccountRole
  /** `Platform` or `Platform / Core`; null leaves the person where they are. */
  readonly team: string | null
  readonly effect: "add" | "change" | "nothing" | "error"
  /** What would happen, or what is wrong. */
  readonly changes: readonly string[]
}

export interface Plan {
  readonly rows: readonly PlannedRow[]
  readonly newTeams: readonly string[]
  /** What is wrong with the file as a whole. */
  readonly error: string | null
}

const rowSchema = z.object({
  email: z.email("is no e-mail address").max(254),
  name: z.string().max(80, "is longer than 80 characters").default(""),
  role: z
    .string()
    .transform((role) => role.toLowerCase() || null)
    .pipe(z.enum(ROLES, `is none of ${ROLES.join(", ")}`).nullable())
    .default(null),
  team: z.string().max(121, "is longer than 120 characters").default(""),
})

/**
 * Reads a CSV of people, `email,name,role,team`, and says for each line what importing it would change. Nothing is
 * changed. A team may be a path of two levels, `Platform / Core`; teams that are missing would be made.
 */
export async function planImport(tx: TenantTx, csv: string, today: string): Promise<Plan> {
  const records = readRecords(csv)
  if (typeof records === "string") return { rows: [], newTeams: [], error: records }
  const existing = await selectPeople(tx, today)
    .leftJoin("team as p", "p.id", "t.parent_team_id")
    .select(["a.id", "a.email", "a.name", "a.role"])
    .select(sql<string | null>`concat_ws(' / ', p.name, t.name)`.as("team"))
    .execute()
  const people = new Map(existing.map((person) => [person.email, person]))
  const teams = await listPaths(tx)
  const newTeams = new Set<string>()
  const seen = new Set<string>()
  const rows = records.map((record, index): PlannedRow => {
    const line = index + 2
    const parsed = rowSchema.safeParse(record)
    if (!parsed.success) {
      const changes = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`)
      return { ...blank(record), line, effect: "error", changes }
    }
    const email = parsed.data.email.toLowerCase()
    const { name } = parsed.data
    const known = people.get(email)
    const role = parsed.data.role ?? known?.role ?? "developer"
    const path = parsed.data.team.split("/").map((part) => part.trim())
    const team = parsed.data.team.trim() === "" ? null : path.join(" / ")
    const wrong = [
      ...(seen.has(email) ? ["is in the file twice"] : []),
      ...(role === "owner" && known?.role !== "owner" ? ["owners are made by hand, on the person's page"] : []),
      ...(known?.role === "owner" && role !== "owner" ? ["is an owner, which an import does not change"] : []),
      ...(team !== null ? wrongPath(path, [...teams.keys(), ...newTeams]) : []),
    ]
    seen.add(email)
    const row = { line, email, name: name || (known?.name ?? ""), role, team }
    if (wrong.length > 0) return { ...row, effect: "error", changes: wrong }
    const changes = [
      ...(known === undefined ? [`new, as ${role}`] : []),
      ...(known !== undefined && known.role !== role ? [`role ${known.role} → ${role}`] : []),
      ...(known !== undefined && name !== "" && known.name !== name ? [`name ${known.name || "none"} → ${name}`] : []),
      ...(team !== null && (known?.team || null) !== team ? [`team ${known?.team || "none"} → ${team}`] : []),
    ]
    if (team !== null) for (const missing of missingTeams(path, teams)) newTeams.add(missing)
    return { ...row, changes, effect: known === undefined ? "add" : changes.length > 0 ? "change" : "nothing" }
  })
  return { rows, newTeams: [...newTeams].toSorted((a, b) => a.localeCompare(b)), error: null }
}

export type Imported =
  | { readonly ok: true; readonly added: number; readonly changed: number; readonly roleChanged: readonly string[] }
  | { readonly ok: false; readonly plan: Plan }

/**
 * Does what planImport says, all of it or, when a line is wrong, nothing. `roleChanged` are the users whose sessions
 * the caller ends.
 */
export async function importPeople(
  db: Kysely<DB>,
  args: { csv: string; byRole: AccountRole; by: AuditActor },
): Promise<Imported> {
  try {
    return await asTenant(db, args.by.orgId, async (tx) => {
      const today = await getToday(tx, args.by.occurredAt)
      const plan = await planImport(tx, args.csv, today)
      const isWrong = plan.error !== null || plan.rows.some((row) => row.effect === "error")
      return isWrong ? { ok: false, plan } : applyPlan(tx, plan, { ...args, today })
    })
  } catch (error) {
    // Thrown so that the lines before it are rolled back.
    if (error instanceof TakenElsewhere) return { ok: false, plan: error.plan }
    throw error
  }
}

/** An address is another organization's, which nobody here can see. */
class TakenElsewhere extends Error {
  readonly plan: Plan

  constructor(plan: Plan, line: number) {
    super("taken elsewhere")
    const wrong = { effect: "error" as const, changes: ["belongs to another organization of this Belay"] }
    this.plan = { ...plan, rows: plan.rows.map((row) => (row.line === line ? { ...row, ...wrong } : row)) }
  }
}

async function applyPlan(
  tx: TenantTx,
  plan: Plan,
  args: { today: string; byRole: AccountRole; by: AuditActor },
): Promise<Imported> {
  const { today, byRole, by } = args
  for (const path of plan.newTeams) {
    const [top = "", part] = path.split(" / ")
    const parentId = part === undefined ? null : ((await listPaths(tx)).get(top) ?? null)
    await createTeam(tx, { name: part ?? top, parentId, by })
  }
  const teams = await listPaths(tx)
  const roleChanged: string[] = []
  for (const row of plan.rows.filter((candidate) => candidate.effect !== "nothing")) {
    const known = await tx
      .selectFrom("account")
      .select(["id", "user_id"])
      .where("email", "=", row.email)
      .executeTakeFirst()
    const added = known ?? (await addPerson(tx, { email: row.email, name: row.name, role: row.role, by }))
    if (!("id" in added)) throw new TakenElsewhere(plan, row.line)
    if (known !== undefined) {
      await tx.updateTable("account").set({ name: row.name }).where("id", "=", known.id).execute()
      const changed = await changeRole(tx, { id: known.id, role: row.role, byRole, by })
      if (changed.ok && changed.isChanged && known.user_id !== null) roleChanged.push(known.user_id)
    }
    if (row.team !== null) {
      const teamId = teams.get(row.team) ?? null
      await moveToTeam(tx, { accountId: added.id, teamId, fromDay: today, by })
    }
  }
  const count = (effect: string) => plan.rows.filter((row) => row.effect === effect).length
  return { ok: true, added: count("add"), changed: count("change"), roleChanged }
}

function readRecords(csv: string): Record<string, string>[] | string {
  let records: unknown
  try {
    records = parse(csv, {
      bom: true,
      columns: (header: string[]) => header.map((name) => name.trim().toLowerCase()),
      delimiter: [",", ";", "\t"],
      skip_empty_lines: true,
      trim: true,
    })
  } catch (error) {
    return `This is no CSV that could be read: ${error instanceof Error ? error.message : String(error)}`
  }
  const parsed = z.array(z.record(z.string(), z.string())).safeParse(records)
  if (!parsed.success || parsed.data.length === 0) return "There is no line below the header."
  if (parsed.data[0]?.["email"] === undefined) return "The first line has to name the columns; email is not among them."
  if (parsed.data.length > ROWS_MAX) return `More than ${ROWS_MAX} lines; import them in parts.`
  return parsed.data
}

/** The id of every team by its path. */
async function listPaths(tx: TenantTx): Promise<Map<string, string>> {
  const rows = await tx
    .selectFrom("team as t")
    .leftJoin("team as p", "p.id", "t.parent_team_id")
    .select("t.id")
    .select(sql<string>`concat_ws(' / ', p.name, t.name)`.as("path"))
    .execute()
  return new Map(rows.map((row) => [row.path, row.id]))
}

function wrongPath(path: readonly string[], known: readonly string[]): string[] {
  if (path.length > 2) return ["team has more than two levels"]
  if (path.some((part) => part === "")) return ["team has a level without a name"]
  if (known.includes(path.join(" / "))) return []
  // Names are unique in the organization, wherever in the tree they stand.
  const name = path.at(-1) ?? ""
  const elsewhere = known.find((candidate) => candidate.split(" / ").at(-1) === name)
  return elsewhere === undefined ? [] : [`team ${name} exists already, as ${elsewhere}`]
}

function missingTeams(path: readonly string[], teams: ReadonlyMap<string, string>): string[] {
  return path.map((_, index) => path.slice(0, index + 1).join(" / ")).filter((prefix) => !teams.has(prefix))
}

function blank(record: Record<string, string>) {
  return {
    email: record["email"] ?? "",
    name: record["name"] ?? "",
    role: "developer" as const,
    team: record["team"] || null,
  }
}
