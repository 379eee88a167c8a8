/** Paths as rules see them: resolved against the workspace, links followed, in every form that a pattern can name. */
import picomatch from "picomatch"
import type { PolicyContext } from "./action.ts"
import { createMemo } from "./memo.ts"
import { createTextIndex, type TextIndex, toTextKey } from "./text-index.ts"
import type { Effect } from "./vocabulary.ts"
import { ANY, ANY_NAME, isPartlyUnknown, MAYBE, mayBeSame, NO, type Verdict, YES } from "./wildcard.ts"

/** One path, in the forms that patterns are about. */
export interface PathProbe {
  /** Absolute, without `.` and `..`. */
  readonly absolute: string
  /** Relative to the workspace, "" for itself; null outside. */
  readonly inside: string | null
  /** Relative to the home folder; null outside, or where no home folder is known. */
  readonly inHome: string | null
  /** Whether a part of it is not known. */
  readonly isUnknown: boolean
  /** Whether the action is on all that lies beneath as well. */
  readonly isTree: boolean
}

/** A pattern for paths, ready to be tried. */
export interface PathPattern {
  matches(probe: PathProbe): Verdict
  /** What the pattern is about and how it is indexed. */
  readonly space: "everything" | "outside" | "inside" | "floating" | "absolute" | "home"
  /** The glob, from where its space begins. */
  readonly glob: string
}

const GLOB_SPECIAL = /[*?[\]{}()!+@\\]/
/** An absolute path in which no name is empty or begins with a dot. */
const PLAIN_PATH = /^(?:\/[^/.][^/]*)+$/
const DRIVE = /^[A-Za-z]:[\\/]/

/** A path as it is written, in the forms that can be told without looking at files. */
export interface WrittenPath {
  /** As it is written, and once more where it is in the workspace but for letters' case. */
  readonly probes: readonly [PathProbe, ...PathProbe[]]
  readonly workspace: string | undefined
  readonly home: string | undefined
}

/**
 * Reads a path that an action is on.
 *
 * `path` may have unknown parts; `~` is the home folder. `cwd` is what a relative path is relative to: absolute, the
 * workspace when undefined, and `ANY` where it is not known.
 */
export function toWrittenPath(
  path: string,
  folders: Pick<PolicyContext, "workspace" | "home">,
  cwd?: string,
  isTree = false,
): WrittenPath {
  const workspace = folders.workspace === undefined ? undefined : toFolder(folders.workspace)
  const home = folders.home === undefined ? undefined : toFolder(folders.home)
  const base = cwd === undefined ? (workspace ?? ANY) : cwd
  const absolute = toAbsolute(path, base, home)
  const written = toProbe(absolute, workspace, home, isTree)
  // Where no workspace is known, a relative path that does not climb is in it all the same.
  const first =
    workspace === undefined && cwd === undefined && absolute.startsWith(`${ANY}/`) && !climbs(path)
      ? { ...written, inside: absolute.slice(2) }
      : written
  // Where letters' case does not count this is in the workspace.
  const inside =
    workspace !== undefined && first.inside === null ? beneath(absolute.toLowerCase(), workspace.toLowerCase()) : null
  return { probes: inside === null ? [first] : [first, { ...first, inside }], workspace, home }
}

/**
 * The path with links followed, where it differs; null where it does not. Rules have to allow every form of a path, and
 * need to deny only one.
 */
export function followLinks(
  { probes: [first], workspace, home }: WrittenPath,
  resolveLinks: (path: string) => string | null,
): PathProbe | null {
  const { absolute, isTree } = first
  if (first.isUnknown || !isRooted(absolute)) return null
  const real = follow(absolute, resolveLinks)
  const realWorkspace = workspace === undefined ? undefined : (follow(workspace, resolveLinks) ?? workspace)
  if (real === absolute && realWorkspace === workspace) return null
  const followed = toProbe(real ?? ANY, realWorkspace, home, isTree)
  return followed.inside === null || followed.inside !== first.inside ? followed : null
}

const folders = createMemo<string, string>(20)

function toFolder(path: string): string {
  const known = folders.get(path)
  if (known !== undefined) return known
  const folder = normalize(forward(path))
  folders.set(path, folder)
  return folder
}

function follow(path: string, resolveLinks: (path: string) => string | null): string | null {
  try {
    const real = resolveLinks(path)
    return real === null ? null : normalize(forward(real))
  } catch {
    return null
  }
}

