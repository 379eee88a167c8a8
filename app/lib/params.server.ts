import { data } from "@remix-run/node"
import { z } from "zod"

/** An id from the address; what is none is answered like one that does not exist. */
export function parseId(value: string | undefined): string {
  const parsed = z.uuid().safeParse(value)
  if (!parsed.success) throw data("No such thing", { status: 404 })
  return parsed.data.toLowerCase()
}
