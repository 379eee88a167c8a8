import { createHash } from "node:crypto"
import type { DBAdapter } from "better-auth/types"

type Where = NonNullable<Parameters<DBAdapter["count"]>[0]["where"]>
type Operations = Omit<DBAdapter, "transaction">

/**
 * Keeps of each session's token only a SHA-256, so that whoever reads the database, or a backup of it, holds no
 * session. better-auth itself would store the token as it is. What is found by a token is handed out with that token.
 */
export function hashSessionTokens(adapter: DBAdapter): DBAdapter {
  return {
    ...hashed(adapter),
    transaction: (work) => adapter.transaction((inner) => work(hashed(inner))),
  }
}

function hashed<Wrapped extends Operations>(adapter: Wrapped): Wrapped {
  return {
    ...adapter,
    async create(args) {
      const token = args.model === "session" ? tokenOf(args.data) : null
      if (token === null) return adapter.create(args)
      return withToken(await adapter.create({ ...args, data: { ...args.data, token: hashToken(token) } }), token)
    },
    async findOne(args) {
      return withToken(await adapter.findOne(hashWhere(args)), tokenIn(args))
    },
    findMany: (args) => adapter.findMany(hashWhere(args)),
    count: (args) => adapter.count(hashWhere(args)),
    async update(args) {
      return withToken(await adapter.update(hashWhere(args)), tokenIn(args))
    },
    updateMany: (args) => adapter.updateMany(hashWhere(args)),
    delete: (args) => adapter.delete(hashWhere(args)),
    deleteMany: (args) => adapter.deleteMany(hashWhere(args)),
  }
}

export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("base64url")
}

function hashWhere<Args extends { model: string; where?: Where | undefined }>(args: Args): Args {
  return args.model === "session" && args.where !== undefined ? { ...args, where: args.where.map(hashCondition) } : args
}

function hashCondition(condition: Where[number]): Where[number] {
  const { field, value } = condition
  if (field !== "token") return condition
  if (typeof value === "string") return { ...condition, value: hashToken(value) }
  return Array.isArray(value) ? { ...condition, value: value.map((token) => hashToken(String(token))) } : condition
}

function tokenIn(args: { model: string; where: Where }): string | null {
  const value = args.model === "session" ? args.where.find((condition) => condition.field === "token")?.value : null
  return typeof value === "string" ? value : null
}

function tokenOf(data: object): string | null {
  return "token" in data && typeof data.token === "string" ? data.token : null
}

function withToken<Row>(row: Row, token: string | null): Row {
  return token !== null && typeof row === "object" && row !== null ? { ...row, token } : row
}
