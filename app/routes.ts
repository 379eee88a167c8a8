import { index, layout, type RouteConfig, route } from "@remix-run/route-config"

export default [
  layout("routes/shell/layout.tsx", [
    index("routes/ladder/ladder.tsx"),
    route("connect", "routes/connect/connect.tsx"),
    route("keys", "routes/keys/keys.tsx"),
    route("audit", "routes/audit/audit.tsx"),
    route("*", "routes/shell/not-found.tsx"),
  ]),
  route("ladder.csv", "routes/ladder/csv.ts"),
  route("audit.jsonl", "routes/audit/export.ts"),
  route("sign-in", "routes/account/sign-in.tsx"),
  route("sign-out", "routes/account/sign-out.ts"),
  route("demo/enter", "routes/demo/enter.ts"),
] satisfies RouteConfig
