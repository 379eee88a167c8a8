import { hash } from "node:crypto"
import type { PolicyBundle } from "#sdk/policy/document.ts"
import { compileNative, NATIVE_TOOLS, type NativePolicy, type NativeTool } from "#sdk/policy/native/compile-native.ts"

/** Where the files of an agent tool are, for whoever delivers them: `…/claude-code` or `…/claude-code/managed-settings.json`. */
export const NATIVE_PATH = "/v1/policy/native/"
/** A command line as long as anybody needs. */
const HOOK_MAX_LENGTH = 300

/** What is asked for by a path below `NATIVE_PATH` and its query. */
export interface NativeRequest {
  readonly tool: NativeTool
  /** One file as it is; null is all of them, with where they belong and what is lost. */
  readonly file: string | null
  /** The hook's command line; null leaves the hook out. */
  readonly hook: string | null
}

/** Null where no such tool is known. */
export function parseNativeRequest(url: string): NativeRequest | null {
  const { pathname, searchParams } = new URL(url, "http://belay")
  const [name, file, ...more] = pathname.slice(NATIVE_PATH.length).split("/")
  const tool = NATIVE_TOOLS.find((known) => known === name)
  if (tool === undefined || more.length > 0) return null
  const hook = searchParams.get("hook")?.trim().slice(0, HOOK_MAX_LENGTH) ?? ""
  return { tool, file: file === undefined || file === "" ? null : file, hook: hook === "" ? null : hook }
}

export interface NativeFiles extends NativePolicy {
  readonly tool: NativeTool
  /** Of the policy that they say. */
  readonly version: number
  /** Changes with what the files say, and with nothing else: dates of what has ended count, the time does not. */
  readonly etag: string
}

/** The files of the policy as of now. */
export function toNativeFiles({ tool, hook }: NativeRequest, bundle: PolicyBundle, now: Date): NativeFiles {
  const compiled = compileNative(tool, bundle, { nowMs: now.getTime(), ...(hook !== null && { belay: hook }) })
  const said = JSON.stringify([tool, bundle.version, compiled])
  return { tool, version: bundle.version, ...compiled, etag: `"${hash("sha256", said, "hex").slice(0, 32)}"` }
}

const CONTENT_TYPES = { json: "application/json", toml: "application/toml", starlark: "text/plain" } as const

/** One of the files as an answer's body and headers; null where the tool has no file of that name. */
export function toDownload(
  files: NativeFiles,
  name: string,
): { readonly body: string; readonly headers: Readonly<Record<string, string>> } | null {
  const file = files.files.find((of) => of.name === name)
  if (file === undefined) return null
  return {
    body: file.contents,
    headers: {
      "content-type": `${CONTENT_TYPES[file.format]}; charset=utf-8`,
      "content-disposition": `attachment; filename="${file.name}"`,
    },
  }
}
