import * as fs from "node:fs"
import path from "node:path"
import type { PolicyKey } from "../policy/envelope.ts"
import { NO_KEY, parsePolicyKeys, readPolicyKeys } from "../policy/keys.ts"
import { policyFiles, type PolicyFiles, type PolicyOwner } from "../policy/note.ts"

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
  /** Whether hooks decide by the organization's policy. */
  readonly isDeciding?: boolean | undefined
  /** The keys that the first policy may be signed with; undefined for those that the endpoint gives. */
  readonly policyKeys?: readonly PolicyKey[] | undefined
  /** Where Belay's pages are, without a slash at the end; the endpoint's origin unless said otherwise. */
  readonly appUrl?: string | undefined
}

/** The folder of the command's own files: settings, spool, backups. `BELAY_HOME`, or `~/.belay`. */
export function belayFolder(host: Host): string {
  return host.env["BELAY_HOME"] ?? path.join(host.home, ".belay")
}

export function spoolFolder(host: Host): string {
  return path.join(belayFolder(host), "spool", "hooks")
}

/** Where policies are kept, by this command and by agents that use the SDK. */
export function policyFolder(host: Host): string {
  return path.join(belayFolder(host), "policy")
}

/** Whose policy is kept; null when the settings name nobody. */
export function policyOwner({ endpoint, key, enduserId }: Settings): PolicyOwner | null {
  return endpoint === undefined || key === undefined ? null : { endpoint, key, enduser: enduserId }
}

export function policyFilesOf(host: Host, settings: Settings): PolicyFiles | null {
  const owner = policyOwner(settings)
  return owner === null ? null : policyFiles(policyFolder(host), owner)
}

/**
 * What `belay connect` wrote down; the environment (`BELAY_ENDPOINT`, `BELAY_INGEST_KEY`, `BELAY_ENDUSER_ID`,
 * `BELAY_POLICY_KEYS`, `BELAY_APP_URL`) goes before it. Agent tools do not hand their environment on to hooks, so the file
 * is what hooks have. Empty when there is neither. Never throws.
 */
export function readSettings(host: Host): Settings {
  const kept = readKept(host)
  return {
    endpoint: host.env["BELAY_ENDPOINT"] ?? kept.endpoint,
    key: host.env["BELAY_INGEST_KEY"] ?? kept.key,
    enduserId: host.env["BELAY_ENDUSER_ID"] ?? kept.enduserId,
    isDeciding: kept.isDeciding,
    policyKeys: pinnedKeys(host.env["BELAY_POLICY_KEYS"]) ?? kept.policyKeys,
    appUrl: (host.env["BELAY_APP_URL"] ?? kept.appUrl)?.replace(/\/+$/, ""),
  }
}

function pinnedKeys(text: string | undefined): readonly PolicyKey[] | undefined {
  return text === undefined ? undefined : (parsePolicyKeys(text) ?? NO_KEY)
}

export function settingsFile(host: Host): string {
  return path.join(belayFolder(host), "settings.json")
}

function readKept(host: Host): Settings {
  try {
    const kept = JSON.parse(fs.readFileSync(settingsFile(host), "utf8")) as Record<string, unknown> | null
    const text = (key: string) => (typeof kept?.[key] === "string" ? kept[key] : undefined)
    const keys = kept?.["policyKeys"]
    return {
      endpoint: text("endpoint"),
      key: text("key"),
      enduserId: text("enduserId"),
      isDeciding: kept?.["isDeciding"] === true ? true : undefined,
      policyKeys: keys === undefined ? undefined : (readPolicyKeys(keys) ?? NO_KEY),
      appUrl: text("appUrl"),
    }
  } catch {
    return {}
  }
}
