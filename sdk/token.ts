import { RUNGS, type Rung } from "./ladder.ts"
import { toId } from "./names.ts"

/** What a token stands for: an operation that another process may say more of, days later. */
export interface OperationRef {
  readonly rung: Rung
  readonly operationId: string
  readonly sessionId: string | undefined
}

/** The trailer of a commit that says, with a token, whose work it is. */
export const OPERATION_TRAILER = "Belay-Operation"

const VERSION = "blo1"
const PART = /^[A-Za-z0-9_.:#-]{1,64}$/

/**
 * A text that stands for an operation and may be kept anywhere: a commit's trailer, a pull request, a job's variable. It
 * holds random ids and the rung, is no secret, and needs no escaping in a URL but for what ids of the host's may hold.
 */
export function toToken({ rung, operationId, sessionId }: OperationRef): string {
  const session = sessionId === undefined ? "" : `~${toId(sessionId)}`
  return `${VERSION}~${RUNGS.indexOf(rung)}~${operationId}${session}`
}

/** The trailer for the message of a commit with the work of the token's operation: `Belay-Operation: blo1~…`. */
export function toTrailer(token: string): string {
  return `${OPERATION_TRAILER}: ${token}`
}

/** Undefined for what is no token. */
export function parseToken(token: unknown): OperationRef | undefined {
  if (typeof token !== "string" || token.length > 256) return undefined
  const [version, rungIndex, operationId = "", sessionId, ...rest] = token.trim().split("~")
  const rung = RUNGS[Number(rungIndex)]
  const isWhole = version === VERSION && PART.test(operationId) && rest.length === 0
  if (!isWhole || rung === undefined || (sessionId !== undefined && !PART.test(sessionId))) return undefined
  return { rung, operationId, sessionId }
}
