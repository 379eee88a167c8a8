import { vitePlugin as remix } from "@remix-run/dev"
import tailwind from "@tailwindcss/vite"
import { defineConfig, type Plugin } from "vite"

declare module "@remix-run/node" {
  interface Future {
    v3_singleFetch: true
  }
}

/** Remix only guards `*.server` files; this guards the whole server from the browser's bundle. */
const serverStaysOnServer: Plugin = {
  name: "belay:server-stays-on-server",
  enforce: "pre",
  load(id, options) {
    const isServerCode = id.startsWith(`${import.meta.dirname}/server/`)
    if (isServerCode && options?.ssr !== true) {
      this.error(`${id} reached the browser's bundle: import it only where loaders and actions use it`)
    }
  },
}

export default defineConfig({
  plugins: [
    tailwind(),
    serverStaysOnServer,
    remix({
      ignoredRouteFiles: ["**/*"],
      future: {
        v3_fetcherPersist: true,
        v3_lazyRouteDiscovery: true,
        v3_relativeSplatPath: true,
        v3_routeConfig: true,
        v3_singleFetch: true,
        v3_throwAbortReason: true,
      },
    }),
  ],
  // No file becomes a data: URL, which the content security policy would have to let in.
  build: { target: "es2022", assetsInlineLimit: 0 },
})
