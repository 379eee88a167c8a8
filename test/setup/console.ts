import { afterEach, beforeEach } from "vitest"

// Whoever expects an error message takes it over: vi.spyOn(console, "error").mockImplementation(() => {})
let printed: string[] = []
const print = console.error

beforeEach(() => {
  printed = []
  console.error = (...args: unknown[]) => {
    printed.push(args.map(String).join(" "))
    print(...args)
  }
})

afterEach(() => {
  console.error = print
  if (printed.length > 0) throw new Error(`The test printed an error: ${printed.join("\n")}`)
})
