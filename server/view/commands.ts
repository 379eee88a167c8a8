import { sql } from "kysely"
import { type AuditActor, recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { toViewPath } from "./view-path.ts"

/** Of one person. */
const VIEWS_MAX = 50

export type ViewChanged =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: "not_a_view" | "name_taken" | "too_many" | "not_found" }

/** Keeps a path under a name that is new among the person's own. `path` is untrusted. */
export async function saveView(
  tx: TenantTx,
  args: { accountId: string; name: string; path: string; isShared: boolean; by: AuditActor },
): Promise<ViewChanged> {
  const { accountId, name, isShared, by } = args
  const path = toViewPath(args.path)
  if (path === null) return { ok: false, reason: "not_a_view" }
  // One at a time of a person, or two of them would both find room.
  await tx.selectFrom("account").select("id").where("id", "=", accountId).forUpdate().executeTakeFirst()
  const own = await tx
    .selectFrom("saved_view")
    .select(sql<number>`count(*)::int`.as("count"))
    .where("account_id", "=", accountId)
    .executeTakeFirstOrThrow()
  if (own.count >= VIEWS_MAX) return { ok: false, reason: "too_many" }
  if (await isTaken(tx, { accountId, name, exceptId: null })) return { ok: false, reason: "name_taken" }
  const row = await tx
    .insertInto("saved_view")
    .values({ org_id: by.orgId, account_id: accountId, name, path, is_shared: isShared, saved_at: by.occurredAt })
    .returning("id")
    .executeTakeFirstOrThrow()
  if (isShared) await recordAudit(tx, { ...by, action: "view.share", ...target(row.id), after: { name, path } })
  return { ok: true, id: row.id }
}

/** Renames one of the person's own, and shares it or stops to. What others could see before or can see now is audited. */
export async function changeView(
  tx: TenantTx,
  args: { id: string; accountId: string; name: string; isShared: boolean; by: AuditActor },
): Promise<ViewChanged> {
  const { id, accountId, name, isShared, by } = args
  const before = await tx
    .selectFrom("saved_view")
    .select(["name", "path", "is_shared as isShared"])
    .where("id", "=", id)
    .where("account_id", "=", accountId)
    .forUpdate()
    .executeTakeFirst()
  if (before === undefined) return { ok: false, reason: "not_found" }
  if (await isTaken(tx, { accountId, name, exceptId: id })) return { ok: false, reason: "name_taken" }
  await tx.updateTable("saved_view").set({ name, is_shared: isShared }).where("id", "=", id).execute()
  const action =
    isShared === before.isShared
      ? isShared && name !== before.name && "view.rename"
      : isShared
        ? "view.share"
        : "view.unshare"
  if (action !== false) {
    const { path } = before
    await recordAudit(tx, { ...by, action, ...target(id), before: { name: before.name, path }, after: { name, path } })
  }
  return { ok: true, id }
}

/** Deletes one of the person's own, or with `mayDeleteShared` one that anybody shares. */
export async function deleteView(
  tx: TenantTx,
  args: { id: string; accountId: string; mayDeleteShared: boolean; by: AuditActor },
): Promise<ViewChanged> {
  const { id, accountId, mayDeleteShared, by } = args
  const deleted = await tx
    .deleteFrom("saved_view")
    .where("id", "=", id)
    .where((eb) => eb.or([eb("account_id", "=", accountId), ...(mayDeleteShared ? [eb("is_shared", "=", true)] : [])]))
    .returning(["name", "path", "is_shared as isShared"])
    .executeTakeFirst()
  if (deleted === undefined) return { ok: false, reason: "not_found" }
  const { name, path, isShared } = deleted
  if (isShared) await recordAudit(tx, { ...by, action: "view.delete", ...target(id), before: { name, path } })
  return { ok: true, id }
}

async function isTaken(tx: TenantTx, args: { accountId: string; name: string; exceptId: string | null }) {
  const found = await tx
    .selectFrom("saved_view")
    .select("id")
    .where("account_id", "=", args.accountId)
    .where(sql<boolean>`lower(name) = lower(${args.name})`)
    .$if(args.exceptId !== null, (query) => query.where("id", "<>", args.exceptId ?? ""))
    .executeTakeFirst()
  return found !== undefined
}

function target(id: string) {
  return { targetKind: "saved_view", targetId: id }
}
