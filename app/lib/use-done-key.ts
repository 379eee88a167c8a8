import { useState } from "react"

/**
 * A key for a form: another one each time an action is done, so that the form starts anew, and the same one when it was
 * refused, so that what was typed stays. Takes what the action answered.
 */
export function useDoneKey(result: object | undefined, isDone: boolean): number {
  const [seen, setSeen] = useState({ result, key: 0 })
  if (result === seen.result) return seen.key
  const key = isDone ? seen.key + 1 : seen.key
  setSeen({ result, key })
  return key
}
