/** Patterns for shell commands as the plain texts that tools compare commands with. */
import { readScript } from "../script.ts"
import { INTERPRETERS, longFlagsOf, SHELLS, SINGLE_DASH, toLetter, WRAPPERS } from "../shell-programs.ts"
import type { ToolRule } from "./tool-policy.ts"

/** A command that a shell reads as these words and nothing else. */
export interface PlainCommand {
  readonly words: readonly string[]
  /** Whether any words may follow. */
  readonly isOpen: boolean
}

const PLAIN_WORD = /^[A-Za-z0-9_@%+:,./=-]+$/
/** Programs whose words are run, or that change what later commands do, in ways that no prefix shows. */
const RUNNERS: ReadonlySet<string> = new Set(
  ". alias bind complete declare enable eval export fd fdfind find hash local readonly source trap typeset".split(" "),
)
const GIT_RUNNERS: ReadonlySet<string> = new Set(["bisect", "config", "filter-branch", "rebase", "submodule"])

/**
 * The one plain command that an allow's pattern names, or null where a tool that compares texts would take more for it
 * than the engine does: stars in or between words, quotes, and open patterns for programs that run other programs.
 */
export function toPlainCommand(pattern: string): PlainCommand | null {
  const all = pattern.trim().split(/\s+/)
  const isOpen = all.length > 1 && all.at(-1) === "*"
  const words = isOpen ? all.slice(0, -1) : all
  const [head = ""] = words
  if (!words.every((word) => PLAIN_WORD.test(word)) || head.includes("=") || head.includes("/")) return null
  if (readScript(words.join(" ")).doubts.size > 0) return null
  return isOpen && runsOthers(words) ? null : { words, isOpen }
}

function runsOthers(words: readonly string[]): boolean {
  const [head = "", first, second] = words
  const program = head.toLowerCase()
  if (SHELLS.has(program) || RUNNERS.has(program)) return true
  if (INTERPRETERS.some(({ name }) => name.test(program))) return true
  if (program === "git") return first === undefined || first.startsWith("-") || GIT_RUNNERS.has(first)
  const wrapper = WRAPPERS.get(program)
  if (wrapper === undefined) return false
  // `npm run build` runs a script of the project's; what `npm run` runs with other words, the words say.
  const subcommands = wrapper.subcommands ?? new Set<string>()
  return [first, second].some((word) => word === undefined || word.startsWith("-") || subcommands.has(word))
}

/**
 * Whether a deny or ask could match something that an allow names. Tools read such a rule more narrowly than the
 * engine, so that an allow beside it would let through what the rule is about.
 */
export function mayMeet(rule: ToolRule, { words: [head = "", first] }: PlainCommand): boolean {
  const [program = "*", ...rest] = rule.pattern.trim().split(/\s+/)
  if (program.includes("*")) return true
  if (baseName(program).toLowerCase() !== baseName(head).toLowerCase()) return false
  const [wanted] = rest
  const isTold = (word: string | undefined): word is string =>
    word !== undefined && !word.startsWith("-") && !word.includes("*")
  return !isTold(wanted) || !isTold(first) || wanted.toLowerCase() === first.toLowerCase()
}

function baseName(word: string): string {
  return word.slice(word.lastIndexOf("/") + 1)
}

/**
 * The spellings of a deny's or ask's pattern that a tool is told, each as words that a command begins with; the pattern
 * itself first. Flags come bundled in every order, apart, and by their long names. A word may hold stars. Empty when
 * the pattern is for every command.
 */
export function toSpellings(pattern: string): readonly (readonly string[])[] {
  const all = pattern.trim().split(/\s+/)
  const words = all.length > 1 && all.at(-1) === "*" ? all.slice(0, -1) : all
  const [head = "*", ...rest] = words
  if (head === "*" && rest.length === 0) return []
  const program = baseName(head).toLowerCase()
  const at = rest.findIndex((word) => /^-./.test(word) && word !== "--")
  const flags = rest.filter((word) => /^-./.test(word) && word !== "--")
  const known = [words]
  if (at === -1 || flags.some((flag) => flag.includes("*")) || SINGLE_DASH.has(program)) return known
  const before = rest.slice(0, at)
  const after = rest.slice(at).filter((word) => !flags.includes(word))
  for (const spelling of spellFlags(program, flags)) known.push([head, ...before, ...spelling, ...after])
  return [...new Map(known.map((spelling) => [spelling.join(" "), spelling])).values()]
}

/** More flags than that are not spelt in every order. */
const MAX_FLAGS = 3

function spellFlags(program: string, flags: readonly string[]): readonly (readonly string[])[] {
  const longs = longFlagsOf(program)
  const letters = new Set<string>()
  const others: string[] = []
  for (const flag of flags) {
    const letter = flag.startsWith("--") ? longs[flag.slice(2)] : undefined
    if (letter) letters.add(letter)
    else if (flag.startsWith("--")) others.push(flag)
    else for (const own of flag.slice(1)) letters.add(toLetter(program, own))
  }
  if (letters.size + others.length > MAX_FLAGS) return [flags]
  const spellings: (readonly string[])[] = []
  for (const order of orders([...letters])) {
    if (order.length > 1) {
      for (const bundle of inEveryCase(program, order)) spellings.push([`-${bundle.join("")}`, ...others])
    }
    const apart = order.map((letter) => [
      ...inEveryCase(program, [letter]).map((same) => `-${same.join("")}`),
      ...Object.entries(longs)
        .filter(([, own]) => own === letter)
        .map(([name]) => `--${name}`),
    ])
    for (const choice of choices(apart)) for (const all of orders([...choice, ...others])) spellings.push(all)
  }
  if (letters.size === 0) spellings.push(...orders(others))
  return spellings
}

/** A list of letters with those that the program takes for the same. */
function inEveryCase(program: string, letters: readonly string[]): readonly (readonly string[])[] {
  return choices(
    letters.map((letter) =>
      letter !== letter.toUpperCase() && toLetter(program, letter.toUpperCase()) === letter
        ? [letter, letter.toUpperCase()]
        : [letter],
    ),
  )
}

function choices<Item>(lists: readonly (readonly Item[])[]): readonly (readonly Item[])[] {
  return lists.reduce<readonly (readonly Item[])[]>(
    (all, list) => all.flatMap((chosen) => list.map((item) => [...chosen, item])),
    [[]],
  )
}

function orders<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, at) => orders(items.filter((_, other) => other !== at)).map((rest) => [item, ...rest]))
}
