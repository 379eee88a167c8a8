import { useSubmit } from "@remix-run/react"
import { type ChangeEvent, type RefObject, useEffect, useRef } from "react"

/** Typing rests this long before the page is asked again; a choice asks at once. */
const REST_MS = 250

/**
 * `ref` and `onChange` of a form whose fields filter the page: submits it, without a request for every letter. `state`
 * goes along. What was filled in before React took the page over is submitted as soon as it has.
 */
export function useFind(state?: object): {
  ref: RefObject<HTMLFormElement>
  onChange: (event: ChangeEvent<HTMLFormElement>) => void
} {
  const submit = useSubmit()
  const ref = useRef<HTMLFormElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>()
  const find = () => submit(ref.current, { replace: true, preventScrollReset: true, ...(state && { state }) })
  // Anew in every drawing, so that the timer sends the state of the newest.
  const newestFind = useRef(find)
  useEffect(() => {
    newestFind.current = find
  })
  useEffect(() => {
    if (ref.current !== null && isFilledIn(ref.current)) newestFind.current()
    return () => clearTimeout(timer.current)
  }, [])
  return {
    ref,
    onChange({ target }) {
      clearTimeout(timer.current)
      if (target instanceof HTMLInputElement) timer.current = setTimeout(() => newestFind.current(), REST_MS)
      else find()
    },
  }
}

/** Whether a field says something else than the page that the server drew. */
function isFilledIn(form: HTMLFormElement): boolean {
  return [...form.elements].some((field) => {
    if (field instanceof HTMLInputElement) return field.value !== field.defaultValue
    if (!(field instanceof HTMLSelectElement)) return false
    const chosen = [...field.options].find((option) => option.defaultSelected) ?? field.options[0]
    return field.value !== chosen?.value
  })
}
