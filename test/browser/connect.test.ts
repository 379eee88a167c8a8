import { expect } from "vitest"
import { ADMIN } from "../belay.ts"
import { test } from "./browser.ts"

test("a made key stands in the snippets, works, and is shown live when its first signal arrives", async ({
  belay,
  page,
}) => {
  await page.goto("/connect")
  await page.getByText("Waiting for the first signal from claude-code").waitFor()
  await page.getByRole("button", { name: "Make a key and fill in the snippets" }).click()
  await page.getByText("It is shown only now").waitFor()
  const snippet = await page.getByLabel("Environment", { exact: true }).innerText()
  const key = /Bearer (blk_[\w-]+)/.exec(snippet)?.[1] ?? ""
  expect(snippet).toContain(`OTEL_EXPORTER_OTLP_ENDPOINT=${belay.otlpUrl}`)
  expect(snippet).toContain(`enduser.id=${ADMIN.email}`)

  const { readFixture } = await import("../belay.ts")
  const response = await belay.post("logs", await readFixture("captured/claude-16.logs.pb"), {
    authorization: `Bearer ${key}`,
  })
  expect(response.status).toBe(200)
  await page.getByText("Signal received: claude-code").waitFor()

  // Shown once: another visit has the place where a key goes.
  await page.goto("/connect")
  await page.getByText("Connected: claude-code").waitFor()
  expect(await page.getByLabel("Environment", { exact: true }).innerText()).toContain("YOUR_INGEST_KEY")
})

test("a revoked key is refused", async ({ belay, page }) => {
  await page.goto("/connect")
  await page.locator("main").getByRole("link", { name: "Keys" }).click()
  await page.getByRole("button", { name: "Revoke First key" }).click()
  await page.getByRole("button", { name: "Revoke “First key”" }).click()
  await page.getByText("No key lets anyone in.").waitFor()
  const response = await belay.postFixture("captured/claude-16.logs.pb")
  expect(response.status).toBe(401)
})

test("every agent tool has a snippet with the endpoint, and its own address", async ({ belay, page }) => {
  await page.goto("/connect")
  for (const tab of await page.getByRole("tab").all()) {
    await tab.click()
    await page.getByRole("heading", { name: (await tab.innerText()).trim(), level: 2 }).waitFor()
    expect(await page.locator("pre").allInnerTexts()).toContainEqual(expect.stringContaining(belay.otlpUrl))
  }
  expect(page.url()).toContain("tool=opentelemetry")
})

test("telemetry that gives no signal is listed by name", async ({ belay, page }) => {
  await belay.postFixture("captured/opencode-12.traces.json")
  await page.goto("/connect")
  await page.getByText(/Telemetry that says nothing about trust/).click()
  await page.getByRole("cell", { name: "sql.execute" }).waitFor()
})
