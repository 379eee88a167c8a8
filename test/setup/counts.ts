import { writeFileSync } from "node:fs"
import type { Reporter, TestModule } from "vitest/node"

/** Writes how many tests passed and failed to the file that `BELAY_TEST_RESULTS` names, for the last line of CI. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const file = process.env["BELAY_TEST_RESULTS"]
    if (file === undefined) return
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const passed = tests.filter((test) => test.result().state === "passed").length
    // A file that could not be loaded has no tests, and an error outside of tests belongs to none.
    const broken = modules.filter(
      (module) => module.state() === "failed" && [...module.children.allTests()].length === 0,
    )
    const failed = tests.filter((test) => test.result().state === "failed").length + broken.length + unhandled.length
    writeFileSync(file, JSON.stringify({ passed, failed }))
  }
}
