import * as fs from "node:fs"
import path from "node:path"
import { createTwoFilesPatch } from "diff"
import { belayFolder, type Host, readSettings, type Settings, settingsFile } from "../home.ts"
import { editJson } from "./edit-json.ts"
import { type Connection, PLANS, type Plan } from "./plans.ts"

export interface ConnectOptions {
  readonly tool: string
  /** What was given on the command line; what is left out is what was connected before. */
  readonly given: Settings
  readonly isDryRun: boolean
  readonly belay: string
}

/** A file as it is and as it shall be. `before` is null when it is not there. */
export interface Change {
  readonly file: string
  readonly before: string | null
  readonly after: string
}

/** The tool's plan. Throws for a tool that is not known. */
export function planOf(tool: string, connection: Connection, host: Host): Plan {
  const plan = Object.hasOwn(PLANS, tool) ? PLANS[tool] : undefined
  if (plan === undefined) throw new Error(`there is no tool ${tool}; there are ${Object.keys(PLANS).join(", ")}`)
  return plan(connection, host)
}

/** What would change. Throws for a file that cannot be read, and names it. */
export function changesOf(plan: Plan): readonly Change[] {
  return plan.changes.flatMap(({ file, edit }) => {
    const before = readText(file)
    try {
      const after = edit(before ?? "")
      return after === before ? [] : [{ file, before, after }]
    } catch (error) {
      throw new Error(`${file} was left as it is: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  })
}

/** The connection that is given and kept together. Throws when there is no endpoint or no key, or one that is none. */
export function connectionOf(settings: Settings, belay: string): Connection {
  const { endpoint, key, enduserId, isDeciding = false } = settings
  if (endpoint === undefined) throw new Error("--endpoint is missing: where Belay takes telemetry, http://host:4318")
  if (key === undefined) throw new Error("--key is missing: an ingest key, from Belay's page Connect")
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint))
    throw new Error(`${endpoint} is not an http or https address`)
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error("the key has characters that no key has")
  if (enduserId !== undefined && !/^[^\s,=]+$/.test(enduserId))
    throw new Error("--user has a space, comma or equals sign")
  return { endpoint: endpoint.replace(/\/+$/, ""), key, enduserId, isDeciding, belay }
}

/**
 * Connects a tool: its files are changed all or none, each in one step, and what they were is kept for `undo`. Returns
 * what to tell the person, with the key blanked out. Throws, in words for the person, with nothing changed.
 */
export function connect({ tool, given, isDryRun, belay }: ConnectOptions, host: Host): readonly string[] {
  const kept = readSettings(host)
  const settings = {
    endpoint: given.endpoint ?? kept.endpoint,
    key: given.key ?? kept.key,
    enduserId: given.enduserId ?? kept.enduserId,
    isDeciding: given.isDeciding ?? kept.isDeciding,
    policyKeys: given.policyKeys ?? kept.policyKeys,
    appUrl: given.appUrl ?? kept.appUrl,
  }
  if (settings.appUrl !== undefined && !URL.canParse(settings.appUrl)) {
    throw new Error(`${settings.appUrl} is not an address`)
  }
  const connection = connectionOf(settings, belay)
  const plan = planOf(tool, connection, host)
  const changes = changesOf(plan)
  const lines = [
    ...changes.map(toDiff),
    ...(changes.length === 0 ? [`${tool}: every setting is as it should be`] : []),
    ...environmentLines(plan),
    ...plan.notes,
  ].map((line) => line.replaceAll(connection.key, `${connection.key.slice(0, 4)}…`))
  if (isDryRun) return [...lines, "Nothing was changed."]
  writeAll(changes)
  if (changes.length > 0) remember(tool, changes, host)
  const own = { file: settingsFile(host), before: readText(settingsFile(host)) }
  const keep = editJson(() => [
    { path: ["endpoint"], value: connection.endpoint },
    { path: ["key"], value: connection.key },
    ...Object.entries({
      enduserId: connection.enduserId,
      isDeciding: settings.isDeciding,
      policyKeys: settings.policyKeys,
      appUrl: settings.appUrl,
    }).flatMap(([name, value]) => (value === undefined ? [] : [{ path: [name], value }])),
  ])
  writeAll([{ ...own, after: keep(own.before ?? "") }])
  if (changes.length > 0) lines.push(`Undo with: belay connect ${tool} --undo`)
  return lines
}

/** Puts the files back as they were before the tool was connected. Throws, with nothing changed, where that loses something. */
export function undo(tool: string, host: Host): readonly string[] {
  const history = readHistory(tool, host)
  const last = history.at(-1)
  if (last === undefined) throw new Error(`${tool} was not connected from here`)
  const changed = last.find(({ file, after }) => readText(file) !== after)
  if (changed !== undefined) {
    throw new Error(
      `${changed.file} has changed since; nothing was undone. As it was before, it is in ${historyFile(tool, host)}`,
    )
  }
  writeAll(last.map(({ file, before, after }) => ({ file, before: after, after: before })))
  writeHistory(tool, history.slice(0, -1), host)
  return last.map(({ file, before }) => `${file} ${before === null ? "was removed" : "is as it was"}`)
}

function environmentLines({ environment }: Plan): readonly string[] {
  const variables = Object.entries(environment)
  if (variables.length === 0) return []
  return [
    "Put these where the tool is started from, such as your shell's profile:",
    ...variables.map(([name, value]) => `  export ${name}="${value}"`),
  ]
}

function toDiff({ file, before, after }: Change): string {
  return createTwoFilesPatch(before === null ? "/dev/null" : file, file, before ?? "", after, undefined, undefined, {
    context: 2,
  }).trimEnd()
}

/** `after` of null removes the file. */
interface Write {
  readonly file: string
  readonly before: string | null
  readonly after: string | null
}

/** All or none, as far as the disk lets: what was written is written back when a later file fails. */
function writeAll(writes: readonly Write[]): void {
  const written: Write[] = []
  try {
    for (const write of writes) {
      replaceFile(write.file, write.after)
      written.push(write)
    }
  } catch (error) {
    for (const { file, before } of written) replaceFile(file, before)
    throw error
  }
}

/** In one step, so that a tool that reads it meanwhile reads one or the other. */
function replaceFile(file: string, text: string | null): void {
  if (text === null) return fs.rmSync(file, { force: true })
  fs.mkdirSync(path.dirname(file), { recursive: true })
  // Settings are often links into a folder of dotfiles, and shall stay so.
  const target = fs.existsSync(file) ? fs.realpathSync(file) : file
  // A new one has the key in it.
  const mode = fs.statSync(target, { throwIfNoEntry: false })?.mode ?? 0o600
  const fresh = `${target}.belay-${process.pid}`
  try {
    fs.writeFileSync(fresh, text, { mode })
    fs.chmodSync(fresh, mode)
    fs.renameSync(fresh, target)
  } catch (error) {
    fs.rmSync(fresh, { force: true })
    throw error
  }
}

/** What each connect changed, oldest first. */
type History = readonly (readonly Change[])[]

function historyFile(tool: string, host: Host): string {
  return path.join(belayFolder(host), "backups", `${tool}.json`)
}

function readHistory(tool: string, host: Host): History {
  const text = readText(historyFile(tool, host))
  return text === null ? [] : (JSON.parse(text) as History)
}

function writeHistory(tool: string, history: History, host: Host): void {
  replaceFile(historyFile(tool, host), history.length === 0 ? null : `${JSON.stringify(history, null, 2)}\n`)
}

/** A second connect goes on from the first where nobody else changed the files, so that one undo undoes both. */
function remember(tool: string, changes: readonly Change[], host: Host): void {
  const history = readHistory(tool, host)
  const last = history.at(-1) ?? []
  const isContinued =
    last.length > 0 &&
    changes.every((change) => last.some((was) => was.file === change.file && was.after === change.before))
  if (!isContinued) return writeHistory(tool, [...history, changes], host)
  const merged = last.map((was) => ({
    ...was,
    after: changes.find(({ file }) => file === was.file)?.after ?? was.after,
  }))
  writeHistory(tool, [...history.slice(0, -1), merged], host)
}

function readText(file: string): string | null {
  try {
    return fs.readFileSync(file, "utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null
    throw error
  }
}
