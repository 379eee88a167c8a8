import { describe, expect, test } from "vitest"
import type { ObjectiveScope } from "../slo/objectives.ts"
import type { Severity } from "../slo/burn.ts"
import { findParents } from "./grouping.ts"
import { isSilenced, planRoutes, type Route } from "./routing.ts"

const AT = new Date("2026-11-20T22:30:30Z")
const ALERT = { kind: "latency", subject: "o", teamId: "part", severity: "ticket" } as const
const ROUTE: Route = { channelId: "c", teamId: null, severity: null, quiet: null }
const plan = (routes: readonly Route[], severity: Severity = "ticket", timeZone = "UTC") =>
  Object.fromEntries(
    [...planRoutes({ ...ALERT, severity }, routes, { at: AT, timeZone, parents: new Map([["part", "whole"]]) })].map(
      ([channel, at]) => [channel, at.toISOString().slice(0, 16)],
    ),
  )

describe("routes", () => {
  test("are taken by team, its parts included, and by severity, each channel once", () => {
    expect(
      plan([
        { ...ROUTE, channelId: "all" },
        { ...ROUTE, channelId: "all", severity: "ticket" },
        { ...ROUTE, channelId: "team", teamId: "whole" },
        { ...ROUTE, channelId: "other", teamId: "other" },
        { ...ROUTE, channelId: "pager", severity: "page" },
      ]),
    ).toEqual({ all: "2026-11-20T22:30", team: "2026-11-20T22:30" })
  })

  test("wait for the end of quiet hours in the organization's zone, over midnight too; a page does not", () => {
    const quiet = { from: 22 * 60, to: 7 * 60 }
    expect(plan([{ ...ROUTE, quiet }])).toEqual({ c: "2026-11-21T07:00" })
    expect(plan([{ ...ROUTE, quiet }], "ticket", "Europe/Berlin")).toEqual({ c: "2026-11-21T06:00" })
    expect(plan([{ ...ROUTE, quiet }], "ticket", "America/New_York")).toEqual({ c: "2026-11-20T22:30" })
    expect(plan([{ ...ROUTE, quiet }], "page")).toEqual({ c: "2026-11-20T22:30" })
    expect(plan([{ ...ROUTE, quiet }, ROUTE])).toEqual({ c: "2026-11-20T22:30" })
  })
})

test("a silence holds from its start until its end, for what it names", () => {
  const silence = { kind: "latency", subject: null, teamId: null, startsAt: AT, endsAt: new Date(AT.getTime() + 1000) }
  const at = (ms: number) => new Date(AT.getTime() + ms)
  expect([-1, 0, 999, 1000].map((ms) => isSilenced(ALERT, [silence], at(ms)))).toEqual([false, true, true, false])
  expect(isSilenced({ ...ALERT, kind: "budget" }, [silence], AT)).toBe(false)
  expect(isSilenced(ALERT, [{ ...silence, teamId: "other" }], AT)).toBe(false)
  expect(isSilenced(ALERT, [{ ...silence, subject: "o" }], AT)).toBe(true)
})

test("the widest scope speaks for those inside of it, unless they are more severe", () => {
  const scope = (agentTool: string | null, model: string | null, teamId: string | null = null): ObjectiveScope => ({
    rung: "chat",
    agentTool,
    model,
    teamId,
  })
  const alerts = [
    { id: "tool and model", scope: scope("t", "m"), severity: "ticket" as const },
    { id: "tool", scope: scope("t", null), severity: "ticket" as const },
    { id: "model", scope: scope(null, "m"), severity: "page" as const },
    { id: "other rung", scope: { ...scope(null, null), rung: "agent" as const }, severity: "page" as const },
  ]
  expect(Object.fromEntries(findParents(alerts))).toEqual({ "tool and model": "tool" })
  const wide = { id: "all", scope: scope(null, null), severity: "ticket" as const }
  expect(Object.fromEntries(findParents([...alerts, wide]))).toEqual({ "tool and model": "all", tool: "all" })
  const ofTeam = { id: "tool of a team", scope: scope("t", null, "team"), severity: "ticket" as const }
  expect(Object.fromEntries(findParents([...alerts, ofTeam]))).toEqual({
    "tool and model": "tool",
    "tool of a team": "tool",
  })
})
