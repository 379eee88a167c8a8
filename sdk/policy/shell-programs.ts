/** What programs do with the words that follow their names, as far as a policy has to know it. */

/**
 * How a program that runs another is looked through.
 * - `transparent`: changes nothing about who may run what, so that rules for the inner command decide.
 * - `distinct`: is an action of its own (more rights, another machine, a package that is fetched), so that it needs to be
 *   allowed by name; the inner command is judged for what denies it or asks.
 */
export interface Wrapper {
  readonly kind: "transparent" | "distinct"
  /** Flags whose value is the next word: letters, and long names without dashes. */
  readonly valued: ReadonlySet<string>
  /** Words before the command, after the flags. */
  readonly positionals: number
  /** Words that have to come first, such as `dlx` of pnpm. */
  readonly subcommands?: ReadonlySet<string>
  /** Flags whose value is a script for a shell. */
  readonly scripted?: ReadonlySet<string>
  /** Flags with which nothing is run. */
  readonly inert?: ReadonlySet<string>
  /** Whether `NAME=value` may come before the command. */
  readonly takesAssignments?: boolean
  /** Whether the command is one text for a shell, its words joined. */
  readonly isScript?: boolean
  /** Whether words are added that the command line does not show. */
  readonly addsWords?: boolean
}

const set = (words: string): ReadonlySet<string> => new Set(words.split(" ").filter((word) => word !== ""))

function transparent(valued = "", more: Partial<Wrapper> = {}): Wrapper {
  return { kind: "transparent", valued: set(valued), positionals: 0, ...more }
}

function distinct(valued = "", more: Partial<Wrapper> = {}): Wrapper {
  return { ...transparent(valued, more), kind: "distinct" }
}

const NPX = distinct("p package w workspace c call", { scripted: set("c call") })

export const WRAPPERS: ReadonlyMap<string, Wrapper> = new Map<string, Wrapper>([
  ["builtin", transparent()],
  ["busybox", transparent()],
  ["caffeinate", transparent("t w")],
  ["chroot", distinct("userspec groups", { positionals: 1 })],
  ["chrt", transparent("T P D", { positionals: 1 })],
  ["command", transparent("", { inert: set("v V") })],
  ["doas", distinct("u C a")],
  ["env", transparent("u unset C chdir S split-string", { takesAssignments: true, scripted: set("S split-string") })],
  ["exec", transparent("a")],
  ["flock", transparent("w timeout E c command", { positionals: 1, scripted: set("c command") })],
  ["ionice", transparent("c n p class classdata")],
  ["ltrace", transparent("o e p s u")],
  ["mise", distinct("", { subcommands: set("exec x") })],
  ["nice", transparent("n adjustment")],
  ["nohup", transparent()],
  ["noglob", transparent()],
  ["parallel", transparent("j jobs S sshlogin a arg-file colsep delay", { isScript: true, addsWords: true })],
  ["pkexec", distinct("u user")],
  ["proxychains4", transparent("f")],
  ["rtk", transparent()],
  ["runuser", distinct("u g c", { scripted: set("c command") })],
  ["setarch", transparent("", { positionals: 1 })],
  ["setsid", transparent()],
  ["ssh", distinct("B b c D E e F I i J L l m O o p Q R S W w", { positionals: 1, isScript: true })],
  ["stdbuf", transparent("i o e input output error")],
  ["strace", transparent("a b e I o O p P s S u U X")],
  ["su", distinct("c command g G s shell w", { scripted: set("c command"), positionals: Infinity })],
  [
    "sudo",
    distinct("C D g h p R r T t U u chdir close-from group host prompt role type user other-user", {
      takesAssignments: true,
    }),
  ],
  ["taskset", transparent("", { positionals: 1 })],
  ["time", transparent("f o format output")],
  ["timeout", transparent("k s kill-after signal", { positionals: 1 })],
  ["toybox", transparent()],
  ["unshare", transparent("S G R w")],
  ["watch", transparent("n interval", { isScript: true })],
  [
    "xargs",
    transparent("a arg-file d delimiter E I L max-lines n max-args P max-procs s max-chars replace", {
      addsWords: true,
    }),
  ],
  ["bunx", NPX],
  ["npx", NPX],
  ["pnpx", NPX],
  ["npm", distinct("p package w workspace c call", { subcommands: set("exec x"), scripted: set("c call") })],
  ["bun", distinct("", { subcommands: set("x") })],
  ["pnpm", distinct("package C dir filter F", { subcommands: set("dlx exec"), scripted: set("c shell-mode") })],
  ["yarn", distinct("p package", { subcommands: set("dlx exec") })],
  ["pipx", distinct("spec python pip-args", { subcommands: set("run") })],
  ["uvx", distinct("from with p python index")],
  ["uv", distinct("with p python package directory project", { subcommands: set("run") })],
  ["poetry", distinct("C directory P project", { subcommands: set("run") })],
  ["bundle", distinct("", { subcommands: set("exec") })],
])

/** Shells that take a script from `-c`, from a file or from what is piped in. */
export const SHELLS: ReadonlySet<string> = set("ash bash csh dash fish ksh mksh pwsh rbash sh tcsh zsh")

