import { toDownload } from "#server/policy/native-files.ts"
import { guard } from "../../lib/guard.server.ts"
import { loadNative } from "./native.server.ts"

/** One of the files of an agent tool, to be saved. */
export const loader = guard("policy.manage", async ({ viewer, request, context }) => {
  const { files } = await loadNative({ viewer, request, context })
  const name = new URL(request.url).searchParams.get("file") ?? ""
  const download = files === null ? null : toDownload(files, name)
  if (download === null) throw new Response("There is no such file. Choose one on the page.", { status: 404 })
  return new Response(download.body, { headers: download.headers })
})
