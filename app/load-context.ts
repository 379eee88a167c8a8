import type { AppContext } from "#server/context.ts"

declare module "@remix-run/node" {
  interface AppLoadContext extends AppContext {}
}
