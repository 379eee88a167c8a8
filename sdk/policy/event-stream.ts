/** Server-sent events, as they come in pieces. */

/** Characters of a line; what is longer is no policy. */
const LINE_LENGTH_MAX = 32 * 1024 * 1024

/** One event. */
export interface ServerEvent {
  /** `message` unless it says otherwise. */
  readonly type: string
  readonly data: string
  /** The last id that was said; null for none. */
  readonly id: string | null
}

/**
 * Takes the text of a stream in pieces that may end anywhere, and hands on every event that is whole.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function createEventReader(onEvent: (event: ServerEvent) => void): (piece: string) => void {
  let rest = ""
  let type = ""
  let data: string[] = []
  let id: string | null = null

  const takeLine = (line: string) => {
    if (line === "") {
      if (data.length > 0) onEvent({ type: type || "message", data: data.join("\n"), id })
      type = ""
      data = []
      return
    }
    const colon = line.indexOf(":")
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (field === "event") type = value
    else if (field === "data") data.push(value)
    else if (field === "id" && !value.includes("\0")) id = value
  }

  return (piece) => {
    // Without a line's end nothing can be taken, and looking through all of a long line again would take long.
    if (!/[\r\n]/.test(piece) && !rest.endsWith("\r")) {
      rest = rest.length > LINE_LENGTH_MAX ? "" : rest + piece
      return
    }
    const text = rest + piece
    let from = 0
    for (const { 0: end, index } of text.matchAll(/\r\n|\n|\r/g)) {
      // The other half of this end may be on its way.
      if (end === "\r" && index === text.length - 1) break
      takeLine(text.slice(from, index))
      from = index + end.length
    }
    rest = text.slice(from)
  }
}
