import * as fs from "node:fs"
import path from "node:path"

/** The machine as the command sees it; tests make one of their own. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The person's home folder. */
  readonly home: string
  readonly cwd: string
  readonly platform: NodeJS.Platform
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Where telemetry goes and whose it is. */
export interface Settings {
  /** Of the OTLP receiver, without a path. */
  readonly endpoint?: string | undefined
  readonly key?: string | undefined
  /** The person: an e-mail address or an id. */
  readonly enduserId?: string | undefined
}

/** The folder of the command's own files: settings, spool, backups. `BELAY_HOME`, or `~/.belay`. */
export function belayFolder(host: Host): string {
  return host.env["BELAY_HOME"] ?? path.join(host.home, ".belay")
}

export function spoolFolder(host: Host): string {
  return path.join(belayFolder(host), "spool", "hooks")
}

/**
 * What `belay connect` wrote down; the environment (`BELAY_ENDPOINT`, `BELAY_INGEST_KEY`, `BELAY_ENDUSER_ID`) goes
 * before it. Agent tools do not hand their environment on to hooks, so the file is what hooks have. Empty when there is
 * neither. Never throws.
 */
export function readSettings(host: Host): Settings {
  const kept = readKept(host)
  return {
    endpoint: host.env["BELAY_ENDPOINT"] ?? kept.endpoint,
    key: host.env["BELAY_INGEST_KEY"] ?? kept.key,
    enduserId: host.env["BELAY_ENDUSER_ID"] ?? kept.enduserId,
  }
}

export function settingsFile(host: Host): string {
  return path.join(belayFolder(host), "settings.json")
}

function readKept(host: Host): Settings {
  try {
    const kept = JSON.parse(fs.readFileSync(settingsFile(host), "utf8")) as Record<string, unknown> | null
    const text = (key: string) => (typeof kept?.[key] === "string" ? kept[key] : undefined)
    return { endpoint: text("endpoint"), key: text("key"), enduserId: text("enduserId") }
  } catch {
    return {}
  }
}
