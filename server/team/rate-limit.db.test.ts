import { expect } from "vitest"
import { test } from "../../test/db.ts"
import { NOW } from "../../test/factories.ts"
import { countAttempt, forgetAttempts } from "./rate-limit.ts"

const DAY_MS = 86_400_000

test("attempts are counted over all processes, without saying whose, and forgotten after a day", async ({
  database,
  db,
}) => {
  const limit = { bucket: "sign-in of ada@example.com", attemptsMax: 5, windowMs: 60_000 }
  const results = await Promise.all(Array.from({ length: 12 }, () => countAttempt(db, limit, NOW)))
  expect(results.filter((result) => result.ok)).toHaveLength(5)
  expect(results.filter((result) => !result.ok && result.isFirstRefused)).toHaveLength(1)
  const rows = () => database.owner.selectFrom("rate_limit").selectAll().execute()
  expect(JSON.stringify(await rows())).not.toContain("ada")
  await forgetAttempts(database.worker, new Date(NOW.getTime() + 2 * DAY_MS))
  expect(await rows()).toEqual([])
})
