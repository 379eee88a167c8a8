import * as fc from "fast-check"
import { sql } from "kysely"
import { expect } from "vitest"
import { ORIGINS, OUTCOMES, PATH_SCOPES, RUNGS, SIGNAL_KINDS, SURFACES } from "#sdk/ladder.ts"
import { EFFECTS, LAYERS } from "#sdk/policy/vocabulary.ts"
import { test } from "../../test/db.ts"
import { makeOrganization, NOW, storeSignals } from "../../test/factories.ts"
import { POLICY_BECAUSE, toSignal } from "./signal.ts"

const text = fc.option(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((value) => !value.includes("\0")),
)
const count = fc.option(fc.integer({ min: 0, max: 2 ** 31 - 1 }))
const measure = fc.option(
  fc
    .float({ min: 0, max: 1e6, noNaN: true })
    .map(Math.fround)
    .map((value) => Math.abs(value)),
)

const signals = fc.array(
  fc.record({
    offsetMicros: fc.integer({ min: -86_400_000_000, max: 86_400_000_000 }),
    kind: fc.constantFrom(...SIGNAL_KINDS),
    rung: fc.constantFrom(...RUNGS),
    surface: fc.option(fc.constantFrom(...SURFACES)),
    outcome: fc.option(fc.constantFrom(...OUTCOMES)),
    origin: fc.option(fc.constantFrom(...ORIGINS)),
    pathScope: fc.option(fc.constantFrom(...PATH_SCOPES)),
    operationId: text,
    parentOperationId: text,
    model: text,
    action: text,
    error: text,
    latencyMs: measure,
    durationMs: measure,
    waitMs: measure,
    inputTokens: count,
    outputTokens: count,
    cachedTokens: count,
    linesAdded: count,
    linesRemoved: count,
    filesChanged: count,
    toolCalls: count,
    prompts: count,
    policyVersion: count,
    policyEffect: fc.option(fc.constantFrom(...EFFECTS)),
    policyBecause: fc.option(fc.constantFrom(...POLICY_BECAUSE)),
    policyRule: fc.option(fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,79}$/)),
    policyLayer: fc.option(fc.constantFrom(...LAYERS)),
    contextFiles: count,
    costMicros: fc.option(fc.integer({ min: 0, max: 999_999_000_000 })),
  }),
  { minLength: 1, maxLength: 20 },
)

test("every column comes out of the database as it went in, whatever its value", async ({ database }) => {
  const orgId = await makeOrganization(database)
  await fc.assert(
    fc.asyncProperty(signals, async (given) => {
      await sql`truncate signal`.execute(database.owner)
      const micros = given.map(({ offsetMicros }) => NOW.getTime() * 1000 + offsetMicros)
      await storeSignals(
        database,
        orgId,
        given.map(({ offsetMicros: _offset, costMicros, ...fields }, index) =>
          toSignal({
            ...fields,
            observedUnixNano: BigInt(micros[index] ?? 0) * 1000n,
            sourceId: `source ${index}`,
            agentTool: "claude-code",
            costUsd: costMicros === null ? null : costMicros / 1e6,
          }),
        ),
      )
      const result = await sql`
        select kind, rung, surface, outcome, origin, path_scope as "pathScope", operation_id as "operationId",
          parent_operation_id as "parentOperationId", model, action, error,
          latency_ms::float8 as "latencyMs", duration_ms::float8 as "durationMs", wait_ms::float8 as "waitMs",
          input_tokens as "inputTokens", output_tokens as "outputTokens", cached_tokens as "cachedTokens",
          lines_added as "linesAdded", lines_removed as "linesRemoved", files_changed as "filesChanged",
          tool_calls as "toolCalls", prompts, policy_version as "policyVersion",
          policy_effect as "policyEffect", policy_because as "policyBecause", policy_rule as "policyRule",
          policy_layer as "policyLayer", context_files as "contextFiles",
          (cost_usd * 1000000)::float8 as "costMicros",
          (extract(epoch from observed_at) * 1000000)::float8 - ${NOW.getTime() * 1000}::float8 as "offsetMicros"
        from signal_readable`.execute(database.owner)
      const sorted = (rows: readonly unknown[]) =>
        rows.map((row) => JSON.stringify(row, Object.keys(given[0] ?? {}))).toSorted()
      expect(sorted(result.rows)).toEqual(sorted(given))
    }),
    { numRuns: 50 },
  )
})
