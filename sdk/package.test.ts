import { execFile, execFileSync } from "node:child_process"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { gzipSync } from "node:zlib"
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import { build } from "esbuild"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { expect, onTestFinished, test as base } from "vitest"
import { PAYLOADS } from "./cli/hook/payloads.ts"
import { startReceiver } from "./test-receiver.ts"

/** The package as npm would publish it, packed and laid out as an author has it. */
const test = base.extend("published", { scope: "file" }, async ({}, { onCleanup }) => {
  const folder = mkdtempSync(path.join(tmpdir(), "belay-package-"))
  onCleanup(() => rmSync(folder, { recursive: true, force: true }))
  execFileSync(process.execPath, [path.join(import.meta.dirname, "build.ts")])
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], {
    cwd: import.meta.dirname,
    stdio: "pipe",
  })
  // Whoever bundles here, bundles as for an author who has no settings of their own.
  writeFileSync(path.join(folder, "tsconfig.json"), "{}")
  const tarball = path.join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "")
  const modules = path.join(folder, "node_modules")
  const installed = path.join(modules, "@belay/sdk")
  mkdirSync(installed, { recursive: true })
  execFileSync("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"])
  const ours = path.join(import.meta.dirname, "../node_modules")
  for (const name of ["@opentelemetry", "@types", "undici-types", "unbash", "yaml", "zod"])
    symlinkSync(path.join(ours, name), path.join(modules, name))
  symlinkSync(path.join(import.meta.dirname, "node_modules/picomatch"), path.join(modules, "picomatch"))
  return { folder, installed, tarball }
})

const TIMEOUT = 120_000

test("has nothing that publint finds wrong", { timeout: TIMEOUT }, async ({ published }) => {
  const { messages, pkg } = await publint({ pkgDir: published.installed, strict: true, pack: false })
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
})

test("has the types that its modules have, however they are found", { timeout: TIMEOUT }, async ({ published }) => {
  const data = createPackageFromTarballData(new Uint8Array(readFileSync(published.tarball)))
  const analysis = await checkPackage(data)
  expect(analysis.types).toMatchObject({ kind: "included" })
  // `node10` knows no entry points but the first.
  const problems = "problems" in analysis ? analysis.problems : []
  const isOld = (problem: object) => "resolutionKind" in problem && problem.resolutionKind === "node10"
  expect(problems.filter((problem) => !isOld(problem))).toEqual([])
})

const PROGRAM = `const suggestion = noBelay.autocomplete.suggest({ model: "m" })
console.log(JSON.stringify([typeof startBelay, RUNGS.length, typeof suggestion.shown().accepted, typeof openSpool, typeof toOtlpJson, typeof decide, typeof publishedPolicy]))`

test("is loaded by import and by require", { timeout: TIMEOUT }, ({ published }) => {
  const { folder } = published
  const imported = `import { startBelay, noBelay, RUNGS } from "@belay/sdk"; import { openSpool } from "@belay/sdk/spool"; import { toOtlpJson } from "@belay/sdk/signal"; import { decide } from "@belay/sdk/policy"; import { publishedPolicy } from "@belay/sdk/policy-client"`
  const required = `const { startBelay, noBelay, RUNGS } = require("@belay/sdk"), { openSpool } = require("@belay/sdk/spool"), { toOtlpJson } = require("@belay/sdk/signal"), { decide } = require("@belay/sdk/policy"), { publishedPolicy } = require("@belay/sdk/policy-client")`
  for (const [name, head] of [
    ["program.mjs", imported],
    ["program.cjs", required],
  ] as const) {
    writeFileSync(path.join(folder, name), `${head}\n${PROGRAM}`)
    const printed = execFileSync(process.execPath, [path.join(folder, name)]).toString()
    expect([name, JSON.parse(printed)]).toEqual([
      name,
      ["function", 4, "function", "function", "function", "function", "function"],
    ])
  }
})

test(
  "compiles in an author's project, strictly, in every way of finding modules",
  { timeout: TIMEOUT },
  ({ published }) => {
    const { folder } = published
    const source = `import { type Belay, startBelay } from "@belay/sdk"
    import { startBelayWithOpenTelemetry } from "@belay/sdk/node"
    import { belayMiddleware, belayTelemetry, belayTools } from "@belay/sdk/ai-sdk"
    import { hooksFor } from "@belay/sdk/claude-agent-sdk"
    import { belayPlugin } from "@belay/sdk/opencode"
    import { publishedPolicy } from "@belay/sdk/policy-client"
    const belay: Belay = startBelay({ endpoint: "http://127.0.0.1", ingestKey: "k", agent: { name: "a" }, logs: "own", policy: publishedPolicy() })
    belay.autocomplete.suggest({ model: "m" }).shown().accepted({ lines: 1 })
    const task = belay.agent.task()
    export const { look } = belayTools(task, { look: { execute: (word: string) => word.length } })
    export const adapters = [belayMiddleware(task), belayTelemetry(task), hooksFor(task), belayPlugin(belay)]
    export const other = startBelayWithOpenTelemetry`
    writeFileSync(path.join(folder, "author.mts"), source)
    writeFileSync(path.join(folder, "author.cts"), source)
    const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc")
    for (const [module, resolution] of [
      ["nodenext", "nodenext"],
      ["esnext", "bundler"],
    ]) {
      const files = module === "nodenext" ? ["author.mts", "author.cts"] : ["author.mts"]
      const options = [
        "--module",
        module ?? "",
        "--moduleResolution",
        resolution ?? "",
        "--target",
        "es2022",
        "--types",
        "node",
      ]
      execFileSync(
        process.execPath,
        [compiler, "--strict", "--noEmit", "--skipLibCheck", "false", ...options, ...files],
        {
          cwd: folder,
          stdio: "inherit",
        },
      )
    }
  },
)

