import path from "node:path"
import { build } from "vite"

/**
 * Bundles the `belay` command into `folder`: one CommonJS file that a hook loads, one with what decides, which it loads
 * where there is something to decide, and one with all other commands. Node starts a CommonJS file in less time than a
 * module, and one file in less than twenty; a hook is started for each action of an agent. Resolves to the file to run.
 */
export async function buildCommand(folder: string): Promise<string> {
  for (const [entry, file] of PARTS) await bundle(folder, entry, file)
  return path.join(folder, "belay.cjs")
}

const PARTS = new Map([
  ["commands.ts", "commands.cjs"],
  ["hook/decide.ts", "decide.cjs"],
  ["belay-cli.ts", "belay.cjs"],
])
/** What another file loads in place of holding it too. */
const LATER = new Map(
  [...PARTS]
    .filter(([entry]) => entry !== "belay-cli.ts")
    .map(([entry, file]) => [path.join(import.meta.dirname, entry), file]),
)

async function bundle(folder: string, entry: string, file: string): Promise<void> {
  const isLater = (id: string) => LATER.has(id) && LATER.get(id) !== file
  await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: "warn",
    // What is needed at run time comes along: the command is to start where nothing else is installed.
    ssr: { noExternal: true },
    build: {
      ssr: path.join(import.meta.dirname, entry),
      outDir: folder,
      emptyOutDir: false,
      // What decides is large, and loaded for each action: of half the bytes Node makes a program in half the time.
      minify: true,
      target: "node22",
      rollupOptions: {
        external: (id, importer) => isLater(path.resolve(path.dirname(importer ?? ""), id)) || isLater(id),
        output: {
          format: "cjs",
          entryFileNames: file,
          inlineDynamicImports: true,
          // Loading the loader of modules takes longer than what is loaded.
          dynamicImportInCjs: false,
          paths: (id) => (isLater(id) ? `./${LATER.get(id)}` : id),
          banner: "#!/usr/bin/env node",
        },
      },
    },
  })
}
