import { send, type Sent } from "../send.ts"
import { openSpool, type DrainResult } from "../spool.ts"
import { type Host, readSettings, type Settings, spoolFolder } from "./home.ts"
import { type Flushed, readFlushed, writeFlushed } from "./state.ts"

const TIMEOUT_MS = 10_000

export interface FlushOutcome extends DrainResult {
  /** Why what is left is left, or what was refused was refused; null when all went well. */
  readonly error: string | null
}

/** Where logs go, with what headers; null without an endpoint. Throws for one that is no URL. */
export function targetOf(settings: Settings) {
  if (settings.endpoint === undefined) return null
  return {
    url: `${new URL(settings.endpoint).href.replace(/\/$/, "")}/v1/logs`,
    headers: settings.key === undefined ? {} : { authorization: `Bearer ${settings.key}` },
    timeoutMs: TIMEOUT_MS,
  }
}

/** Sends what hooks have kept, and notes how it went. Rejects only when the note cannot be written. */
export async function flush(host: Host): Promise<FlushOutcome> {
  const folder = spoolFolder(host)
  const before = readFlushed(folder)
  const outcome = await drain(host)
  const flushed: Flushed = {
    at: host.now(),
    sentAt: outcome.sent > 0 ? host.now() : before.sentAt,
    sent: before.sent + outcome.sent,
    refused: before.refused + outcome.refused,
    error: outcome.error,
  }
  writeFlushed(folder, flushed)
  return outcome
}

async function drain(host: Host): Promise<FlushOutcome> {
  const spool = openSpool({ folder: spoolFolder(host), now: host.now })
  let target: ReturnType<typeof targetOf>
  try {
    target = targetOf(readSettings(host))
  } catch {
    return { sent: 0, refused: 0, isMoreLeft: true, error: "the endpoint is not a URL" }
  }
  if (target === null) return { sent: 0, refused: 0, isMoreLeft: spool.status().entries > 0, error: "no endpoint" }
  const { url, headers, timeoutMs } = target
  let error: string | null = null
  const result = await spool.drain(async (entry) => {
    const sent: Sent = await send({ url, headers, timeoutMs }, entry, host.now)
    if (sent.result !== "sent") error = sent.reason
    else if (sent.rejected > 0) error = `${sent.rejected} signals rejected`
    return sent.result
  })
  return { ...result, error }
}
