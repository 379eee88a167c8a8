import type { TrackRecord } from "#server/detect/track-record.ts"
import { formatShare, plural } from "../../lib/format.ts"

/** What people said of the findings, beside what the detector said. */
export function TrackRecordNote({ record }: { record: TrackRecord }) {
  const { judged, real, realInterval, withCause, firstRight, inFirstTwo } = record
  if (realInterval === null) return null
  return (
    <p className="mt-3 max-w-3xl text-xs text-ink-faint">
      Held against what people said: of {plural(judged, "incident")} that somebody judged, {real}{" "}
      {real === 1 ? "was" : "were"} real (95 % interval of the share: {formatShare(realInterval.low)} to{" "}
      {formatShare(realInterval.high)}).
      {withCause > 0 &&
        ` Of ${withCause} with a cause said, the likeliest cause was right in ${firstRight}, one of the two likeliest in ${inFirstTwo}.`}{" "}
      Nothing is tuned by it.
    </p>
  )
}
