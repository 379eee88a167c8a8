import { NavLink } from "@remix-run/react"
import { clsx } from "clsx"
import { paths } from "../../lib/paths.ts"

const TABS = [
  { name: "Organization", path: paths.settings() },
  { name: "Ingest", path: paths.ingestStatus() },
  { name: "Storage", path: paths.storage() },
]

/** The pages of settings, for who may change them. */
export function SettingsTabs() {
  return (
    <nav aria-label="Settings" className="mt-4 flex gap-1 overflow-x-auto border-b border-line">
      {TABS.map(({ name, path }) => (
        <NavLink
          key={path}
          to={path}
          end
          prefetch="intent"
          className={({ isActive }) =>
            clsx(
              "-mb-px border-b-2 px-3 py-2 text-sm font-medium whitespace-nowrap transition-colors duration-150",
              isActive ? "border-accent text-accent" : "border-transparent text-ink-soft hover:text-ink",
            )
          }
        >
          {name}
        </NavLink>
      ))}
    </nav>
  )
}
