import type { TenantTx } from "../db/tenant.ts"
import { recordChangeEvents } from "./changes.ts"
import type { ChangeEvent, Provider } from "./events.ts"

/**
 * Keeps a delivery and what it says, in one transaction. One that came before is counted and says nothing new.
 */
export async function recordDelivery(
  tx: TenantTx,
  delivery: {
    readonly orgId: string
    readonly endpointId: string
    readonly provider: Provider
    readonly deliveryId: string
    readonly event: string
    readonly events: readonly ChangeEvent[]
    readonly now: Date
  },
): Promise<void> {
  const { orgId, endpointId, deliveryId, event, events, now } = delivery
  await tx
    .insertInto("webhook_delivery")
    .values({
      org_id: orgId,
      endpoint_id: endpointId,
      delivery_id: deliveryId,
      event,
      received_at: now,
      events: events.length,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["org_id", "endpoint_id", "delivery_id"])
        .doUpdateSet((eb) => ({ times: eb("webhook_delivery.times", "+", 1) })),
    )
    .execute()
  // Also of a delivery that is known by its name: a name is not signed, and may be on something else.
  await recordChangeEvents(tx, delivery)
}
