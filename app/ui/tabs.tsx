import { NavLink } from "@remix-run/react"
import { clsx } from "clsx"

/** Links to the pages of one subject, which `label` names. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly { name: string; path: string }[] }) {
  return (
    <nav aria-label={label} className="mt-4 flex gap-1 overflow-x-auto border-b border-line">
      {tabs.map(({ name, path }) => (
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
