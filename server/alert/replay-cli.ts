import { parseArgs } from "node:util"
import { replay, type ReplayResult, REPLAY_WEEKS, STATIC_WAITS } from "./replay.ts"

/**
 * `npm run alerts:replay`: eight simulated weeks through the burn-rate rules, beside a static threshold on the 95th
 * percentile of five minutes, on the same data. The static one is shown as it is, and with the minutes in a row that it is
 * made to wait for: the one that tells as early as the burn rates is what they are held against. `--quick` takes one seed in place of five, `--seed` another first one.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, seed: { type: "string", default: "1" } },
})
const seeds = Array.from({ length: flags.quick ? 1 : 5 }, (_, index) => Number(flags.seed) + index)
const replays = seeds.map((seed) => replay(seed))

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
/** The value below which a share 0..1 of them lies. */
const quantile = (values: readonly number[], share: number) => {
  const value = values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]
  return value === undefined ? null : Math.round(value)
}

function summarize(results: readonly ReplayResult[]) {
  const minutes = results.flatMap(({ detectionMinutes }) => detectionMinutes)
  return {
    detected: sum(results.map(({ detected }) => detected)),
    missed: sum(results.map(({ missed }) => missed)),
    false_alarms: sum(results.map(({ falseAlarms }) => falseAlarms)),
    detection_minutes_p50: quantile(minutes, 0.5),
    detection_minutes_p90: quantile(minutes, 0.9),
  }
}

const burnRate = summarize(replays.map((one) => one.burnRate))
const statics = STATIC_WAITS.map((wait) => ({
  wait,
  ...summarize(replays.flatMap(({ staticThreshold }) => staticThreshold.get(wait) ?? [])),
}))
const asEarly = statics.findLast(
  ({ detection_minutes_p50: minutes, missed }) =>
    minutes !== null && minutes <= (burnRate.detection_minutes_p50 ?? Infinity) && missed <= burnRate.missed,
)
const real = sum(replays.map(({ realEpisodes }) => realEpisodes))
console.log(
  `Alerts: ${REPLAY_WEEKS} weeks, ${seeds.length} seeds from ${flags.seed}, ${sum(replays.map(({ requests }) => requests)).toLocaleString("en")} requests, ${real} episodes worth telling of\n`,
)
console.table({
  "burn rates": burnRate,
  ...Object.fromEntries(statics.map(({ wait, ...of }) => [`p95 of 5 min > threshold, for ${wait} min`, of])),
})
console.log(
  JSON.stringify({
    bench: "alerts-replay",
    ratios: {
      false_alarms_vs_static: burnRate.false_alarms / Math.max(1, statics[0]?.false_alarms ?? 0),
      false_alarms_vs_static_as_early:
        asEarly === undefined ? null : burnRate.false_alarms / Math.max(1, asEarly.false_alarms),
    },
    figures: { real, burn_rate: burnRate, static: statics },
  }),
)
