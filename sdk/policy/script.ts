/**
 * What a shell command does, taken apart as a shell would: every simple command in it, wherever it is, with those that
 * other programs are told to run; the files that it redirects and names; and what about it cannot be seen.
 */
import {
  type Assignment,
  type Command,
  forEachChild,
  type HereDoc,
  parse,
  type SyntaxNode,
  type Word,
  type WordPart,
} from "unbash"
import {
  COPIERS,
  DECIDING_VARIABLE,
  GIT_VALUED,
  INTERPRETERS,
  PATTERN_FIRST,
  READERS,
  SHELLS,
  SPEAKERS,
  TREES,
  type Wrapper,
  WRAPPERS,
  WRITERS,
} from "./shell-programs.ts"
import { ANY, ANY_NAME, isPartlyUnknown } from "./wildcard.ts"

/** One word of a command. */
export interface ShellWord {
  /** As the program gets it; `ANY` and `ANY_NAME` where that is not known. */
  readonly text: string
  /** Whether it may be several words, or none. */
  readonly isSplit: boolean
}

/** Something that a script does, to be judged on its own. */
export type ScriptPart =
  | {
      readonly kind: "command"
      readonly words: readonly ShellWord[]
      /** False for what is judged under another name as well, so that only a deny or ask on it counts. */
      readonly needsAllow: boolean
    }
  | {
      readonly kind: "file"
      readonly access: "read" | "edit"
      readonly path: string
      /** The folders that a relative path may be relative to; undefined is the one that the script starts in. */
      readonly folders: readonly (string | undefined)[]
      readonly needsAllow: boolean
      /** Whether the program may take the word for something else. */
      readonly isDoubtful: boolean
      /** Whether all beneath it is concerned. */
      readonly isTree: boolean
    }
  | { readonly kind: "web"; readonly url: string }

/** Why a script is never better than `ask`, by what is in it. */
export const DOUBTS = {
  unparseable: "The command cannot be read as a shell would read it.",
  substitution: "The command contains a substitution, so that what it runs cannot be seen.",
  command_name: "The name of the program is put together when the command runs.",
  look_alike: "The name of the program has letters that look like others.",
  definition: "The command defines a function or an alias, which can make any name mean something else.",
  environment: "The command sets a variable that decides what other commands run.",
  piped_shell: "The command feeds a shell or an interpreter with what cannot be seen.",
  inline_code: "The command contains code of another language.",
  remote: "The command runs on another machine.",
  configuration: "The command sets a configuration that can run other commands.",
  nesting: "The command is nested too deeply.",
} as const
export type Doubt = keyof typeof DOUBTS

export interface ShellScript {
  readonly parts: readonly ScriptPart[]
  readonly doubts: ReadonlySet<Doubt>
}

export interface ShellEnvironment {
  /** The home folder, for `~` and `$HOME`. */
  readonly home?: string | undefined
  /** The folder it starts in, for `$PWD`. */
  readonly cwd?: string | undefined
}

/** Deeper scripts in scripts are not followed. */
const MAX_DEPTH = 12
/** Longer scripts are not read. */
const MAX_LENGTH = 100_000
/** More folders than that a script does not tell apart. */
const MAX_FOLDERS = 8
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)\+?=/
const HARMLESS_FILE = /^\/dev\/(?:null|zero|full|tty|stdin|stdout|stderr|fd\/\d+)$/
const ANY_WORD: ShellWord = { text: ANY, isSplit: true }

/** Reads a script, or an argument vector that is run without a shell. Pure; never throws on any input. */
export function readScript(command: string | readonly string[], environment: ShellEnvironment = {}): ShellScript {
  const reader = new Reader(environment)
  try {
    if (typeof command === "string") reader.script(command, { needsAllow: true, depth: 0 })
    else reader.words(command.map(literal), { needsAllow: true, depth: 0, isFed: false, fed: null })
  } catch {
    // The parser is another's: whatever it trips over has not been judged.
    reader.doubts.add("unparseable")
  }
  return reader
}

