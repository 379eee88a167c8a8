import { createContext, useContext } from "react"

/** What lets our own inline scripts run; another on every answer. Empty in the browser, which hides it from scripts. */
export const NonceContext = createContext("")

export function useNonce(): string {
  return useContext(NonceContext)
}