function toProbe(
  absolute: string,
  workspace: string | undefined,
  home: string | undefined,
  isTree: boolean,
): PathProbe {
  return {
    absolute,
    inside: workspace === undefined ? null : beneath(absolute, workspace),
    inHome: home === undefined ? null : beneath(absolute, home),
    isUnknown: isPartlyUnknown(absolute),
    isTree,
  }
}

/** `path` relative to `folder`; null when it is not beneath it. Case counts where it decides what is inside. */
function beneath(path: string, folder: string): string | null {
  if (path === folder) return ""
  const head = folder.endsWith("/") ? folder : `${folder}/`
  return path.startsWith(head) ? path.slice(head.length) : null
}

function toAbsolute(path: string, base: string, home: string | undefined): string {
  const forwarded = DRIVE.test(path) || DRIVE.test(base) ? forward(path) : path.normalize("NFC")
  if (forwarded === "~" || forwarded.startsWith("~/")) return normalize((home ?? ANY) + forwarded.slice(1))
  if (forwarded.startsWith("~")) return normalize(`${ANY}/${forwarded.slice(1)}`)
  if (isRooted(forwarded) || forwarded.startsWith(ANY)) return viaProcess(normalize(forwarded), base)
  return normalize(`${base}/${forwarded}`)
}

/** Linux gives every process its own root and folder under /proc, which is another way to write any path. */
function viaProcess(path: string, base: string): string {
  const [, kind, rest = ""] = /^\/proc\/[^/]+\/(root|cwd)(\/.*)?$/.exec(path) ?? []
  if (kind === undefined) return path
  return normalize(kind === "root" ? rest || "/" : base + rest)
}

/** Whether a relative path leads out of where it begins, at its end or on the way. */
function climbs(path: string): boolean {
  let depth = 0
  for (const segment of path.split("/")) {
    if (segment === "..") depth--
    else if (segment !== "" && segment !== ".") depth++
    if (depth < 0) return true
  }
  return false
}

function isRooted(path: string): boolean {
  return path.startsWith("/") || DRIVE.test(path)
}

function forward(path: string): string {
  const normalized = path.normalize("NFC")
  return DRIVE.test(normalized) || normalized.includes("\\") ? normalized.replaceAll("\\", "/") : normalized
}

/** Without `.`, `..` and doubled slashes. What comes before an unknown part may be left again by it, and is unknown too. */
function normalize(path: string): string {
  if (PLAIN_PATH.test(path) && !isPartlyUnknown(path)) return path
  const segments: string[] = []
  let isLost = false
  for (const segment of path.split("/")) {
    if (segment === "" || segment === ".") continue
    if (segment === "..") {
      const left = segments.pop()
      if (left === undefined ? isLost : isPartlyUnknown(left)) isLost = true
      continue
    }
    if (segment.includes(ANY)) {
      isLost = true
      segments.length = 0
      const tail = segment.slice(segment.lastIndexOf(ANY) + 1)
      segments.push(ANY + tail)
      continue
    }
    // A shell's `.*` may be `..`.
    if (segment.startsWith(`.${ANY_NAME}`)) {
      isLost = true
      segments.length = 0
      segments.push(ANY)
      continue
    }
    segments.push(segment)
  }
  if (!isLost) return DRIVE.test(path) ? segments.join("/") : `/${segments.join("/")}`
  return segments[0]?.startsWith(ANY) ? segments.join("/") : [ANY, ...segments].join("/")
}

/**
 * Compiles a pattern for paths.
 *
 * `*` alone is everything and `../**` what lies outside the workspace. `~/` begins in the home folder and `/` at the
 * root; anything else begins at the workspace's root, or at any depth when it has no slash or begins with `**` and one.
 * Otherwise a pattern is a glob, in which `*` also takes names that begin with a dot.
 *
 * Doubt goes against the agent. A deny or ask takes letters of either case, also what lies beneath what it names, and
 * at any depth it also counts outside the workspace. An allow takes exactly what it names, in the workspace unless it
 * says otherwise.
 */
