/** Patterns for shell commands. */
import { longFlagsOf, SINGLE_DASH, toLetter } from "./shell-programs.ts"
import { isAscii, programName, type ShellWord } from "./script.ts"
import type { Effect } from "./vocabulary.ts"
import { ANY, fromStars, isPartlyUnknown, MAYBE, mayBeSame, NO, starsToRegex, type Verdict, YES } from "./wildcard.ts"

/** A pattern for commands, ready to be tried. */
export interface ShellPattern {
  matches(command: ShellCommand): Verdict
  /** The program that it is for, in lower case; null when it may be any. */
  readonly program: string | null
  /** The first word after the program, in lower case; null when it may be any or is a flag. */
  readonly subcommand: string | null
}

/** A simple command, in the forms that patterns are about. */
export interface ShellCommand {
  readonly words: readonly ShellWord[]
  /** The program's name without its folder, as letters that look like others would be read, in lower case. */
  readonly program: string
  /** Whether a part of a word is not known. */
  readonly isUnknown: boolean
}

/** Where programs are that any allow takes by their names alone. */
const PROGRAM_FOLDER = /^(?:\/(?:usr(?:\/local)?|opt\/homebrew)?\/?s?bin\/|[^/]*$)/

/** Letters of other alphabets that are drawn like Latin ones. */
const LOOK_ALIKES: ReadonlyMap<string, string> = new Map(
  Array.from("аɑαсԁеεɡһіıιјⅼӏмոոоοрρԛгѕтυսνѵѡхχуγ").map((letter, at) => [
    letter,
    "aaacdeeghiiijllmnnooppqrstuuvvwxxyy".charAt(at),
  ]),
)

/** A command as patterns are tried on it. */
export function toShellCommand(words: readonly ShellWord[]): ShellCommand {
  const name = programName(words[0]?.text ?? "").replace(/\.exe$/i, "")
  return {
    words,
    program: skeleton(name),
    isUnknown: words.some(({ text }) => isPartlyUnknown(text)),
  }
}

/** A name as it is seen: without marks and invisible characters, in Latin letters where others look like them. */
function skeleton(name: string): string {
  const lower = name.toLowerCase()
  if (isAscii(lower)) return lower
  return Array.from(lower.normalize("NFKD").replace(/[\p{M}\p{Cf}]/gu, ""))
    .map((letter) => LOOK_ALIKES.get(letter) ?? letter)
    .join("")
}

/**
 * Compiles a pattern for commands: words with space between them, the first for the program. `*` in a word is any text
 * in that word. A last word `*` is any number of words, none included, and one in the middle exactly one.
 *
 * Doubt goes against the agent. **An allow takes a command word for word**: `git status` allows just that,
 * `git status *` whatever follows. The program has to be named alone or be in a system folder, unless the pattern says
 * where it is. **A deny or ask takes all that comes to the same**: more words may follow; flags count wherever they
 * are, as `-rf`, `-fr`, `-r -f` or `--recursive --force` and beside others; words that may be a flag's value are passed
 * over; the program counts in any folder and in letters of either case.
 *
 * A word of which a part is not known matches an allow's `*` alone. A deny or ask that it could match is `MAYBE`.
 */
export function compileShellPattern(pattern: string, effect: Effect): ShellPattern {
  const words = pattern.trim().split(/\s+/)
  const [head = "*", ...rest] = words
  const isOpen = rest.at(-1) === "*"
  const wanted = isOpen ? rest.slice(0, -1) : rest
  if (head === "*" && wanted.length === 0) return { program: null, subcommand: null, matches: () => YES }
  const program = head.includes("*") ? null : programName(head).toLowerCase()
  const [second] = wanted
  const subcommand =
    second === undefined || second.startsWith("-") || second.includes("*") ? null : second.toLowerCase()
  const matches = effect === "allow" ? exactly(head, wanted, isOpen) : inEffect(head, wanted)
  return { program, subcommand, matches }
}

