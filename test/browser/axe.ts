import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import type { AxeResults, RunOptions } from "axe-core"
import type { Page } from "playwright-core"
import { expect } from "vitest"

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

/** Of all that axe looks at, a theme changes this alone. */
const COLOURS = ["color-contrast", "link-in-text-block"]

/** Fails with each rule that the page breaks and where; of all rules, or of those that are named. */
export async function expectAccessible(page: Page, rules?: readonly string[]): Promise<void> {
  await page.locator('[aria-busy="true"]').waitFor({ state: "detached" })
  // A colour on its way to another has the contrast of neither. A theme just chosen is there a frame or two later.
  await page.evaluate(async () => {
    for (let calmFrames = 0; calmFrames < 3; calmFrames++) {
      await new Promise((resolve) => requestAnimationFrame(resolve))
      for (const animation of document.getAnimations()) {
        if (!(animation instanceof CSSTransition)) continue
        animation.finish()
        calmFrames = 0
      }
    }
  })
  // Evaluated and not added as a script, which the page's own policy forbids.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe)
  const options: RunOptions = {
    resultTypes: ["violations"],
    preload: false,
    ...(rules !== undefined && { runOnly: [...rules] }),
  }
  const results = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`)
  expect(
    results.violations.map(({ id, nodes }) => ({
      page: page.url(),
      id,
      where: nodes.map((node) => node.target.join(" ")),
    })),
  ).toEqual([])
}

/** As on a phone, in both themes: fails with what axe finds, and when the page scrolls sideways. */
export async function expectGoodOnPhone(page: Page): Promise<void> {
  const before = page.viewportSize()
  await page.setViewportSize({ width: 360, height: 780 })
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" })
    await page.evaluate((chosen) => {
      document.documentElement.dataset["theme"] = chosen
    }, theme)
    await expectAccessible(page, theme === "dark" ? COLOURS : undefined)
  }
  expect({ page: page.url(), width: await page.evaluate(() => document.documentElement.scrollWidth) }).toEqual({
    page: page.url(),
    width: 360,
  })
  if (before !== null) await page.setViewportSize(before)
}
