import { expect, vi } from "vitest"
import { loadPages } from "#server/pages.ts"
import { startTestBelay } from "../belay.ts"
import { test } from "../db.ts"
import { startIdentityProvider } from "../identity-provider.ts"
import { cookieOf } from "../sign-in.ts"

const PUBLIC_URL = "https://belay.example"

test("a browser gets from the sign-in page over the provider to the page it asked for", async ({ database }) => {
  const provider = await startIdentityProvider(PUBLIC_URL)
  provider.people.set("s1", { email: "grace@example.com", name: "Grace" })
  const pages = loadPages({ isDev: false })
  const belay = await startTestBelay(database, { pages, publicUrl: PUBLIC_URL, identityProvider: provider.config })
  const get = (address: string, cookie = "") =>
    fetch(address.replace(PUBLIC_URL, belay.boundUrl), { redirect: "manual", headers: { cookie } })

  const signIn = await (await get(`${PUBLIC_URL}/sign-in?to=%2Fme`)).text()
  const link = /href="(\/auth\/start[^"]*)"/.exec(signIn)?.[1]?.replaceAll("&amp;", "&")
  expect(signIn).toContain("Continue with <!-- -->the test&#x27;s provider")
  const started = await get(`${PUBLIC_URL}${link}`)
  const back = await provider.visit(started.headers.get("location") ?? "", "s1")
  const arrived = await get(back, cookieOf(started.headers))
  expect([arrived.status, arrived.headers.get("location")]).toEqual([302, "/me"])
  const me = await get(`${PUBLIC_URL}/me`, cookieOf(arrived.headers))
  expect([me.status, (await me.text()).includes("grace@example.com")]).toEqual([200, true])

  // Once used, the way back leads to the sign-in page, which says that it did not work; why is printed.
  const printed = vi.spyOn(console, "error").mockImplementation(() => {})
  const again = await get(back, cookieOf(started.headers))
  expect(again.headers.get("location")).toMatch(/^\/sign-in\?error=/)
  const told = await (await get(`${PUBLIC_URL}${again.headers.get("location")}`)).text()
  expect(told).toContain("did not work")
  expect(printed).toHaveBeenCalledWith(expect.stringContaining("state"), expect.anything())
  await Promise.all([belay.close(), provider.close()])
})