function exactly(head: string, wanted: readonly string[], isOpen: boolean): ShellPattern["matches"] {
  const isHead = wordTest(head)
  const tests = wanted.map(wordTest)
  const hasFolder = head.includes("/")
  return ({ words }) => {
    const [first, ...rest] = words
    if (first === undefined || isPartlyUnknown(first.text)) return NO
    const isNamed = hasFolder
      ? isHead(first)
      : PROGRAM_FOLDER.test(first.text) && isHead({ ...first, text: programName(first.text) })
    if (!isNamed || (isOpen ? rest.length < tests.length : rest.length !== tests.length)) return NO
    return tests.every((test, at) => {
      const word = rest[at]
      return word !== undefined && test(word)
    })
      ? YES
      : NO
  }
}

function wordTest(pattern: string): (word: ShellWord) => boolean {
  if (pattern === "*") return ({ isSplit }) => !isSplit
  if (!pattern.includes("*")) return ({ text, isSplit }) => !isSplit && text === pattern
  const regex = starsToRegex(pattern, "s")
  return ({ text, isSplit }) => !isSplit && !isPartlyUnknown(text) && regex.test(text)
}

/** A test for a word that may be partly unknown. */
function looseTest(pattern: string): (text: string) => Verdict {
  const stars = fromStars(pattern)
  const lower = pattern.toLowerCase()
  const regex = pattern.includes("*") ? starsToRegex(pattern, "is") : null
  return (text) => {
    if (isPartlyUnknown(text)) return mayBeSame(text, stars) ? MAYBE : NO
    return (regex === null ? text.toLowerCase() === lower : regex.test(text)) ? YES : NO
  }
}

interface WantedFlag {
  readonly letters: readonly string[]
  readonly long: string | null
  readonly test: ((text: string) => Verdict) | null
}

function inEffect(head: string, wanted: readonly string[]): ShellPattern["matches"] {
  const hasFolder = head.includes("/")
  const isHead = looseTest(hasFolder ? head : head.toLowerCase())
  const program = programName(head).toLowerCase()
  const flags = wanted.filter((word) => /^-./.test(word) && word !== "--").map((word) => toWantedFlag(program, word))
  const positionals = wanted.filter((word) => !/^-./.test(word)).map(looseTest)
  return (command) => {
    const { words } = command
    const [first] = words
    if (first === undefined) return NO
    let verdict = isHead(hasFolder ? first.text : command.program)
    if (verdict === NO) return NO
    const rest = words.slice(1)
    if (flags.length > 0) verdict = least(verdict, withFlags(program, flags, rest, command.isUnknown))
    if (verdict === NO) return NO
    return positionals.length > 0 ? least(verdict, inOrder(positionals, rest)) : verdict
  }
}

function least(a: Verdict, b: Verdict): Verdict {
  return a < b ? a : b
}

function toWantedFlag(program: string, word: string): WantedFlag {
  if (word.includes("*")) return { letters: [], long: null, test: looseTest(word) }
  if (word.startsWith("--")) {
    const name = word.slice(2)
    const letter = longFlagsOf(program)[name]
    return { letters: letter ? [letter] : [], long: name, test: null }
  }
  if (SINGLE_DASH.has(program)) return { letters: [], long: null, test: looseTest(word) }
  return { letters: Array.from(word.slice(1)).map((letter) => toLetter(program, letter)), long: null, test: null }
}

