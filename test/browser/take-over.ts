import type { Page } from "playwright-core"

/**
 * Going to an address, and again to where one is, ends when React has taken the page over: what is chosen before that is
 * the browser's alone. A page without scripts is there at once.
 */
export async function waitForTakeOver(page: Page): Promise<void> {
  await page.addInitScript(() => {
    addEventListener("belay:taken-over", () => document.documentElement.setAttribute("data-taken-over", ""), {
      once: true,
    })
  })
  const isTakenOver = () =>
    document.querySelector("link[rel=modulepreload]") === null || document.querySelector("[data-taken-over]") !== null
  const goto = page.goto.bind(page)
  const reload = page.reload.bind(page)
  page.goto = async (...args) => {
    const response = await goto(...args)
    await page.waitForFunction(isTakenOver)
    return response
  }
  page.reload = async (...args) => {
    const response = await reload(...args)
    await page.waitForFunction(isTakenOver)
    return response
  }
}
