import { data } from "@remix-run/node"
import { guard } from "../../lib/guard.server.ts"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const loader = guard("signed_in", async () => {
  throw data("No such page", { status: 404 })
})

export default function NotFound() {
  return null
}
