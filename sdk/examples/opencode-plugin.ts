import { startBelay } from "../index.ts"
import { belayPlugin } from "../opencode.ts"

/**
 * A plugin file for OpenCode (`.opencode/plugin/belay.ts`, or `~/.config/opencode/plugin/belay.ts` for all projects) and
 * Kilo (`.kilo/plugin/belay.ts`). There the imports are from "@belay/sdk" and "@belay/sdk/opencode", and a package.json
 * beside the plugin's folder names the package.
 */
const { BELAY_ENDPOINT = "http://127.0.0.1:4318", BELAY_INGEST_KEY = "", BELAY_USER } = process.env

export const Belay = belayPlugin(
  startBelay({
    endpoint: BELAY_ENDPOINT,
    ingestKey: BELAY_INGEST_KEY,
    // Kilo's is "kilo".
    agent: { name: "opencode" },
    user: BELAY_USER,
    surface: "terminal",
  }),
)
