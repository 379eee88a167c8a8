import { useSubmit } from "@remix-run/react"
import { type ChangeEvent, useEffect, useRef } from "react"

/** Typing rests this long before the page is asked again; a choice asks at once. */
const REST_MS = 250

/** `onChange` of a form whose fields filter the page: submits it, without a request for every letter. `state` goes along. */
export function useFind(state?: object): (event: ChangeEvent<HTMLFormElement>) => void {
  const submit = useSubmit()
  const timer = useRef<ReturnType<typeof setTimeout>>()
  useEffect(() => () => clearTimeout(timer.current), [])
  return ({ currentTarget, target }) => {
    clearTimeout(timer.current)
    const find = () => submit(currentTarget, { replace: true, preventScrollReset: true, ...(state && { state }) })
    if (target instanceof HTMLInputElement) timer.current = setTimeout(find, REST_MS)
    else find()
  }
}
