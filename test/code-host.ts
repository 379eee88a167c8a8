import { createHmac, randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import path from "node:path"
import type { Provider } from "#server/outcomes/events.ts"

const FIXTURES = path.join(import.meta.dirname, "fixtures/webhooks")

/** A payload written after the provider's documentation: `github-push`. */
export async function readWebhook(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path.join(FIXTURES, `${name}.json`), "utf8")) as Record<string, unknown>
}

export interface Delivery {
  readonly id: string
  readonly event: string
  readonly payload: unknown
}

/** What a code host delivers: `event` as its header has it. */
export function delivery(event: string, payload: unknown): Delivery {
  return { id: randomUUID(), event, payload }
}

/** A code host as far as its webhooks go: it signs and posts, and answers how Belay answered. */
export function createCodeHost(provider: Provider, url: string, secret: string) {
  return {
    async deliver({ id, event, payload }: Delivery, signedWith = secret): Promise<number> {
      const body = JSON.stringify(payload)
      const headers: Record<string, string> =
        provider === "github"
          ? {
              "x-github-event": event,
              "x-github-delivery": id,
              "x-hub-signature-256": `sha256=${createHmac("sha256", signedWith).update(body).digest("hex")}`,
            }
          : { "x-gitlab-event": event, "idempotency-key": id, "x-gitlab-token": signedWith }
      const answer = await fetch(url, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
      })
      await answer.arrayBuffer()
      return answer.status
    },
  }
}
