import { OPERATION_TRAILER, parseToken, toToken } from "./token.ts"

/** What Belay reads of a commit's message; all else of it stays where it is. */

const TRAILER = new RegExp(`^[ \\t]*${OPERATION_TRAILER}:[ \\t]*(\\S{1,256})[ \\t]*$`, "gim")
const REVERTED_COMMIT = /\bThis reverts commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b/gi
const SAID_MAX = 100

/** Tokens of operations in a message's trailers. A squash puts those of all its commits into one message. */
export function operationsIn(message: string): string[] {
  const found = new Set<string>()
  for (const [, token] of message.matchAll(TRAILER)) {
    const operation = parseToken(token)
    if (operation !== undefined) found.add(toToken(operation))
  }
  return [...found].slice(0, SAID_MAX)
}

/** Commits that a message says to take back, in the words that git and both hosts write. */
export function revertsIn(message: string): string[] {
  const found = [...message.matchAll(REVERTED_COMMIT)].map(([, commit = ""]) => commit.toLowerCase())
  return [...new Set(found)].slice(0, SAID_MAX)
}
