import { createRequire } from "node:module"
import type { AxeResults } from "axe-core"
import type { Page } from "playwright-core"
import { expect } from "vitest"

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

/** Fails with each rule that the page breaks and where. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.addScriptTag({ path: AXE })
  const results = await page.evaluate<AxeResults>("axe.run()")
  expect(
    results.violations.map(({ id, nodes }) => ({
      page: page.url(),
      id,
      where: nodes.map((node) => node.target.join(" ")),
    })),
  ).toEqual([])
}
