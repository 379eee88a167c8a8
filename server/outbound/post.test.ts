import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, test } from "vitest"
import { isPublicAddress } from "./addresses.ts"
import { post } from "./post.ts"

async function serve(listener: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

const ask = (url: string, isPrivateAllowed = false) =>
  post({ url, headers: { "content-type": "application/json" }, body: "{}", isPrivateAllowed })

test("addresses of this machine, of networks inside and of metadata services are told from public ones, in every form", () => {
  const inside = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "ff02::1",
    "localhost",
    "",
  ]
  expect(inside.filter((address) => isPublicAddress(address))).toEqual([])
  const outside = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"]
  expect(outside.filter((address) => !isPublicAddress(address))).toEqual([])
})

test("a host inside is refused by its address and by its name, without being asked, unless it is allowed", async () => {
  let asked = 0
  const { server, port } = await serve((_request, response) => {
    asked++
    response.end("taken")
  })
  // The second and the third are other ways to write the first.
  for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254"]) {
    expect({ host, ...(await ask(`http://${host}:${port}/`)) }).toMatchObject({ host, status: null, isRefused: true })
  }
  expect(await ask("ftp://example.com/")).toMatchObject({ isRefused: true })
  expect(asked).toBe(0)
  expect(await ask(`http://localhost:${port}/`, true)).toMatchObject({ status: 200, body: "taken", isRefused: false })
  server.close()
})

test("a redirect is an answer and not followed, a long answer is cut, and one that breaks off is told", async () => {
  const paths: string[] = []
  const { server, port } = await serve((request, response) => {
    paths.push(request.url ?? "")
    if (request.url === "/redirect") response.writeHead(302, { location: "http://169.254.169.254/" }).end("elsewhere")
    else if (request.url === "/long") response.end("x".repeat(1_000_000))
    else response.socket?.destroy()
  })
  expect(await ask(`http://127.0.0.1:${port}/redirect`, true)).toMatchObject({ status: 302, body: "elsewhere" })
  expect((await ask(`http://127.0.0.1:${port}/long`, true)).body).toHaveLength(2000)
  expect(await ask(`http://127.0.0.1:${port}/cut`, true)).toMatchObject({
    status: null,
    error: "it could not be reached (ECONNRESET)",
  })
  expect(paths).toEqual(["/redirect", "/long", "/cut"])
  server.close()
})
