import { execFileSync } from "node:child_process"
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, test as base } from "vitest"
import { openSpool, type SendResult, type Spool } from "./spool.ts"

const test = base.extend("folder", async ({}, { onCleanup }) => {
  const folder = mkdtempSync(path.join(tmpdir(), "belay-spool-"))
  onCleanup(() => rmSync(folder, { recursive: true, force: true }))
  return path.join(folder, "spool")
})

const META = { contentType: "application/json", items: 1 }
const bytes = (text: string) => Buffer.from(text)

function append(spool: Spool, ...texts: string[]): void {
  for (const text of texts) expect(spool.append(bytes(text), META)).toBe(true)
}

/** What was sent, in order; `answer` decides what becomes of it. */
async function drain(spool: Spool, answer: (text: string) => SendResult = () => "sent"): Promise<string[]> {
  const seen: string[] = []
  await spool.drain(async ({ body }) => {
    seen.push(Buffer.from(body).toString())
    return answer(seen.at(-1) ?? "")
  })
  return seen
}

const file = (folder: string, ending: string) => readdirSync(folder).find((name) => name.endsWith(ending)) ?? ""

test("gives back what was put in, oldest first, once", async ({ folder }) => {
  let ms = Date.UTC(2026, 10, 20)
  // Two senders of one millisecond are in no order.
  const now = () => ms++
  append(openSpool({ folder, now }), "a", "b")
  append(openSpool({ folder, now }), "c")
  const spool = openSpool({ folder, now })
  expect(spool.status()).toMatchObject({ entries: 3, items: 3 })
  expect(await drain(spool)).toEqual(["a", "b", "c"])
  expect(await drain(spool)).toEqual([])
  expect(readdirSync(folder)).toEqual([])
})

test("keeps the meta of an entry", async ({ folder }) => {
  const spool = openSpool({ folder })
  spool.append(bytes("zipped"), { contentType: "application/x-protobuf", contentEncoding: "gzip", items: 12 })
  const seen: unknown[] = []
  await spool.drain(async ({ contentType, contentEncoding, items }) => {
    seen.push({ contentType, contentEncoding, items })
    return "sent"
  })
  expect(seen).toEqual([{ contentType: "application/x-protobuf", contentEncoding: "gzip", items: 12 }])
})

test("stops at the first that is to be sent again, and goes on past what is refused", async ({ folder }) => {
  const spool = openSpool({ folder })
  append(spool, "bad", "away", "later")
  expect(await drain(spool, (text) => (text === "bad" ? "refused" : "retry"))).toEqual(["bad", "away"])
  expect(spool.status().items).toBe(2)
  await spool.drain(() => Promise.reject(new Error("what a send throws is no reason to lose it")))
  expect(await drain(spool)).toEqual(["away", "later"])
})

test("drops the oldest when it is full, and counts for whoever looks", async ({ folder }) => {
  const spool = openSpool({ folder, bytesMax: 1000 })
  append(spool, ...Array.from({ length: 100 }, (_, index) => `entry ${index}`))
  const left = await drain(openSpool({ folder }))
  expect(left.at(-1)).toBe("entry 99")
  expect(left.length).toBeGreaterThan(5)
  expect(openSpool({ folder }).status().dropped).toEqual({ full: 100 - left.length, corrupt: 0 })
})

test("takes nothing that is larger than all of it", ({ folder }) => {
  const spool = openSpool({ folder, bytesMax: 1000 })
  expect(spool.append(Buffer.alloc(1001), META)).toBe(false)
  expect(spool.status().dropped.full).toBe(1)
})

test("counts what it dropped in a file that does not grow for ever", ({ folder }) => {
  const spool = openSpool({ folder, bytesMax: 1 })
  append(openSpool({ folder }), "makes the folder")
  writeFileSync(path.join(folder, "dropped"), "full 2\ncorrupt 3\n".repeat(5000))
  spool.append(bytes("no room"), META)
  expect(spool.status().dropped).toEqual({ full: 10_001, corrupt: 15_000 })
  expect(readFileSync(path.join(folder, "dropped"), "utf8")).toBe("full 10001\ncorrupt 15000\n")
})

