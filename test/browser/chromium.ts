import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

/** The shell first: the same engine without a browser's window around it, which costs a third less. */
const CANDIDATES = [
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
]

function findChromium(): string {
  const given = process.env["CHROMIUM_PATH"]
  const found = given ?? CANDIDATES.find((candidate) => existsSync(candidate))
  if (found !== undefined && existsSync(found)) return found
  throw new Error(
    "The browser tests need Chromium. Install it (Debian: apt-get install chromium-headless-shell) or set CHROMIUM_PATH to one.",
  )
}

/** Headless, without calls home: tests do not reach past this machine. */
const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/** Chromium refuses its sandbox to root. */
const SANDBOX = process.getuid?.() === 0 ? ["--no-sandbox"] : []

/** The machine's own Chromium, headless. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: [...QUIET, ...SANDBOX] })
}
