import { open } from "../../lib/guard.server.ts"
import { answerAnalytics, problem } from "./answer.server.ts"

/** `GET /api/v1/…`: the figures of the pages for programs, which show a key instead of a session. */
export const loader = open(async (args) => answerAnalytics(args))

/** There is nothing to change. */
export const action = open(async ({ context }) =>
  problem(context, 405, "method", "These addresses are for reading: ask with GET.", { allow: "GET, HEAD" }),
)
