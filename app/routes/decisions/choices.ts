/** Whole days, today among them. */
export const PERIODS = [
  { value: "1d", label: "Today", days: 1, words: "today" },
  { value: "2d", label: "2 days", days: 2, words: "since yesterday" },
  { value: "7d", label: "7 days", days: 7, words: "in the last 7 days" },
  { value: "28d", label: "28 days", days: 28, words: "in the last 28 days" },
  { value: "91d", label: "13 weeks", days: 91, words: "in the last 13 weeks" },
] as const

export const BECAUSES = ["rule", "default", "unset", "unsure", "no_policy", "error"] as const
