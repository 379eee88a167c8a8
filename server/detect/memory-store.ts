import { deserialize, serialize } from "node:v8"
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import type { Transaction } from "kysely"
import type { DB } from "../db/types.ts"

/** To be raised with every change of what the detector's memory is made of: an older one is not understood then. */
export const MEMORY_FORMAT = 7

/** Stores the memory part by part, so that no more than one of them is held in its stored form. */
export async function saveMemory(tx: Transaction<DB>, orgId: string, parts: Iterable<unknown>): Promise<void> {
  let count = 0
  for (const part of parts) {
    const data = zstdCompressSync(serialize(part), { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
    await tx
      .insertInto("detector_memory")
      .values({ org_id: orgId, part: count++, data })
      .onConflict((conflict) => conflict.columns(["org_id", "part"]).doUpdateSet({ data }))
      .execute()
    freeBuffers(count)
  }
  await tx.deleteFrom("detector_memory").where("org_id", "=", orgId).where("part", ">=", count).execute()
}

/** The parts in the order in which they were stored. */
export async function* readMemory(tx: Transaction<DB>, orgId: string): AsyncGenerator {
  for (let part = 0; ; part++) {
    const row = await tx
      .selectFrom("detector_memory")
      .select("data")
      .where("org_id", "=", orgId)
      .where("part", "=", part)
      .executeTakeFirst()
    if (row === undefined) return
    yield deserialize(zstdDecompressSync(row.data))
    freeBuffers(part)
  }
}

/**
 * Frees the buffers of some parts at a time, where Node was started so that it can be asked to: they are small objects
 * with a lot of memory outside of the heap, which does not make it look. Now and then what had become old as well.
 */
function freeBuffers(part: number): void {
  if (part % 96 === 95) globalThis.gc?.()
  else if (part % 16 === 15) globalThis.gc?.({ type: "minor" })
}
