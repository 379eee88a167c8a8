import { Monitor, Moon, Sun } from "lucide-react"
import { useEffect, useState } from "react"
import { useInBrowser } from "../lib/use-in-browser.ts"

const THEMES = ["system", "light", "dark"] as const
type Theme = (typeof THEMES)[number]
const ICONS = { system: Monitor, light: Sun, dark: Moon }

/** Sets the theme of the first paint; the same rule as `apply` below. */
export const THEME_SCRIPT = `(() => {
  let chosen = null
  try { chosen = localStorage.getItem("theme") } catch {}
  const isDark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches)
  document.documentElement.dataset.theme = isDark ? "dark" : "light"
})()`

function apply(theme: Theme) {
  const isDark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches)
  document.documentElement.dataset["theme"] = isDark ? "dark" : "light"
}

function remembered(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "system"
  } catch {
    return "system"
  }
}

/** Steps through system, light and dark. */
export function ThemeButton() {
  const [chosen, setChosen] = useState<Theme | null>(null)
  const isInBrowser = useInBrowser()
  const theme = chosen ?? (isInBrowser ? remembered() : "system")
  useEffect(() => {
    const preference = matchMedia("(prefers-color-scheme: dark)")
    const follow = () => apply(theme)
    preference.addEventListener("change", follow)
    return () => preference.removeEventListener("change", follow)
  }, [theme])
  const Icon = ICONS[theme]
  const step = () => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system"
    setChosen(next)
    apply(next)
    try {
      localStorage.setItem("theme", next)
    } catch {
      // Private windows may refuse; the choice then lasts as long as the page.
    }
  }
  return (
    <button
      type="button"
      onClick={step}
      aria-label={`Theme: ${theme}`}
      title={`Theme: ${theme}`}
      className="inline-flex size-8 items-center justify-center rounded-md text-ink-soft hover:bg-sunken hover:text-ink"
    >
      <Icon aria-hidden className="size-4" />
    </button>
  )
}
