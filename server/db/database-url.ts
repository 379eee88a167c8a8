import { readFileSync } from "node:fs"
import { checkServerIdentity, type ConnectionOptions } from "node:tls"

export interface DatabaseAddress {
  /** At least one; to be tried in turn. */
  readonly endpoints: readonly ({ readonly host: string; readonly port: number } | { readonly path: string })[]
  readonly login: { readonly user?: string; readonly pass?: string; readonly database?: string }
  readonly ssl: false | "prefer" | ConnectionOptions
  /** What the server is to be told at the start of a session. */
  readonly parameters: Readonly<Record<string, string>>
}

/** Of libpq's URL parameters those that say how to connect. All others are settings for the server. */
const FOR_THE_CLIENT = new Set(
  [
    "host hostaddr port user password passfile dbname service connect_timeout",
    "ssl sslmode sslrootcert sslcert sslkey sslpassword sslcrl sslsni sslcompression sslnegotiation sslcertmode",
    "ssl_min_protocol_version ssl_max_protocol_version channel_binding gssencmode krbsrvname require_auth requirepeer",
    "target_session_attrs load_balance_hosts keepalives keepalives_idle keepalives_interval keepalives_count",
    "tcp_user_timeout fallback_application_name client_encoding",
  ].flatMap((line) => line.split(" ")),
)

/**
 * Reads a libpq connection URL: `postgres://user:password@host:port,host:port/database?sslmode=verify-full&...`.
 *
 * A host that is a folder (percent-encoded, or as `?host=`) is that of a Unix socket. sslmode means what it means to
 * libpq, with the one difference that nothing is `disable`; `allow` is `prefer`. sslrootcert, sslcert and sslkey are
 * read from their files, and `sslrootcert=system` means the authorities that Node trusts.
 *
 * Throws when it is no such URL, when sslmode is unknown or when a file cannot be read. Never names the password.
 */
export function parseDatabaseUrl(url: string): DatabaseAddress {
  const match =
    /^postgres(?:ql)?:\/\/(?:(?<login>[^@/?]*)@)?(?<hosts>[^/?]*)(?:\/(?<database>[^?]*))?(?:\?(?<query>.*))?$/.exec(
      url,
    )
  if (!match?.groups)
    throw new Error("The database URL is not of the form postgres://user:password@host:port/database.")
  const { login = "", hosts = "", database = "", query = "" } = match.groups
  const colon = login.indexOf(":")
  const user = decodeURIComponent(colon === -1 ? login : login.slice(0, colon))
  const pass = colon === -1 ? "" : decodeURIComponent(login.slice(colon + 1))
  const parameters = new URLSearchParams(query)

  const named = hosts || encodeURIComponent(parameters.get("host") ?? "localhost")
  const endpoints = named.split(",").map(parseEndpoint)

  return {
    endpoints,
    login: {
      ...(user && { user }),
      ...(pass && { pass }),
      ...(database && { database: decodeURIComponent(database) }),
    },
    ssl: readSsl(parameters, endpoints),
    parameters: Object.fromEntries([...parameters].filter(([name]) => !FOR_THE_CLIENT.has(name))),
  }
}

function parseEndpoint(text: string): DatabaseAddress["endpoints"][number] {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:]*))(?::(?<port>\d+))?$/.exec(text)
  if (!match?.groups) throw new Error(`"${text}" in the database URL is not of the form host:port.`)
  const { v6, name = "", port = "5432" } = match.groups
  const host = v6 ?? decodeURIComponent(name)
  return host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host: host || "localhost", port: Number(port) }
}

function readSsl(parameters: URLSearchParams, endpoints: DatabaseAddress["endpoints"]): DatabaseAddress["ssl"] {
  const root = parameters.get("sslrootcert")
  const asked = parameters.get("sslmode") ?? (parameters.get("ssl") === "true" ? "require" : "disable")
  // As in libpq: having an authority to check against means checking.
  const mode = root === "system" ? "verify-full" : asked === "require" && root !== null ? "verify-ca" : asked
  const files = {
    ...(root !== null && root !== "system" && { ca: readFileSync(root) }),
    ...readNamed(parameters, "sslcert", "cert"),
    ...readNamed(parameters, "sslkey", "key"),
  }
  switch (mode) {
    case "disable":
      return false
    case "allow":
    case "prefer":
      return "prefer"
    case "require":
      return { ...files, rejectUnauthorized: false }
    case "verify-ca":
      return { ...files, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case "verify-full":
      return {
        ...files,
        rejectUnauthorized: true,
        // The driver hands on no name when the host is an address, and Node then checks for "localhost".
        checkServerIdentity(_name, certificate) {
          const hosts = endpoints.flatMap((endpoint) => ("host" in endpoint ? [endpoint.host] : []))
          const refusals = hosts.map((host) => checkServerIdentity(host, certificate))
          return refusals.includes(undefined) ? undefined : refusals[0]
        },
      }
    default:
      throw new Error(`sslmode=${mode} in the database URL is unknown.`)
  }
}

function readNamed(parameters: URLSearchParams, name: string, option: "cert" | "key"): ConnectionOptions {
  const path = parameters.get(name)
  return path === null ? {} : { [option]: readFileSync(path) }
}
