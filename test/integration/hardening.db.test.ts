import { expect } from "vitest"
import { loadPages } from "#server/pages.ts"
import { ADMIN, startTestBelay } from "../belay.ts"
import { test } from "../db.ts"

test("every answer says what a browser may not do with it, and over https that it stays there", async ({
  database,
}) => {
  const pages = loadPages({ isDev: false })
  const belay = await startTestBelay(database, { pages, publicUrl: "https://belay.example" })
  // What it is bound to; the public address is a proxy's.
  const bound = belay.boundUrl
  const page = await fetch(`${bound}/sign-in`)
  const headers = Object.fromEntries(page.headers)
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
    "content-security-policy": expect.stringContaining("default-src 'self'"),
  })
  expect(headers["x-powered-by"]).toBeUndefined()

  const body = new URLSearchParams({ email: ADMIN.email, password: ADMIN.password })
  const signedIn = await fetch(`${bound}/sign-in`, { method: "POST", body, redirect: "manual" })
  expect([signedIn.status, signedIn.headers.get("location")]).toEqual([302, "/start"])
  const cookie = signedIn.headers.getSetCookie()[0] ?? ""
  expect(cookie).toMatch(/^__Secure-belay\.session_token=/)
  for (const attribute of ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"]) expect(cookie).toContain(attribute)
  await belay.close()
})
