/** The pages whose filters can be kept. */
const VIEW_PAGES = ["/", "/usage", "/latency", "/outcomes", "/incidents"] as const

const LENGTH_MAX = 1000
/** Not what was chosen, but how far somebody had come. */
const DROPPED = ["before", "index"]

/** A path of these pages with its filters, from untrusted input; null when it is anything else. */
export function toViewPath(given: string): string | null {
  // A browser takes a backslash for a slash, and two of them for another host.
  if (!/^\/(?![/\\])/.test(given) || given.length > LENGTH_MAX || !URL.canParse(given, "http://belay.invalid"))
    return null
  const { pathname, searchParams, host } = new URL(given, "http://belay.invalid")
  if (host !== "belay.invalid" || !VIEW_PAGES.some((page) => page === pathname)) return null
  for (const name of DROPPED) searchParams.delete(name)
  const path = searchParams.size === 0 ? pathname : `${pathname}?${searchParams}`
  return path.length > LENGTH_MAX ? null : path
}