/** Whether a command has all the flags, however they are spelt. */
function withFlags(
  program: string,
  wanted: readonly WantedFlag[],
  words: readonly ShellWord[],
  isUnknown: boolean,
): Verdict {
  const longs = longFlagsOf(program)
  const letters = new Set<string>()
  const doubtful = new Set<string>()
  const names: string[] = []
  let mayBeAny = false
  for (const { text, isSplit } of words) {
    if (text === "--") break
    if (isPartlyUnknown(text) && (isSplit || text.startsWith("-") || text.startsWith(ANY))) mayBeAny = true
    if (text.startsWith("--")) {
      const name = (text.slice(2).split("=", 1)[0] ?? "").toLowerCase()
      names.push(name)
      // Long flags may be cut short as long as they stay unlike others.
      for (const [long, letter] of Object.entries(longs)) {
        if (letter === "" || !long.startsWith(name)) continue
        ;(long === name ? letters : doubtful).add(letter)
      }
    } else if (/^-./.test(text)) {
      for (const letter of text.slice(1)) letters.add(toLetter(program, letter))
    }
  }
  let verdict: Verdict = YES
  for (const flag of wanted) {
    let found: Verdict = NO
    if (flag.test !== null) {
      for (const { text } of words) {
        const answer = flag.test(text)
        if (answer > found) found = answer
      }
    } else if (flag.long !== null && names.includes(flag.long.toLowerCase())) {
      found = YES
    } else if (flag.letters.length > 0 && flag.letters.every((letter) => letters.has(letter))) {
      found = YES
    } else if (
      (flag.long !== null && names.some((name) => name !== "" && flag.long?.startsWith(name))) ||
      (flag.letters.length > 0 && flag.letters.every((letter) => letters.has(letter) || doubtful.has(letter)))
    ) {
      found = MAYBE
    }
    if (found === NO && isUnknown && mayBeAny) found = MAYBE
    verdict = least(verdict, found)
    if (verdict === NO) return NO
  }
  return verdict
}

/**
 * Whether words other than flags are there in this order. A word right after a flag may be that flag's value and is
 * passed over where it does not match; one that may be several words may hold any.
 */
function inOrder(wanted: readonly ((text: string) => Verdict)[], words: readonly ShellWord[]): Verdict {
  let verdict: Verdict = YES
  let next = 0
  let isAfterFlag = false
  let mayHoldMore = false
  for (const { text, isSplit } of words) {
    const test = wanted[next]
    if (test === undefined) break
    if (/^-./.test(text)) {
      isAfterFlag = text !== "--"
      continue
    }
    const answer = test(text)
    if (answer !== NO) {
      verdict = least(verdict, answer)
      next++
    } else if (isSplit && isPartlyUnknown(text)) {
      mayHoldMore = true
    } else if (!isAfterFlag && !mayHoldMore) {
      return NO
    }
    if (isSplit && isPartlyUnknown(text)) mayHoldMore = true
    isAfterFlag = false
  }
  if (next === wanted.length) return verdict
  return mayHoldMore ? MAYBE : NO
}

/** Finds the patterns that may match a command. */
export interface ShellIndex<Item> {
  add(item: Item, pattern: ShellPattern): void
  /** Whether what may match the command can be found. */
  canFind(command: ShellCommand): boolean
  collect(command: ShellCommand, into: Item[]): void
}

export function createShellIndex<Item>(): ShellIndex<Item> {
  const rest: Item[] = []
  const programs = new Map<string, { readonly any: Item[]; readonly bySubcommand: Map<string, Item[]> }>()
  return {
    canFind: ({ isUnknown }) => !isUnknown,
    add(item, { program, subcommand }) {
      if (program === null) {
        rest.push(item)
        return
      }
      const known = programs.get(program) ?? { any: [], bySubcommand: new Map<string, Item[]>() }
      programs.set(program, known)
      if (subcommand === null) {
        known.any.push(item)
        return
      }
      const bucket = known.bySubcommand.get(subcommand)
      if (bucket) bucket.push(item)
      else known.bySubcommand.set(subcommand, [item])
    },
    collect({ program, words }, into) {
      for (const item of rest) into.push(item)
      const known = programs.get(program)
      if (known === undefined) return
      for (const item of known.any) into.push(item)
      if (known.bySubcommand.size === 0) return
      const seen = new Set<string>()
      for (const { text } of words.slice(1)) {
        const word = text.toLowerCase()
        if (seen.has(word)) continue
        seen.add(word)
        for (const item of known.bySubcommand.get(word) ?? []) into.push(item)
      }
    },
  }
}
