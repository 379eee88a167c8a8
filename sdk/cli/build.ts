import path from "node:path"
import { build } from "vite"

/**
 * Bundles the `belay` command into `folder`: one CommonJS file that a hook loads and one with all other commands. Node
 * starts a CommonJS file in less time than a module, and one file in less than twenty; a hook is started for each action
 * of an agent. Resolves to the file to run.
 */
export async function buildCommand(folder: string): Promise<string> {
  await bundle(folder, "commands.ts", "commands.cjs")
  await bundle(folder, "belay-cli.ts", "belay.cjs")
  return path.join(folder, "belay.cjs")
}

const COMMANDS = path.join(import.meta.dirname, "commands.ts")

async function bundle(folder: string, entry: string, file: string): Promise<void> {
  const isCommands = (id: string) => id === COMMANDS && entry !== "commands.ts"
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
      target: "node22",
      rollupOptions: {
        external: (id, importer) => isCommands(path.resolve(path.dirname(importer ?? ""), id)) || isCommands(id),
        output: {
          format: "cjs",
          entryFileNames: file,
          inlineDynamicImports: true,
          paths: (id) => (isCommands(id) ? "./commands.cjs" : id),
          banner: "#!/usr/bin/env node",
        },
      },
    },
  })
}
