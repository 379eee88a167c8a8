import { readFile, stat } from "node:fs/promises"
import { dirname } from "node:path"

export interface OsUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Postgres refuses to run as root; these exist on most systems, and the first that does is taken. */
const CANDIDATES = ["postgres", "_postgres", "nobody"]

/**
 * The user that Postgres runs under when Belay was started as root.
 *
 * Throws when /etc/passwd has none of the users it could be.
 */
export async function findUnprivilegedUser(): Promise<OsUser> {
  const users = await listUsers()
  for (const name of CANDIDATES) {
    const user = users.find((candidate) => candidate.name === name && candidate.uid !== 0)
    if (user) return user
  }
  throw new Error(
    `Postgres does not run as root, and there is no OS user to run it under (looked for ${CANDIDATES.join(", ")}). ` +
      "Create one (useradd --system postgres), or start Belay as an ordinary user.",
  )
}

/** The user with this id; a user that /etc/passwd does not list is named by its number. */
export async function userById(uid: number, gid: number): Promise<OsUser> {
  const known = (await listUsers()).find((user) => user.uid === uid)
  return { name: known?.name ?? `with id ${uid}`, uid, gid }
}

async function listUsers(): Promise<OsUser[]> {
  const passwd = await readFile("/etc/passwd", "utf8").catch(() => "")
  return passwd.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":")
    return name && uid && gid && !name.startsWith("#") ? [{ name, uid: Number(uid), gid: Number(gid) }] : []
  })
}

/**
 * The first folder on the way to `path` (an existing real path, itself included when it is a folder) that `user` may
 * not search; undefined when the way is free. Goes by owner, group and mode; access lists are not looked at.
 */
export async function firstUnsearchable(path: string, user: OsUser): Promise<string | undefined> {
  const parent = dirname(path)
  const above = parent === path ? undefined : await firstUnsearchable(parent, user)
  if (above !== undefined) return above
  const info = await stat(path)
  return info.isDirectory() && !mayExecute(info, user) ? path : undefined
}

/** Whether `user` may run the program at `path`, an existing real path. Goes by owner, group and mode. */
export async function isRunnableBy(path: string, user: OsUser): Promise<boolean> {
  return mayExecute(await stat(path), user) && (await firstUnsearchable(path, user)) === undefined
}

function mayExecute(file: { uid: number; gid: number; mode: number }, user: OsUser): boolean {
  if (file.uid === user.uid) return (file.mode & 0o100) !== 0
  // Node drops the supplementary groups together with root, so the primary group is the only one.
  if (file.gid === user.gid) return (file.mode & 0o010) !== 0
  return (file.mode & 0o001) !== 0
}