export function compilePathPattern(pattern: string, effect: Effect): PathPattern {
  const normalized = pattern.normalize("NFC")
  if (normalized === "*") return { space: "everything", glob: "*", matches: () => YES }
  if (normalized === "../**") {
    const matches = ({ inside, absolute }: PathProbe): Verdict =>
      inside !== null ? NO : absolute.startsWith(ANY) ? MAYBE : YES
    return { space: "outside", glob: normalized, matches }
  }
  const { space, glob } = toGlob(normalized)
  const isAllow = effect === "allow"
  const regex = picomatch.makeRe(glob, { dot: true, flags: isAllow ? "s" : "is" })
  const textOf = ({ absolute, inside, inHome }: PathProbe): string | null => {
    if (space === "absolute") return absolute
    if (space === "home") return inHome
    return space === "inside" || isAllow ? inside : (inside ?? absolute.slice(1))
  }
  if (isAllow) {
    const matches = (probe: PathProbe): Verdict => {
      const text = textOf(probe)
      return text !== null && !isPartlyUnknown(text) && regex.test(text) ? YES : NO
    }
    return { space, glob, matches }
  }
  const loose = loosened(space === "floating" ? glob.slice(3) : glob)
  const forms = (space === "floating" ? [loose, `${ANY}/${loose}`] : [loose]).flatMap((form) => [
    form,
    `${form}/${ANY}`,
  ])
  return {
    space,
    glob,
    matches(probe) {
      // What may lie anywhere may lie where the pattern is about.
      const text = probe.absolute.startsWith(ANY) && probe.inside === null ? probe.absolute : textOf(probe)
      if (text === null) return NO
      if (probe.isUnknown && isPartlyUnknown(text)) return forms.some((form) => mayBeSame(text, form)) ? MAYBE : NO
      for (let at = text.length; at > 0; at = text.lastIndexOf("/", at - 1)) {
        if (regex.test(text.slice(0, at))) return YES
      }
      if (!probe.isTree) return NO
      const beneathIt = text === "" || text.endsWith("/") ? text + ANY : `${text}/${ANY}`
      return forms.some((form) => mayBeSame(beneathIt, form)) ? MAYBE : NO
    },
  }
}

/** The glob with unknown text wherever it is not literal; matches all that the glob does, and perhaps more. */
function loosened(glob: string): string {
  const plain = glob.replace(/\{[^{}]*\}|[?*!+@]?\([^()]*\)|\*\*\/?/g, ANY).replace(/\[[^[\]]*\]|[?*]/g, ANY_NAME)
  return /[{}[\]()!\\]/.test(plain) ? ANY : plain
}

function toGlob(pattern: string): Pick<PathPattern, "space" | "glob"> {
  const trimmed = pattern.length > 1 ? pattern.replace(/\/+$/, "/**") : pattern
  if (trimmed.startsWith("~/")) return { space: "home", glob: trimmed.slice(2) }
  if (isRooted(trimmed)) return { space: "absolute", glob: trimmed }
  if (trimmed.startsWith("**/")) return { space: "floating", glob: trimmed }
  const local = trimmed.replace(/^\.\//, "")
  return trimmed.includes("/") ? { space: "inside", glob: local } : { space: "floating", glob: `**/${local}` }
}

/** Finds the patterns that may match a path. */
export interface PathIndex<Item> {
  add(item: Item, pattern: PathPattern): void
  /** Whether what may match the path can be found. */
  canFind(probe: PathProbe): boolean
  /** Appends what may match it, if it can be found. */
  collect(probe: PathProbe, into: Item[]): void
}

export function createPathIndex<Item>(): PathIndex<Item> {
  const always: Item[] = []
  const spaces: Record<"inside" | "floating" | "absolute" | "home", TextIndex<Item>> = {
    inside: createTextIndex(),
    floating: createTextIndex(),
    absolute: createTextIndex(),
    home: createTextIndex(),
  }
  return {
    canFind: ({ isUnknown, isTree }) => !isUnknown && !isTree,
    add(item, pattern) {
      if (pattern.space === "everything" || pattern.space === "outside") {
        always.push(item)
        return
      }
      // What a pattern takes with all beneath is found by the folder that a path lies in.
      const glob = pattern.glob.endsWith("/**") ? pattern.glob.slice(0, -3) : pattern.glob
      spaces[pattern.space].add(item, glob === "" ? { kind: "any" } : toTextKey(glob, GLOB_SPECIAL))
    },
    collect(probe, into) {
      for (const item of always) into.push(item)
      const { inside, absolute, inHome } = probe
      if (inside !== null) collectWithFolders(spaces.inside, inside.toLowerCase(), into)
      collectWithFolders(spaces.floating, `/${(inside ?? absolute.slice(1)).toLowerCase()}`, into)
      collectWithFolders(spaces.absolute, absolute.toLowerCase(), into)
      if (inHome !== null) collectWithFolders(spaces.home, inHome.toLowerCase(), into)
    },
  }
}

function collectWithFolders<Item>(index: TextIndex<Item>, text: string, into: Item[]): void {
  index.collect(text, into)
  for (let at = text.lastIndexOf("/"); at > 0; at = text.lastIndexOf("/", at - 1)) {
    index.collectByEnd(text.slice(0, at), into)
  }
}
