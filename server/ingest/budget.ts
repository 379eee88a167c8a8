export interface Budget {
  /** Begins to count what one request holds in memory. */
  open(sender: string): Holding
  /** Since when the sender's oldest request waits, in milliseconds as given to `wait`; null when none does. */
  waitingSince(sender: string): number | null
  /** Bytes that all requests hold. */
  held(): number
}

export interface Holding {
  /** Asks for room for more bytes: `full` when there is none, `unfair` when the others need what is left. */
  hold(bytes: number): "ok" | "full" | "unfair"
  /** What was held is now this much, which is never refused. */
  become(bytes: number): void
  /** The request is here whole, and from now on waits for us. */
  wait(atMs: number): void
  release(): void
}

interface Account {
  requests: number
  bytes: number
  /** When each waiting request came, in that order. */
  readonly waiting: Map<Holding, number>
}

/**
 * Shares `bytesMax` of memory among senders. None may hold more than what it leaves free, so that one who sends without
 * end gets half, two of them a third each, and there is always room for whoever comes next. A sender's only request may
 * take all that is free, and one that is alone with us may be larger than that.
 *
 * @see Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches" (1998), with α = 1
 */
export function createBudget(bytesMax: number): Budget {
  const accounts = new Map<string, Account>()
  let total = 0

  return {
    open(sender) {
      const account = accounts.get(sender) ?? { requests: 0, bytes: 0, waiting: new Map() }
      accounts.set(sender, account)
      account.requests++
      let held = 0
      const become = (bytes: number) => {
        total += bytes - held
        account.bytes += bytes - held
        held = bytes
      }
      const holding: Holding = {
        hold(bytes) {
          const free = bytesMax - total - bytes
          if (free < 0 && total > held) return "full"
          if (account.requests > 1 && account.bytes + bytes > free) return "unfair"
          become(held + bytes)
          return "ok"
        },
        become,
        wait(atMs) {
          account.waiting.set(holding, atMs)
        },
        release() {
          become(0)
          account.waiting.delete(holding)
          account.requests--
          if (account.requests === 0) accounts.delete(sender)
        },
      }
      return holding
    },
    waitingSince: (sender) => accounts.get(sender)?.waiting.values().next().value ?? null,
    held: () => total,
  }
}