test("skips and counts a damaged file, and sends the others", async ({ folder }) => {
  const spool = openSpool({ folder })
  append(spool, "damaged", "whole")
  const name = file(folder, ".ready")
  const content = readFileSync(path.join(folder, name))
  content[content.length - 1] = (content.at(-1) ?? 0) ^ 1
  writeFileSync(path.join(folder, name), content)
  writeFileSync(path.join(folder, "000000000000000-0-x.1.4.ready"), "junk")
  writeFileSync(path.join(folder, "nothing of ours.txt"), "junk")
  expect(await drain(spool)).toEqual(["whole"])
  expect(spool.status().dropped.corrupt).toBe(2)
  expect(readdirSync(folder).toSorted()).toEqual(["dropped", "nothing of ours.txt"])
})

test("a request written bit by bit ends with its tail", async ({ folder }) => {
  const spool = openSpool({ folder })
  const writer = await spool.open({ contentType: "application/json", tail: "]" })
  await writer.write(bytes("[1"), 1)
  writer.writeSync(bytes(",2"), 1)
  expect(await drain(spool)).toEqual([])
  await writer.seal()
  expect(spool.status().items).toBe(2)
  expect(await drain(spool)).toEqual(["[1,2]"])
  const unused = await spool.open({ contentType: "application/json" })
  unused.sealSync()
  expect(file(folder, "open") + file(folder, "ready")).toBe("")
})

test("what a killed process was writing is sent up to its last whole frame", async ({ folder }) => {
  const script = `
    import { openSpool } from ${JSON.stringify(path.join(import.meta.dirname, "spool.ts"))}
    const writer = await openSpool({ folder: ${JSON.stringify(folder)} }).open({ contentType: "x", tail: "]" })
    await writer.write(Buffer.from("[1"), 1)
    await writer.write(Buffer.from(",2"), 1)
    process.kill(process.pid, "SIGKILL")`
  expect(() => execFileSync(process.execPath, ["--input-type=module", "-e", script])).toThrow("failed")
  const name = file(folder, ".open")
  writeFileSync(path.join(folder, name), readFileSync(path.join(folder, name)).subarray(0, -1))
  const spool = openSpool({ folder })
  expect(await drain(spool, () => "retry")).toEqual(["[1]"])
  expect(await drain(spool)).toEqual(["[1]"])
  expect(spool.status().dropped.corrupt).toBe(0)
})

test("what another process holds is left to it, for as long as it may be alive", async ({ folder }) => {
  let now = 1_000_000
  const spool = openSpool({ folder, now: () => now })
  append(spool, "held")
  let nested: string[] = []
  await spool.drain(async () => {
    nested = await drain(openSpool({ folder, now: () => now }))
    now += 121_000
    nested.push(...(await drain(openSpool({ folder, now: () => now }), () => "retry")))
    return "sent"
  })
  expect(nested).toEqual(["held"])
})

test("several drains at once send each entry once", async ({ folder }) => {
  const texts = Array.from({ length: 60 }, (_, index) => String(index))
  append(openSpool({ folder }), ...texts)
  const sent = await Promise.all([1, 2, 3].map(() => drain(openSpool({ folder }))))
  expect(sent.flat().toSorted()).toEqual(texts.toSorted())
})

test("a folder that is a file, or takes nothing, is no error", async ({ folder }) => {
  writeFileSync(folder, "a file")
  const spool = openSpool({ folder })
  expect(spool.append(bytes("x"), META)).toBe(false)
  await expect(spool.open({ contentType: "x" })).rejects.toThrow(/ENOTDIR|EEXIST/)
  expect(await drain(spool)).toEqual([])
  expect(spool.status()).toEqual({ entries: 0, items: 0, bytes: 0, dropped: { full: 0, corrupt: 0 } })
})

test("nobody else may read what waits", ({ folder }) => {
  chmodSync(path.dirname(folder), 0o755)
  append(openSpool({ folder }), "private")
  const modes = execFileSync("stat", ["-c", "%a", folder, path.join(folder, file(folder, ".ready"))]).toString()
  expect(modes).toBe("700\n600\n")
})