/** Programs that run code of another language, with the flags that give it on the command line. */
export const INTERPRETERS: readonly { readonly name: RegExp; readonly code: RegExp }[] = [
  { name: /^(?:python|pypy)[\d.]*$/, code: /^-[A-Za-z]*c/ },
  { name: /^(?:node|nodejs|bun|tsx|ts-node)$/, code: /^(?:-[a-z]*[ep]|--eval|--print)/ },
  { name: /^deno$/, code: /^eval$/ },
  { name: /^(?:perl|ruby)[\d.]*$/, code: /^-[A-Za-z0-9]*[eE]/ },
  { name: /^php[\d.]*$/, code: /^-[rBE]/ },
  { name: /^(?:lua|luajit|Rscript|osascript|groovy|elixir|julia)[\d.]*$/, code: /^-e/ },
  { name: /^[gmn]?awk$/, code: /system\s*\(|getline|\|/ },
  { name: /^g?sed$/, code: /(?:^|[;{}\d$/|#,])\s*[eEwW](?:\s|$)|\/[gpiImM0-9]*e[gpiImM0-9]*(?:$|[;}])/ },
]

/** Variables that decide what the commands after them run or do. */
export const DECIDING_VARIABLE =
  /^(?:PATH|IFS|ENV|CDPATH|SHELL|SHELLOPTS|BASHOPTS|BASH_ENV|BASH_FUNC.*|PROMPT_COMMAND|PS4|ZDOTDIR|LD_.*|DYLD_.*|GIT_.*|PAGER|MANPAGER|LESSOPEN|LESSCLOSE|EDITOR|VISUAL|BROWSER|NODE_OPTIONS|NODE_PATH|PYTHON[A-Z]+|PERL5[A-Z]+|PERLLIB|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|npm_config_.*|HOME|TAR_OPTIONS|GCONV_PATH)$/i

/** Long names of programs' flags by their letters, so that `-rf` and `--recursive --force` are one. */
const LONG_FLAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  rm: { recursive: "r", force: "f", dir: "d", verbose: "v", "no-preserve-root": "" },
  chmod: { recursive: "R" },
  chown: { recursive: "R" },
  chgrp: { recursive: "R" },
  cp: { recursive: "r", force: "f", archive: "a" },
  mv: { force: "f" },
  ln: { force: "f", symbolic: "s" },
  git: { force: "f", delete: "d", all: "a", amend: "", hard: "", mirror: "", "no-verify": "n" },
  curl: { output: "o", data: "d", request: "X", insecure: "k", "upload-file": "T" },
  wget: { "output-document": "O" },
  docker: { privileged: "" },
  sed: { "in-place": "i" },
  grep: { recursive: "r" },
  tee: { append: "a" },
  kill: { signal: "s" },
}

/** The long flags of a program and the letters that they stand for; "" for none. */
export function longFlagsOf(program: string): Readonly<Record<string, string>> {
  return LONG_FLAGS[program] ?? {}
}

/** Letters that a program takes for one and the same. */
const SAME_LETTERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  rm: { R: "r" },
  cp: { R: "r" },
  grep: { R: "r" },
}

export function toLetter(program: string, letter: string): string {
  return SAME_LETTERS[program]?.[letter] ?? letter
}

/** Programs whose long flags begin with one dash, so that letters are never bundled. */
export const SINGLE_DASH: ReadonlySet<string> = set(
  "clang consul cscript ffmpeg find gcc go java javac nomad openssl packer terraform tofu vault wscript xcodebuild",
)

/** What programs do with the files that they are given. */
export const READERS: ReadonlySet<string> = set(
  "ag awk base32 base64 bat batcat cat cksum cmp column comm cut diff egrep emacs expand fgrep file fmt fold gawk gpg grep gunzip gzip head hexdump iconv join jq less look mawk md5sum more nano nl nvim od openssl paste pr rev rg scp sdiff sed sha1sum sha256sum sort source split strings sum tac tail tar tr uniq vi view vim wc xxd yq zcat zgrep zip .",
)

/** Of these the first word is a pattern or program rather than a file, most of the time. */
export const PATTERN_FIRST: ReadonlySet<string> = set("ag awk egrep fgrep gawk grep jq mawk rg sed tr yq zgrep")

/** Programs that write, move or delete every file that they are given; those of `TREES` with all beneath. */
export const WRITERS: ReadonlySet<string> = set(
  "chattr chgrp chmod chown ed emacs ex mkdir nano nvim rm rmdir setfacl shred srm tee touch trash truncate unlink vi vim",
)
/** Programs that read their files and write the last one. */
export const COPIERS: ReadonlySet<string> = set("cp install ln mv rsync scp")
/** Programs that act on all beneath a folder. */
export const TREES: ReadonlySet<string> = set("mv rm rsync tar zip trash srm")

/** Programs whose words are text and never files. */
export const SPEAKERS: ReadonlySet<string> = set(
  "echo printf : true false test [ export declare local readonly typeset unset set",
)

/** Options of git before its sub-command that take the next word. */
export const GIT_VALUED: ReadonlySet<string> = set(
  "-C -c --git-dir --work-tree --namespace --super-prefix --config-env --attr-source",
)