/** The name of a program without its folder, as rules call it. */
export function programName(word: string): string {
  return word.slice(word.lastIndexOf("/") + 1)
}

/** Whether a name has no letters but those that every keyboard has. */
export function isAscii(text: string): boolean {
  return !/[\u{80}-\u{10ffff}]/u.test(text)
}

function literal(text: string): ShellWord {
  return { text, isSplit: false }
}

interface Place {
  /** Whether what is found has to be allowed, or is judged under another name as well. */
  readonly needsAllow: boolean
  readonly depth: number
}

interface Fed extends Place {
  /** Whether something is piped or redirected in. */
  readonly isFed: boolean
  /** What is fed in, where it can be seen. */
  readonly fed: string | null
}

class Reader implements ShellScript {
  readonly parts: ScriptPart[] = []
  readonly doubts = new Set<Doubt>()
  readonly #environment: ShellEnvironment
  #folders: readonly (string | undefined)[] = [undefined]

  constructor(environment: ShellEnvironment) {
    this.#environment = environment
  }

  script(source: string, place: Place): void {
    if (place.depth > MAX_DEPTH || source.length > MAX_LENGTH) {
      this.doubts.add("nesting")
      return
    }
    this.#visit(parse(source), place)
  }

  #visit(node: SyntaxNode, place: Place, isFed = false): void {
    // Whatever is not named here does nothing but contain others.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (node.type) {
      case "Script":
        if (node.errors?.length) this.doubts.add("unparseable")
        for (const child of node.commands) this.#visit(child, place, isFed)
        return
      case "Pipeline":
        for (const [at, child] of node.commands.entries()) this.#visit(child, place, isFed || at > 0)
        return
      case "Command":
        this.#command(node, place, isFed)
        return
      case "Function":
        this.doubts.add("definition")
        this.#visit(node.body, place)
        return
      case "CommandExpansion":
      case "ProcessSubstitution":
      case "ArithmeticCommandExpansion":
        this.doubts.add("substitution")
        if (node.script) this.#visit(node.script, place)
        return
      case "ParameterExpansion":
        // What these give is run or expanded once more.
        if (node.prefix === "!" || node.operation?.type === "Transform") this.doubts.add("substitution")
        break
      case "Assignment":
        if (DECIDING_VARIABLE.test(node.name)) this.doubts.add("environment")
        break
      case "Redirected": {
        const isRedirected = node.redirects.some(isInput)
        for (const redirect of node.redirects) this.#visit(redirect, place)
        this.#visit(node.command, place, isFed || isRedirected)
        return
      }
      case "Redirect":
        this.#redirect(node.operator, node.target, place)
        break
      default:
    }
    const isGroup = GROUPS.has(node.type)
    forEachChild(node, (child) => this.#visit(child, place, isFed && isGroup))
  }

  #redirect(operator: string, target: Word | undefined, { needsAllow }: Place): void {
    if (target === undefined) {
      this.doubts.add("unparseable")
      return
    }
    const { text } = this.#word(target)
    // Another descriptor rather than a file.
    if ((operator === ">&" || operator === "<&") && /^(?:\d+-?|-)$/.test(text)) return
    if (/^\/dev\/(?:tcp|udp)\//.test(text)) {
      this.parts.push({ kind: "web", url: `tcp://${text.split("/").slice(3).join(":")}` })
      return
    }
    if (operator !== "<" && operator !== "<&") this.#file("edit", text, { needsAllow })
    if (operator === "<" || operator === "<>") this.#file("read", text, { needsAllow })
  }

  #file(
    access: "read" | "edit",
    path: string,
    {
      needsAllow = false,
      isDoubtful = false,
      isTree = false,
    }: { needsAllow?: boolean; isDoubtful?: boolean; isTree?: boolean },
  ): void {
    if (path === "" || path === "-" || HARMLESS_FILE.test(path)) return
    this.parts.push({ kind: "file", access, path, folders: this.#folders, needsAllow, isDoubtful, isTree })
  }

  #command(node: Command, place: Place, isFed: boolean): void {
    // What words, assignments and redirections contain runs before the command.
    for (const child of [...node.prefix, ...node.suffix]) this.#visit(child, place)
    if (node.name === undefined) return
    this.#visit(node.name, place)
    const { redirects } = node
    const words = [node.name, ...node.args].map((word) =>
      word.type === "Word" ? this.#word(word) : this.#assigned(word),
    )
    const document = redirects.findLast((redirect): redirect is HereDoc => redirect.type === "HereDoc")
    const here = redirects.findLast((redirect) => redirect.type === "HereString")
    const text =
      document !== undefined
        ? document.body.parts?.some(({ type }) => type !== "Literal")
          ? null
          : document.body.text
        : here?.target === undefined
          ? null
          : this.#word(here.target).text
    this.words(words, {
      ...place,
      isFed: isFed || redirects.some(isInput),
      fed: text === null || isPartlyUnknown(text) ? null : text,
    })
  }

  /** An assignment as a word of a command; what it sets has been seen to already. */
  #assigned({ name, value }: Assignment): ShellWord {
    return value.type === "Word" ? literal(`${name}=${this.#word(value).text}`) : literal(`${name}=${ANY}`)
  }

  #word(word: Word): ShellWord {
    if (word.parts === undefined) return literal(this.#tilde(word.value, word.text.startsWith("~")))
    let text = ""
    let isSplit = false
    for (const part of word.parts) {
      text += this.#part(part)
      if (SPLITTING.has(part.type)) isSplit = true
    }
    return { text: this.#tilde(text, word.text.startsWith("~")), isSplit }
  }

  #part(part: WordPart): string {
    switch (part.type) {
      case "Literal":
      case "SingleQuoted":
      case "AnsiCQuoted":
        return part.value
      case "DoubleQuoted":
      case "LocaleString":
        return part.parts.map((child) => this.#part(child)).join("")
      case "Glob":
        return ANY_NAME
      case "SimpleExpansion":
        return this.#variable(part.text.slice(1))
      case "ParameterExpansion":
        return part.operation === undefined && part.prefix === undefined && part.index === undefined
          ? this.#variable(part.parameter)
          : ANY
      case "ArithmeticExpansion":
      case "BraceExpansion":
      case "CommandExpansion":
      case "ExtendedGlob":
      case "ProcessSubstitution":
        return ANY
    }
  }

  #variable(name: string): string {
    if (name === "HOME") return this.#environment.home ?? ANY
    if (name === "PWD" && this.#folders.length === 1) return this.#environment.cwd ?? ANY
    return ANY
  }

  #tilde(text: string, isUnquoted: boolean): string {
    // A quoted tilde is a name, which a path alone would be taken for the home folder.
    if (!text.startsWith("~")) return text
    if (!isUnquoted) return `./${text}`
    return /^~(?:\/|$)/.test(text) && this.#environment.home !== undefined
      ? this.#environment.home + text.slice(1)
      : text
  }

  /** Judges the words of one command, and what they tell other programs to run. */
  words(words: readonly ShellWord[], place: Fed): void {
    const [first] = words
    if (first === undefined) return
    if (place.depth > MAX_DEPTH) {
      this.doubts.add("nesting")
      return
    }
    if (first.text === "" || isPartlyUnknown(first.text)) this.doubts.add("command_name")
    if (!isAscii(first.text)) this.doubts.add("look_alike")
    const name = programName(first.text).normalize("NFKC").toLowerCase()
    const program = name.replace(/\.exe$/, "")
    const known = WRAPPERS.get(program)
    const wrapper = known?.subcommands === undefined || hasSubcommand(words, known.subcommands) ? known : undefined
    const isTransparent = wrapper?.kind === "transparent"
    const inner: Fed = {
      ...place,
      depth: place.depth + 1,
      needsAllow: place.needsAllow && (wrapper === undefined || isTransparent),
    }
    const ran = wrapper === undefined ? false : this.#wrapped(program, wrapper, words, inner)
    const isShell = SHELLS.has(program)
    const isSeen = (isShell && this.#shell(words, place)) || (isTransparent && ran)
    this.parts.push({
      kind: "command",
      words: program === "git" ? this.#git(words) : words,
      needsAllow: place.needsAllow && !isSeen,
    })
    if (wrapper === undefined && !isShell) this.#own(program, words, place)
    if (!isSeen) this.#files(program, words)
  }

  /** The command that a program is told to run; whether there is one. */
  #wrapped(program: string, wrapper: Wrapper, words: readonly ShellWord[], place: Fed): boolean {
    if (program === "ssh") this.doubts.add("remote")
    let at = 1
    let positionals = wrapper.positionals + (wrapper.subcommands === undefined ? 0 : 1)
    let ran = false
    for (; at < words.length; at++) {
      const text = words[at]?.text ?? ""
      if (text === "--") {
        if (positionals === 0) {
          at++
          break
        }
        continue
      }
      if (text.startsWith("-") && text !== "-") {
        const flag = toFlag(text)
        if (flag.names.some((name) => wrapper.inert?.has(name))) return false
        const valued = flag.names.find(
          (name, index) => wrapper.valued.has(name) && (flag.isLong || index === flag.names.length - 1),
        )
        const glued = flag.isLong ? flag.value : gluedValue(flag.names, text, wrapper.valued)
        const scripted = flag.names.some((name) => wrapper.scripted?.has(name))
        const value = glued ?? (valued === undefined ? null : (words[++at]?.text ?? null))
        if (scripted && value !== null) {
          this.#text(value, place)
          ran = true
          // What follows is given to that script.
          if (program === "env") return true
        }
        continue
      }
      const assigned = wrapper.takesAssignments ? ASSIGNMENT.exec(text) : null
      if (assigned) {
        if (DECIDING_VARIABLE.test(assigned[1] ?? "")) this.doubts.add("environment")
        continue
      }
      if (positionals === 0) break
      positionals--
    }
    const rest = words.slice(at)
    if (rest.length === 0) return ran
    if (wrapper.isScript) {
      const end = rest.findIndex(({ text }) => text.startsWith(":::"))
      const command = end === -1 ? rest : rest.slice(0, end)
      this.#text(
        `${command.map(({ text }) => text).join(" ")}${wrapper.addsWords ? ` ${ANY}` : ""}`,
        place,
        wrapper.addsWords,
      )
      return true
    }
    this.words(wrapper.addsWords ? [...rest, ANY_WORD] : rest, { ...place, isFed: place.isFed && !wrapper.addsWords })
    return true
  }

  /** A text that a shell will run. */
  #text(source: string, place: Place, addsWords = false): void {
    const known = addsWords ? source.slice(0, source.lastIndexOf(ANY)) : source
    if (isPartlyUnknown(known)) this.doubts.add("substitution")
    // Unknown parts go on as variables, which is what they are to whoever reads the text.
    const shown = known.replaceAll(ANY, "${_}").replaceAll(ANY_NAME, "*")
    this.script(addsWords ? `${shown} $_` : shown, { ...place, depth: place.depth + 1 })
  }

  /** A shell: its script, where it can be seen. Whether what it runs is all judged on its own. */
  #shell(words: readonly ShellWord[], place: Fed): boolean {
    for (let at = 1; at < words.length; at++) {
      const text = words[at]?.text ?? ""
      if (/^[-+]/.test(text) && text !== "-" && text !== "--") {
        if (text.startsWith("--")) {
          if (text === "--rcfile" || text === "--init-file") {
            at++
            this.doubts.add("piped_shell")
          }
          continue
        }
        const letters = text.slice(1)
        if (/^-[A-Za-z]*c/.test(text) || /^-(?:Command|EncodedCommand|e|ec|enc)$/i.test(text)) {
          const code = words.slice(at + 1).find((word) => !/^[-+]/.test(word.text))
          if (code === undefined) this.doubts.add("unparseable")
          else this.#text(code.text, { needsAllow: place.needsAllow, depth: place.depth + 1 })
          return code !== undefined
        }
        if (/[oO]$/.test(letters)) at++
        if (letters.includes("s")) return this.#fed(place)
        continue
      }
      if (text === "-" || text === "--") continue
      if (/^\/dev\/(?:stdin|fd\/0)$/.test(text)) return this.#fed(place)
      // A file, which is not read here: rules for the shell with that file decide.
      if (isPartlyUnknown(text)) this.doubts.add("piped_shell")
      return false
    }
    return this.#fed(place)
  }

  /** A shell that runs what it is fed. Without anything it waits for a person. */
  #fed(place: Fed): boolean {
    if (place.fed !== null) {
      this.#text(place.fed, place)
      return true
    }
    if (place.isFed) this.doubts.add("piped_shell")
    return false
  }

  /** What certain programs do that is of no wrapper's form. */
  #own(program: string, words: readonly ShellWord[], place: Fed): void {
    const args = words.slice(1)
    const texts = args.map(({ text }) => text)
    const inner = { needsAllow: place.needsAllow, depth: place.depth + 1 }
    switch (program) {
      case "eval":
        this.#text(texts.join(" "), inner)
        return
      case "trap":
        if (texts[0] !== undefined && texts.length > 1 && texts[0] !== "-") this.#text(texts[0], inner)
        return
      case "alias":
        if (texts.length > 0) this.doubts.add("definition")
        for (const text of texts) {
          if (text.includes("=")) this.#text(text.slice(text.indexOf("=") + 1), { ...inner, needsAllow: false })
        }
        return
      case "hash":
      case "enable":
      case "complete":
      case "bind":
        if (texts.some((text) => text.startsWith("-"))) this.doubts.add("definition")
        return
      case "export":
      case "declare":
      case "typeset":
      case "readonly":
      case "local":
        for (const text of texts) {
          const name = ASSIGNMENT.exec(text)?.[1]
          if (isPartlyUnknown(text.split("=", 1)[0] ?? "") || (name !== undefined && DECIDING_VARIABLE.test(name)))
            this.doubts.add("environment")
        }
        return
      case "cd":
      case "pushd":
        this.#enter(texts.find((text) => !text.startsWith("-") || text === "-"))
        return
      case "find":
      case "fd":
      case "fdfind":
        this.#found(args, place)
        return
      case "source":
      case ".":
        if (/^\/dev\/(?:stdin|fd\/)/.test(texts[0] ?? "")) this.doubts.add("piped_shell")
        return
      default:
    }
    const interpreter = INTERPRETERS.find(({ name }) => name.test(program))
    if (interpreter === undefined) return
    if (texts.some((text) => interpreter.code.test(text))) this.doubts.add("inline_code")
    const isReading = !texts.some((text) => text !== "-" && !text.startsWith("-"))
    if (isReading && (place.isFed || place.fed !== null)) this.doubts.add("piped_shell")
  }

  /** A change of folder, which may come about or not. */
  #enter(target: string | undefined): void {
    const entered =
      target === undefined
        ? [this.#environment.home ?? ANY]
        : target === "-"
          ? []
          : this.#folders.map((folder) =>
              /^[/~]/.test(target) ? target : `${folder ?? this.#environment.cwd ?? "."}/${target}`,
            )
    const folders = [...new Set([...this.#folders, ...entered])]
    this.#folders = folders.length > MAX_FOLDERS ? [ANY] : folders
  }

  /** `find … -exec command ;`: what is found is a word that cannot be seen. */
  #found(args: readonly ShellWord[], place: Fed): void {
    for (let at = 0; at < args.length; at++) {
      if (!/^(?:-exec|-execdir|-ok|-okdir|-x|-X|--exec|--exec-batch)$/.test(args[at]?.text ?? "")) continue
      const rest = args.slice(at + 1)
      const end = rest.findIndex(({ text }) => text === ";" || text === "+")
      const command = end === -1 ? rest : rest.slice(0, end)
      const words = command.map((word) =>
        word.text.includes("{}") ? { ...word, text: word.text.replaceAll("{}", ANY) } : word,
      )
      this.words(words, { ...place, depth: place.depth + 1, isFed: false, fed: null })
      at += command.length
    }
  }

  /** git without the options before its sub-command. */
  #git(words: readonly ShellWord[]): readonly ShellWord[] {
    let at = 1
    for (; at < words.length; at++) {
      const text = words[at]?.text ?? ""
      if (!text.startsWith("-")) break
      if (/^(?:-c|--config-env|--exec-path)/.test(text)) this.doubts.add("configuration")
      if (GIT_VALUED.has(text)) at++
    }
    const rest = words.slice(at)
    const [subcommand, ...others] = rest.map(({ text }) => text)
    const runs =
      (subcommand === "config" &&
        others.some((text) =>
          /alias\.|^!|\.(?:pager|editor|sshcommand|command|cmd|process|smudge|clean)$/i.test(text),
        )) ||
      (subcommand === "rebase" && others.some((text) => /^(?:-x|--exec)/.test(text))) ||
      (subcommand === "submodule" && others.includes("foreach")) ||
      (subcommand === "bisect" && others.includes("run")) ||
      subcommand === "filter-branch"
    if (runs) this.doubts.add("configuration")
    return at === 1 ? words : [...words.slice(0, 1), ...rest]
  }

  /** The files and addresses among a command's words. */
  #files(program: string, words: readonly ShellWord[]): void {
    if (SPEAKERS.has(program)) return
    const [flags, named, operands] = [new Array<string>(), new Array<string>(), new Array<string>()]
    for (let at = 1; at < words.length; at++) {
      const text = words[at]?.text ?? ""
      if (text.startsWith("-") && text !== "-") flags.push(text)
      else operands.push(text)
      const value = valueOf(text)
      if (value !== null) named.push(value)
    }
    for (const texts of [operands, named]) {
      for (const text of texts) {
        if (text.includes("://") && /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) this.parts.push({ kind: "web", url: text })
      }
    }
    if (program === "curl" || program === "wget") {
      for (const text of operands)
        if (!text.includes("://") && /^[\w-]+(?:\.[\w-]+)+/.test(text)) this.parts.push({ kind: "web", url: text })
    }
    const isTree =
      TREES.has(program) ||
      flags.some((flag) => /^-[A-Za-z]*[rRa]|^--(?:recursive|archive)$/.test(flag)) ||
      (program === "grep" && flags.some((flag) => flag.startsWith("-d")))
    const edits = (text: string): void => this.#file("edit", text, { isTree })
    const reads = (text: string, isDoubtful = false): void => this.#file("read", text, { isTree, isDoubtful })
    if (program === "dd") {
      for (const text of operands) {
        if (text.startsWith("of=")) edits(text.slice(3))
        if (text.startsWith("if=")) reads(text.slice(3))
      }
      return
    }
    if (COPIERS.has(program)) {
      const target = flags.filter((flag) => /^(?:-t|--target-directory=)/.test(flag)).map(valueOf)
      const isInto = flags.some((flag) => /^(?:-t|--target-directory)/.test(flag))
      for (const [at, text] of operands.entries()) {
        const isLast = at === operands.length - 1
        if (program === "mv" || isLast || isInto) edits(text)
        if (!isLast || isInto) reads(text)
      }
      for (const text of target) if (text !== null) edits(text)
      // What is copied keeps its name in the folder that it is copied to.
      const into = operands.at(-1)
      if (into !== undefined) for (const text of operands.slice(0, -1)) edits(`${into}/${programName(text)}`)
      return
    }
    const isInPlace =
      /^g?(?:sed|perl|ruby)$/.test(program) && flags.some((flag) => /^-[A-Za-z0-9]*i|^--in-place/.test(flag))
    if (WRITERS.has(program) || isInPlace) for (const text of operands) edits(text)
    const isGit = program === "git" && /^(?:rm|mv|restore|checkout|clean)$/.test(operands[0] ?? "")
    if (isGit) for (const text of operands.slice(1)) this.#file("edit", text, { isDoubtful: true, isTree: true })
    for (const [at, flag] of flags.entries()) {
      if (
        !/^(?:-o|-O|--output|--output-document)/.test(flag) ||
        !/^(?:curl|wget|sort|gcc|cc|clang|tsc|openssl|gpg|zip|pandoc)$/.test(program)
      )
        continue
      const value = valueOf(flag) ?? words[words.findIndex(({ text }) => text === flags[at]) + 1]?.text
      if (value !== undefined) edits(value)
    }
    if (READERS.has(program)) {
      for (const [at, text] of operands.entries()) reads(text, at === 0 && PATTERN_FIRST.has(program))
      for (const text of named) reads(text, true)
      return
    }
    // Any program may read any file that it is told of.
    if (!WRITERS.has(program)) for (const text of [...operands, ...named]) reads(text.replace(/^@/, ""), true)
  }
}

