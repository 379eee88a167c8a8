import { Monitor, Moon, Sun } from "lucide-react"
import { useEffect, useSyncExternalStore } from "react"

export const THEMES = ["system", "light", "dark"] as const
export type Theme = (typeof THEMES)[number]
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

/** Told to whoever shows the choice, wherever it was made. */
const CHOSEN_EVENT = "belay:theme-chosen"

function chosenTheme(): Theme {
  try {
    // What private windows do not keep lasts as long as the page.
    const chosen = document.documentElement.dataset["chosenTheme"] ?? localStorage.getItem("theme")
    return THEMES.find((theme) => theme === chosen) ?? "system"
  } catch {
    return "system"
  }
}

export function chooseTheme(theme: Theme): void {
  apply(theme)
  document.documentElement.dataset["chosenTheme"] = theme
  try {
    localStorage.setItem("theme", theme)
  } catch {
    // Private windows may refuse.
  }
  window.dispatchEvent(new Event(CHOSEN_EVENT))
}

function onThemeChosen(listener: () => void): () => void {
  window.addEventListener(CHOSEN_EVENT, listener)
  return () => window.removeEventListener(CHOSEN_EVENT, listener)
}

/** Steps through system, light and dark. */
export function ThemeButton() {
  const theme = useSyncExternalStore(onThemeChosen, chosenTheme, () => "system" as const)
  useEffect(() => {
    const preference = matchMedia("(prefers-color-scheme: dark)")
    const follow = () => apply(theme)
    preference.addEventListener("change", follow)
    return () => preference.removeEventListener("change", follow)
  }, [theme])
  const Icon = ICONS[theme]
  const step = () => chooseTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system")
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
