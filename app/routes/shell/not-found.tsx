import type { LoaderFunctionArgs } from "@remix-run/node"
import { data } from "@remix-run/node"
import { requireViewer } from "../../lib/viewer.server.ts"

export async function loader({ request, context }: LoaderFunctionArgs) {
  await requireViewer(request, context)
  throw data("No such page", { status: 404 })
}

export default function NotFound() {
  return null
}
