import type { RequestContext } from "#server/context.ts"

declare module "@remix-run/node" {
  interface AppLoadContext extends RequestContext {}
}
