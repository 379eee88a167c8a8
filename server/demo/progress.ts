const WIDTH = 30

/** A progress bar on standard error: redrawn in place on a terminal, a line every quarter elsewhere. */
export function createProgressBar(title: string, total: number) {
  const isTerminal = process.stderr.isTTY
  let lastQuarter = -1
  const draw = (done: number) => {
    const share = total === 0 ? 1 : done / total
    const filled = Math.round(share * WIDTH)
    const line = `${title} [${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}] ${Math.round(share * 100)} %`
    const quarter = Math.floor(share * 4)
    if (isTerminal) process.stderr.write(`\r${line}`)
    else if (quarter > lastQuarter) process.stderr.write(`${line}\n`)
    lastQuarter = quarter
  }
  draw(0)
  return {
    advance: draw,
    finish() {
      draw(total)
      if (isTerminal) process.stderr.write("\n")
    },
  }
}
