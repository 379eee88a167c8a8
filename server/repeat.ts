/** Work of the background that is done again and again. */
export interface Repeating {
  /** Waits for what is at work. */
  stop(): Promise<void>
}

/**
 * Does the work now, and again that long after each time that it is done, until it is stopped. One time never overlaps the
 * next; what fails is told and tried again.
 */
export function repeat(options: {
  readonly everyMs: number
  readonly work: () => Promise<unknown>
  readonly onError: (error: unknown) => void
}): Repeating {
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  let work: Promise<unknown> = Promise.resolve()
  const run = () => {
    work = options
      .work()
      .catch(options.onError)
      .finally(() => {
        if (!isStopped) timer = setTimeout(run, options.everyMs)
      })
  }
  run()
  return {
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await work
    },
  }
}
