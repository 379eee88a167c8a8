import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, test } from "vitest"
import { AGENT_TOOLS, type Snippet } from "#app/routes/connect/tools.ts"
import { PLANS } from "#sdk/cli/connect/plans.ts"

/** Two ways to the same settings: what the page tells people to paste, and what the command writes. */
const ENDPOINT = { url: "http://127.0.0.1:4318", key: "blk_0123456789abcdefghijklmn", email: "ada@example.com" }

test.for(["claude-code", "gemini-cli", "qwen-code", "opencode", "kilo", "vscode-copilot", "copilot-cli"])(
  "belay connect %s sets what the page Connect shows",
  (id) => {
    const home = mkdtempSync(path.join(tmpdir(), "belay-settings-"))
    const host = { env: {}, home, cwd: home, platform: "linux", now: () => 0 } as const
    const connection = {
      endpoint: ENDPOINT.url,
      key: ENDPOINT.key,
      enduserId: ENDPOINT.email,
      isDeciding: false,
      belay: "belay",
    }
    const plan = PLANS[id]?.(connection, host)
    rmSync(home, { recursive: true })
    const written = plan?.changes.map(({ edit }) => JSON.parse(edit("")) as unknown) ?? []
    const snippets = AGENT_TOOLS.find((tool) => tool.id === id)?.snippets(ENDPOINT) ?? []
    const [files, variables] = [snippets.filter(isFile), snippets.filter((snippet) => !isFile(snippet))]
    expect(written).toMatchObject(files.map(({ code }) => JSON.parse(code) as unknown))
    expect(variables.map(({ code }) => toVariables(code))).toEqual(
      variables.map(() => variablesOf(id, plan?.environment, written)),
    )
  },
)

const isFile = ({ code }: Snippet) => code.startsWith("{")

function toVariables(code: string): Record<string, string> {
  return Object.fromEntries(
    code.split("\n").map((line) => {
      const [, name = "", value = ""] = /^export ([A-Z_]+)="?(.*?)"?$/.exec(line) ?? []
      return [name, value]
    }),
  )
}

/** Claude Code's settings file has a place for them. */
function variablesOf(id: string, environment: unknown, written: readonly unknown[]): unknown {
  return id === "claude-code" ? (written[0] as { env: unknown }).env : environment
}
