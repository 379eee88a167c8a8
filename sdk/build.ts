/** `npm run build -w sdk`: the package as ES modules and as CommonJS, each with its types, and the `belay` command. */
import { execFileSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import path from "node:path"
import { buildCommand } from "./cli/build.ts"

const folder = import.meta.dirname
const dist = path.join(folder, "dist")
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc")

rmSync(dist, { recursive: true, force: true })
for (const config of ["tsconfig.build.json", "tsconfig.cjs.json"]) {
  execFileSync(process.execPath, [compiler, "-p", path.join(folder, config)], { stdio: "inherit" })
}
writeFileSync(path.join(dist, "cjs/package.json"), '{ "type": "commonjs" }\n')
await buildCommand(path.join(dist, "cli"))
