import { useEffect } from "react"

const TAKEN_OVER = "belay:taken-over"

/** What React 18 answers at once, even while it takes over (getEventPriority in react-dom: "DiscreteEventPriority"). */
const HELD =
  "auxclick beforeinput blur change click close compositionend compositionstart compositionupdate contextmenu copy cut " +
  "dblclick dragend dragstart drop focus focusin focusout input invalid keydown keypress keyup mousedown mouseup paste " +
  "pointercancel pointerdown pointerup reset select selectionchange selectstart submit textInput touchcancel touchend " +
  "touchstart"

/**
 * Keeps what people do from React while it takes over the page that the server drew; the browser itself acts on it as
 * on any page. A key pressed in that moment makes React 18 give the page up for good, with its error 345.
 */
export const HOLD_SCRIPT = `(() => {
  const types = ${JSON.stringify(HELD)}.split(" ")
  const hold = (event) => event.stopPropagation()
  for (const type of types) addEventListener(type, hold, true)
  addEventListener(${JSON.stringify(TAKEN_OVER)}, () => {
    for (const type of types) removeEventListener(type, hold, true)
  }, { once: true })
})()`

/** Says that React has taken the page over. */
export function useTakeOver(): void {
  useEffect(() => {
    window.dispatchEvent(new Event(TAKEN_OVER))
  }, [])
}
