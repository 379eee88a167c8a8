import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, openSync, closeSync, constants, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { text } from "node:stream/consumers"
import { expect, test as base } from "vitest"
import { openSpool } from "./spool.ts"
import { startReceiver } from "./test-receiver.ts"

/** Faults in which a process of its own has to go on: what a test of the same process could not tell. */

const test = base
  .extend("folder", async ({}, { onCleanup }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "belay-faults-"))
    onCleanup(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  })
  .extend("receiver", async ({}, { onCleanup }) => {
    const receiver = await startReceiver()
    onCleanup(() => receiver.close())
    return receiver
  })

/** Runs a host that has a started `belay`; what it prints is what it is judged by. */
function startHost(options: object, body: string, env: Record<string, string> = {}) {
  const program = `
    import { startBelay } from ${JSON.stringify(path.join(import.meta.dirname, "belay.ts"))}
    import { promises as fs } from "node:fs"
    process.on("uncaughtException", (error) => console.log("uncaught", error.message))
    process.on("unhandledRejection", (error) => console.log("unhandled", error))
    const belay = startBelay({ ingestKey: "k", agent: { name: "host" }, ...${JSON.stringify(options)} })
    const use = (id) => belay.chat.turn({ model: "m", sessionId: id }).firstToken().answered().applied()
    ${body}`
  return spawn(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  })
}

async function end(host: ReturnType<typeof startHost>): Promise<{ code: unknown; printed: string }> {
  const exited = once(host, "exit")
  const printed = await text(host.stdout)
  const [code] = await exited
  return { code, printed: printed.trim() }
}

test("a host that just ends sends what there is", async ({ receiver, folder }) => {
  const host = startHost({ endpoint: receiver.endpoint, spool: { folder } }, `use("s"); console.log("done")`)
  expect(await end(host)).toEqual({ code: 0, printed: "done" })
  expect(receiver.records.length).toBe(2)
})

test("a host that exits at once, with the endpoint away, leaves it for the next start", async ({ folder }) => {
  const options = { endpoint: "http://127.0.0.1:1", spool: { folder } }
  const host = startHost(options, `use("s"); console.log("done"); process.exit(3)`)
  expect(await end(host)).toEqual({ code: 3, printed: "done" })
  expect(openSpool({ folder }).status().items).toBe(2)
})

test("a host whose every call is thrown at keeps its own errors, and its own only", async ({ receiver, folder }) => {
  const host = startHost(
    { endpoint: receiver.endpoint, spool: { folder } },
    `use("s"); await belay.flush(); setTimeout(() => { throw new Error("its own") }, 1)`,
  )
  expect(await end(host)).toEqual({ code: 0, printed: "uncaught its own" })
})

test("a disk that hangs does not hang its host: calls return, and a shutdown keeps its deadline", async ({
  receiver,
  folder,
}) => {
  // Opening a pipe that nobody writes to takes a thread for as long as that lasts, and there is but one for files.
  const pipe = path.join(folder, "pipe")
  execFileSync("mkfifo", [pipe])
  const host = startHost(
    { endpoint: receiver.endpoint, spool: { folder: path.join(folder, "spool") } },
    `fs.open(${JSON.stringify(pipe)}, "r").then((file) => file.close())
     await new Promise(setImmediate)
     for (let turn = 0; turn < 50; turn++) { use("s"); await new Promise(setImmediate) }
     const before = belay.stats()
     const { isComplete } = await belay.shutdown({ deadlineMs: 200 })
     console.log(JSON.stringify([before.emitted, before.spooled, isComplete, belay.stats().dropped.shutdown]))`,
    { UV_THREADPOOL_SIZE: "1" },
  )
  const [line] = await once(host.stdout, "data")
  // What asynchronous calls could not write within the deadline, the last synchronous ones did.
  expect(JSON.parse(String(line))).toEqual([100, 0, false, 0])
  closeSync(openSync(pipe, constants.O_WRONLY))
  expect((await end(host)).code).toBe(0)
  const spool = openSpool({ folder: path.join(folder, "spool") })
  expect(spool.status().items).toBeGreaterThanOrEqual(100)
})
