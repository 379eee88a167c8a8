/** What kind of file a path is: all that Belay keeps of a path. */

export const FILE_KINDS = ["source", "test", "docs", "generated", "lock_file"] as const
export type FileKind = (typeof FILE_KINDS)[number]

const LOCK_FILES =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|cargo\.lock|go\.sum|poetry\.lock|uv\.lock|pipfile\.lock|gemfile\.lock|composer\.lock|mix\.lock|podfile\.lock|packages\.lock\.json|flake\.lock|gradle\.lockfile|deno\.lock)$/
const GENERATED =
  /(^|\/)(dist|build|out|vendor|node_modules|generated|__generated__|gen)\/|\.(min\.(js|css)|map|snap|pb\.go|g\.dart)$|[._](generated|gen)\.[a-z]+$|_pb2(_grpc)?\.py$/
const TESTS =
  /(^|\/)(tests?|specs?|__tests__|e2e|testdata|fixtures)\/|[._-](test|spec)\.[a-z]+$|(^|\/)test_[^/]+\.py$|_test\.(go|py|rb|exs)$/
const DOCS = /(^|\/)docs?\/|\.(md|mdx|rst|adoc|txt)$|(^|\/)(readme|changelog|license|licence|notice)[^/]*$/

export function fileKindOf(path: string): FileKind {
  const name = path.toLowerCase()
  if (LOCK_FILES.test(name)) return "lock_file"
  if (GENERATED.test(name)) return "generated"
  if (TESTS.test(name)) return "test"
  return DOCS.test(name) ? "docs" : "source"
}
