import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import type { AxeResults } from "axe-core"
import type { Page } from "playwright-core"
import { expect } from "vitest"

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

/** Fails with each rule that the page breaks and where. */
export async function expectAccessible(page: Page): Promise<void> {
  // Evaluated and not added as a script, which the page's own policy forbids.
  await page.evaluate(axe)
  const results = await page.evaluate<AxeResults>("axe.run()")
  expect(
    results.violations.map(({ id, nodes }) => ({
      page: page.url(),
      id,
      where: nodes.map((node) => node.target.join(" ")),
    })),
  ).toEqual([])
}