/** Kilobytes, bundled, minified and gzipped, without OpenTelemetry's API. */
test.for([
  ["@belay/sdk", "startBelay", 12],
  ["@belay/sdk/signal", "toOtlpJson", 4],
  ["@belay/sdk/spool", "openSpool", 4],
  ["@belay/sdk", "RUNGS", 0.3],
  ["@belay/sdk/ai-sdk", "belayTelemetry", 1.5],
  ["@belay/sdk/opencode", "belayPlugin", 5],
  ["@belay/sdk/claude-agent-sdk", "hooksFor", 4],
] as const)("%s with %s alone is at most %d kB", { timeout: TIMEOUT }, async ([entry, name, max], { published }) => {
  const { folder } = published
  const file = path.join(folder, "entry.mjs")
  writeFileSync(file, `import { ${name} } from ${JSON.stringify(entry)}; console.log(${name})`)
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "node",
    external: ["@opentelemetry/*"],
    tsconfig: path.join(folder, "tsconfig.json"),
  })
  expect(gzipSync(outputFiles[0]?.contents ?? "").length / 1000).toBeLessThan(max)
})

/** As VS Code's extensions and Electron's main process are made: one CommonJS file with all that it needs. */
const EXTENSION = `const { startBelay } = require("@belay/sdk")
exports.activate = async (endpoint, folder, isKilled) => {
  const belay = startBelay({ endpoint, ingestKey: "k", agent: { name: "extension" }, surface: "ide", spool: { folder } })
  const task = belay.agent.task({ mode: "code", workspace: __dirname })
  task.edit({ path: "a.ts", outcome: "accepted", origin: "human", linesAdded: 3 })
  task.finish({ outcome: "accepted" })
  if (!isKilled) return belay.shutdown()
  while (belay.stats().spooled < 3) await new Promise((resolve) => setTimeout(resolve, 5))
  process.kill(process.pid, "SIGKILL")
}`

test("bundled into one file it spools, survives a kill, and sends", { timeout: TIMEOUT }, async ({ published }) => {
  const bundled = path.join(published.folder, "extension")
  mkdirSync(bundled)
  writeFileSync(path.join(published.folder, "extension.cjs"), EXTENSION)
  const { metafile } = await build({
    entryPoints: [path.join(published.folder, "extension.cjs")],
    outfile: path.join(bundled, "extension.js"),
    bundle: true,
    minify: true,
    metafile: true,
    format: "cjs",
    platform: "node",
    target: "node22",
    external: ["vscode"],
    tsconfig: path.join(published.folder, "tsconfig.json"),
  })
  const needed = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map((entry) => entry.path))
  // Neither a thread nor a process of its own, nor a file beside the bundle.
  const builtins = ["crypto", "fs", "os", "path", "util", "zlib"].map((name) => `node:${name}`)
  expect(new Set(needed)).toEqual(new Set(builtins))
  const receiver = await startReceiver()
  onTestFinished(() => receiver.close())
  const activate = (...args: readonly unknown[]) => {
    const program = `void require("./extension.js").activate(...${JSON.stringify(args)})`
    return promisify(execFile)(process.execPath, ["-e", program], { cwd: bundled })
  }
  const spool = path.join(bundled, "spool")
  await expect(activate("http://127.0.0.1:9", spool, true)).rejects.toMatchObject({ signal: "SIGKILL" })
  expect(receiver.records).toEqual([])
  await activate(receiver.endpoint, spool, false)
  const edits = receiver.records.filter(({ event }) => event === "belay.edit")
  expect(edits.map((record) => record["belay.path_scope"])).toEqual(["in_scope", "in_scope"])
  expect(receiver.records).toHaveLength(6)
})

test("an example's hook runs the command, which keeps an edit's facts and sends them", async ({ published }) => {
  const { hooks } = JSON.parse(
    readFileSync(path.join(import.meta.dirname, "examples/claude-code-hooks.json"), "utf8"),
  ) as {
    hooks: Record<string, { matcher: string; hooks: { command: string }[] }[]>
  }
  const [entry] = hooks["PostToolUse"] ?? []
  const { edited } = PAYLOADS["claude-code"]
  expect(edited.tool_name).toMatch(new RegExp(`^(?:${entry?.matcher})$`))
  const receiver = await startReceiver()
  onTestFinished(() => receiver.close())
  // As npm lays it out.
  const [home, bin] = [path.join(published.folder, "home"), path.join(published.folder, "node_modules/.bin")]
  for (const folder of [home, bin]) mkdirSync(folder, { recursive: true })
  const command = path.join(published.installed, "dist/cli/belay.cjs")
  chmodSync(command, 0o755)
  symlinkSync(command, path.join(bin, "belay"))
  const env = {
    ...process.env,
    BELAY_HOME: home,
    BELAY_ENDPOINT: receiver.endpoint,
    BELAY_INGEST_KEY: "blk_test",
    PATH: [bin, path.dirname(process.execPath), process.env["PATH"]].join(path.delimiter),
  }
  execFileSync("sh", ["-c", entry?.hooks[0]?.command ?? ""], { env, input: JSON.stringify(edited) })
  await promisify(execFile)("belay", ["flush"], { env })
  await expect.poll(() => receiver.records).toMatchObject([{ event: "belay.context", "belay.lines_added": 2 }])
})

test("is no larger than it has to be", ({ published }) => {
  expect(statSync(published.tarball).size).toBeLessThan(381_000)
})