const GROUPS: ReadonlySet<string> = new Set([
  "Statement",
  "AndOr",
  "CompoundList",
  "Subshell",
  "BraceGroup",
  "If",
  "Elif",
  "While",
  "For",
  "ArithmeticFor",
  "Select",
  "Case",
  "CaseItem",
  "Coproc",
])
const SPLITTING: ReadonlySet<string> = new Set([
  "SimpleExpansion",
  "ParameterExpansion",
  "CommandExpansion",
  "ArithmeticExpansion",
  "Glob",
  "ExtendedGlob",
  "BraceExpansion",
  "ProcessSubstitution",
])

function isInput(redirect: { readonly type: string; readonly operator: string }): boolean {
  return redirect.type !== "Redirect" || redirect.operator.startsWith("<")
}

function hasSubcommand(words: readonly ShellWord[], subcommands: ReadonlySet<string>): boolean {
  const at = words.findIndex(({ text }, index) => index > 0 && !text.startsWith("-"))
  // The first may be the value of an option.
  return words.slice(1, at + 2).some(({ text }) => subcommands.has(text))
}

/** The names of a flag: letters of a bundle, or one long name with its value. */
function toFlag(text: string): {
  readonly names: readonly string[]
  readonly isLong: boolean
  readonly value: string | null
} {
  if (!text.startsWith("--")) return { names: Array.from(text.slice(1)), isLong: false, value: null }
  const at = text.indexOf("=")
  return at === -1
    ? { names: [text.slice(2)], isLong: true, value: null }
    : { names: [text.slice(2, at)], isLong: true, value: text.slice(at + 1) }
}

/** What follows a letter that takes a value in the same word, as in `-n10`; null when the value is the next word. */
function gluedValue(letters: readonly string[], text: string, valued: ReadonlySet<string>): string | null {
  const at = letters.findIndex((letter) => valued.has(letter))
  return at === -1 || at === letters.length - 1 ? null : text.slice(at + 2)
}

/** What a flag carries in the same word, as in `--file=x` or `-fx`, and what follows a `=` in other words; null for nothing. */
function valueOf(text: string): string | null {
  const at = text.indexOf("=")
  if (at !== -1) return text.slice(at + 1).replace(/^@/, "")
  return text.startsWith("-") && /^-[A-Za-z]./.test(text) ? text.slice(2).replace(/^@/, "") : null
}
