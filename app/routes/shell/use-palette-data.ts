import { useFetcher } from "@remix-run/react"
import { useCallback, useEffect } from "react"
import { paths } from "../../lib/paths.ts"
import type { clientLoader } from "./palette.ts"

/** Where the viewer can go, looked up anew each time it is opened: undefined until it is there, null when it fails. */
export function usePaletteData(isOpen: boolean) {
  const { data, load: loadFrom } = useFetcher<typeof clientLoader>({ key: "palette" })
  const load = useCallback(() => loadFrom(paths.palette()), [loadFrom])
  useEffect(() => {
    if (isOpen) load()
  }, [isOpen, load])
  return { data, load }
}

export type PaletteData = ReturnType<typeof usePaletteData>["data"]
