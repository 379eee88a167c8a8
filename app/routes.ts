import { index, layout, type RouteConfig, route } from "@remix-run/route-config"

export default [
  layout("routes/shell/layout.tsx", [
    index("routes/ladder/ladder.tsx"),
    route("connect", "routes/connect/connect.tsx"),
    route("people", "routes/people/people.tsx"),
    route("people/teams", "routes/people/teams.tsx"),
    route("people/identities", "routes/people/identities.tsx"),
    route("people/import", "routes/people/import.tsx"),
    route("people/:id", "routes/people/person.tsx"),
    route("people/:id/data", "routes/people/data.tsx"),
    route("me", "routes/me/me.tsx"),
    route("settings", "routes/settings/settings.tsx"),
    route("account", "routes/account/account.tsx"),
    route("audit", "routes/audit/audit.tsx"),
    route("*", "routes/shell/not-found.tsx"),
  ]),
  route("ladder.csv", "routes/ladder/csv.ts"),
  route("audit.jsonl", "routes/audit/export.ts"),
  route("sign-in", "routes/account/sign-in.tsx"),
  route("sign-in/second-factor", "routes/account/second-factor.tsx"),
  route("sign-in/forgot", "routes/account/forgot.tsx"),
  route("link/:token", "routes/account/link.tsx"),
  route("auth/start", "routes/single-sign-on/start.ts"),
  route("auth/callback/oidc", "routes/single-sign-on/callback.ts"),
  route("sign-out", "routes/account/sign-out.ts"),
  route("demo/enter", "routes/demo/enter.ts"),
] satisfies RouteConfig
