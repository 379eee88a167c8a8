import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { useMemoryFolder } from "./test/setup/memory-folder.ts"

const TESTS = "{app,server,sdk,test}/**/*.test.{ts,tsx}"
const DB_TESTS = "{app,server,sdk,test}/**/*.db.test.ts"
const BROWSER_TESTS = "test/browser/**/*.test.ts"

// For this process, which starts Postgres, and for the workers.
useMemoryFolder()

// Apart from vite.config.ts, to keep the Remix plugin out of test runs. The suffix decides what a test may touch:
// nothing outside the process, a real database, or a real browser.
export default defineConfig({
  test: {
    // Most of the time is spent waiting for Postgres and Chromium; the default would leave a core to vitest alone.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: ["default", "./test/setup/counts.ts"],
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: [TESTS],
          exclude: ["**/node_modules/**", DB_TESTS, BROWSER_TESTS],
          setupFiles: "test/setup/console.ts",
        },
      },
      {
        test: {
          name: "db",
          environment: "node",
          include: [DB_TESTS],
          exclude: ["**/node_modules/**", BROWSER_TESTS],
          setupFiles: "test/setup/console.ts",
          globalSetup: "test/setup/postgres.ts",
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "browser",
          environment: "node",
          include: [BROWSER_TESTS],
          setupFiles: "test/setup/console.ts",
          globalSetup: "test/setup/postgres.ts",
          testTimeout: 90_000,
          // A browser on two busy cores misses a beat now and then. What fails twice is broken, and a retry is printed.
          retry: 1,
        },
      },
    ],
  },
})
