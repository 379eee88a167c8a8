import { NATIVE_TOOLS } from "#sdk/policy/native/compile-native.ts"
import type { AppContext } from "#server/context.ts"
import { asTenant } from "#server/db/tenant.ts"
import { bundleOf, readPolicies } from "#server/policy/bundles.ts"
import {
  type NativeFiles,
  NATIVE_PATH,
  type NativeRequest,
  parseNativeRequest,
  toNativeFiles,
} from "#server/policy/native-files.ts"

/** The organization's policy in the form of the tool that the URL names, or of the first; null while there is none. */
export async function loadNative({
  viewer,
  request,
  context,
}: {
  viewer: { readonly orgId: string }
  request: Request
  context: AppContext
}): Promise<{ readonly asked: NativeRequest; readonly files: NativeFiles | null }> {
  const { searchParams } = new URL(request.url)
  const toRequest = (tool: string) => parseNativeRequest(`${NATIVE_PATH}${encodeURIComponent(tool)}?${searchParams}`)
  const asked = toRequest(searchParams.get("tool") ?? "") ?? toRequest(NATIVE_TOOLS[0])
  if (asked === null) throw new Error("The first of the tools is known")
  const now = context.now()
  const bundle = await asTenant(context.db, viewer.orgId, async (tx) => bundleOf(await readPolicies(tx, now), null))
  return { asked, files: bundle === null ? null : toNativeFiles(asked, bundle, now) }
}
